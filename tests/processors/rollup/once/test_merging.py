"""The rules of what is one call, on single facts."""

import pytest

from processors.rollup.once.facts import EMBEDDINGS, PART, VIEW, Fact
from processors.rollup.once.merging import clusters_of, distance_of, gap_of, joined, record_of, report_of

MS = 1_000_000
NOTHING = (-1,) * 7
TEXTS = ("app", "python", "", "openai", "chat", "gpt-4o", "", "")


def fact(row, **more):
    told = {
        "row": row, "key": row, "parent": 0, "trace": row, "process": 1, "scope": row, "kind": 0, "requested": 5,
        "answered": 0, "start": 1000 * MS, "duration": 100 * MS, "tokens": NOTHING, "first_chunk": -1.0, "error": -1,
        "finished": False, "response": 0, "prompt": 0, "told": -1, "texts": TEXTS,
    }  # fmt: skip
    return Fact(**{**told, **more})


def alone(row, **more):
    return report_of(fact(row, **more), (), ())


def usage(*counts):
    return (*counts, *NOTHING[len(counts) :])


def test_a_wrapper_lends_what_the_inner_call_does_not_say():
    inner = fact(1, tokens=usage(7), texts=("client", "python", "", "", "chat", "gpt-4o", "", ""))
    outer = fact(
        2, tokens=usage(8, 3), finished=True, duration=900 * MS, texts=("app", "go", "prod", "x", "", "y", "z", "")
    )
    record = record_of(report_of(inner, [outer], ()))

    assert record.tokens == usage(7, 3)
    assert record.duration == 100 * MS
    assert record.texts == ("app", "go", "prod", "x", "chat", "gpt-4o", "z", "")


@pytest.mark.parametrize(("finished", "error"), [(True, -1), (False, 2)])
def test_a_wrapper_failed_by_itself_if_the_inner_call_ended_well(finished, error):
    assert report_of(fact(1, finished=finished), [fact(2, error=2)], ()).fact.error == error


def test_the_usage_of_a_call_that_was_cut_is_unknown():
    assert record_of(alone(1, error=0, tokens=usage(7, 1))).tokens == NOTHING
    assert record_of(alone(1, error=0, tokens=usage(7, 1), finished=True)).tokens == usage(7, 1)


def test_who_reports_usage_goes_first_then_who_is_inner():
    silent, long, short = (
        alone(1, duration=MS),
        alone(2, tokens=usage(7, 51)),
        alone(3, tokens=usage(7, 50), duration=9 * MS),
    )

    assert joined([silent, long]).anchor == 2
    assert joined([silent, long, short]).fact.tokens[1] == 50
    assert joined([alone(1, error=1), long]).fact.error == 1


@pytest.mark.parametrize(
    ("more", "together"),
    [
        ({}, True),
        ({"trace": 1, "process": 9}, True),
        ({"scope": 1}, False),
        ({"response": 0}, False),
        ({"response": 513}, False),
        ({"kind": EMBEDDINGS}, False),
        ({"texts": ("other", *TEXTS[1:])}, False),
        ({"texts": ("other", *TEXTS[1:]), "kind": VIEW}, True),
        ({"start": 9000 * MS}, False),
    ],
)
def test_reports_of_one_response(more, together):
    clusters = clusters_of([alone(1, response=257), alone(2, **{"response": 257, **more})])

    assert len(clusters) == (1 if together else 2)


@pytest.mark.parametrize(
    ("more", "distance"),
    [
        ({}, 0),
        ({"start": 980 * MS, "duration": 150 * MS}, 50 * MS),
        ({"start": 1060 * MS}, None),
        ({"duration": 500 * MS}, None),
        ({"scope": 1}, None),
        ({"process": 9}, None),
        ({"requested": 6}, None),
        ({"requested": 6, "answered": 5}, 0),
        ({"requested": 0}, 0),
        ({"tokens": usage(7)}, 0),
        ({"tokens": usage(8)}, None),
        ({"tokens": usage(9, 1, 2)}, 0),
        ({"tokens": usage(9, 1, -1, 1)}, None),
        ({"finished": True}, 0),
        ({"response": 257}, None),
        ({"response": 258}, 0),
        ({"kind": VIEW}, None),
        ({"kind": EMBEDDINGS}, None),
    ],
)
def test_reports_of_one_moment(more, distance):
    one, other = alone(1, tokens=usage(7), response=513), alone(2, **more)

    assert distance_of(one, other) == distance == distance_of(other, one)


@pytest.mark.parametrize(
    ("more", "distance"),
    [
        ({}, 2000 * MS),
        ({"duration": 70 * MS}, None),
        ({"tokens": usage(7, 2)}, None),
        ({"tokens": usage(7)}, None),
        ({"start": -9100 * MS, "duration": 10_200 * MS}, None),
    ],
)
def test_a_library_that_loaded_before_its_first_call(more, distance):
    inner = alone(1, tokens=usage(7, 3))
    outer = alone(2, **{"start": -1000 * MS, "duration": 2100 * MS, "tokens": usage(7, 3), **more})

    assert distance_of(inner, outer) == distance == distance_of(outer, inner)


def test_a_success_is_no_failure():
    assert distance_of(alone(1, error=1), alone(2, finished=True)) is None
    assert distance_of(alone(1, error=1), alone(2)) == 0


@pytest.mark.parametrize(
    ("more", "gap"),
    [
        ({"told": 50 * MS}, 0),
        ({"told": 45 * MS}, 5 * MS),
        ({"told": 10 * MS}, None),
        ({"told": 10 * MS, "prompt": 3}, 40 * MS),
        ({"told": 50 * MS, "prompt": 4}, None),
        ({"prompt": 3}, 50 * MS),
        ({}, None),
        ({"parent": 1}, 0),
        ({"told": 50 * MS, "scope": 2}, None),
        ({"told": 50 * MS, "requested": 6}, None),
    ],
)
def test_the_rest_of_a_stream(more, gap):
    request = fact(1, prompt=3)
    part = fact(9, **{"kind": PART, "scope": 1, "start": 1150 * MS, "duration": 0, **more})

    assert gap_of(request, part) == gap


def test_a_stream_lasts_until_its_rest_was_told():
    part = fact(9, kind=PART, start=1150 * MS, duration=0, tokens=usage(7, 3))
    record = record_of(report_of(fact(1), (), [part]))

    assert (record.duration, record.tokens) == (150 * MS, usage(7, 3))


def test_an_input_of_nothing_is_unknown():
    silent, known = alone(1, tokens=usage(0, 5)), alone(2, tokens=usage(2000, 5))

    assert distance_of(silent, known) == 0
    assert joined([silent, known]).fact.tokens == usage(2000, 5)
    assert record_of(silent).tokens == usage(0, 5)


def test_who_reads_and_writes_nothing_does_not_know_what_was():
    empty, known = alone(1, tokens=usage(0, 0, 0, 0), duration=MS), alone(2, tokens=usage(2000, 40, 1500))

    assert joined([empty, known]).anchor == 2
    assert joined([empty, known]).fact.tokens == usage(2000, 40, 1500)
    assert joined([empty, alone(3, tokens=usage(0, 0), duration=MS)]).fact.tokens == usage(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("inner", "whole"),
    [
        ((500, 9), (3200, 9, 2700, -1, -1, -1, 80)),  # the inner one leaves cached tokens out
        ((3000, 9), (3000, 9, 2700, -1, -1, -1, 80)),
        ((500, 9, 100, -1, -1, -1, 30), (500, 9, 100, -1, -1, -1, 30)),
    ],
)
def test_the_input_goes_with_the_cached_tokens_that_are_part_of_it(inner, whole):
    outer = fact(2, tokens=(3200, 8, 2700, -1, -1, -1, 80), duration=900 * MS)

    assert report_of(fact(1, tokens=usage(*inner)), [outer], ()).fact.tokens == whole
