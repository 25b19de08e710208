import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.attributes import Attributes, attributes_of
from collector.rewrite import Addition, Replacement, rewritten, with_rewritten
from tests.processors.spans import attributes_of_spans, batch_from

KEYS = st.sampled_from("abcde")
SPANS = st.lists(st.dictionaries(KEYS, st.integers(0, 9), max_size=4), min_size=1, max_size=6)


def told(batch, lists):
    main = batch.main
    return attributes_of_spans(batch.with_main(main.set_column(11, main.schema.field("attributes"), lists)))


@settings(max_examples=60, deadline=None)
@given(spans=SPANS, data=st.data())
def test_rows_lose_change_and_get_exactly_what_is_said(spans, data):
    batch = batch_from(*({"attributes": span} for span in spans))
    column = batch.main.column("attributes")
    flat = [(row, key) for row, span in enumerate(spans) for key in span]
    touched = data.draw(st.lists(st.integers(0, len(flat) - 1), unique=True)) if flat else []
    dropped, replaced = sorted(touched[::2]), touched[1::2]
    rows = data.draw(st.lists(st.integers(0, len(spans) - 1), unique=True))
    words = pa.array([f"word {row}" for row in range(len(flat) + len(spans))])
    result = rewritten(
        Attributes(column),
        additions=[Addition("x", np.array(rows, np.int64), "string_value", words, np.array(rows, np.int64))],
        replacements=[
            Replacement(np.array(replaced, np.int64), "string_value", words, np.array(replaced, np.int64)),
        ],
        dropped=np.array(dropped, np.int64),
    ).lists
    new = {flat[position]: f"word {position}" for position in replaced}
    gone = {flat[position] for position in dropped}
    expected = [
        {key: new.get((row, key), value) for key, value in span.items() if (row, key) not in gone}
        | ({"x": f"word {row}"} if row in rows else {})
        for row, span in enumerate(spans)
    ]

    assert [list(span.items()) for span in told(batch, result)] == [list(span.items()) for span in expected]
    assert result.type == column.type


@pytest.mark.parametrize("changed", [range(0), range(50), range(70, 120), [*range(20), *range(90, 200)]])
def test_long_runs_of_other_rows_stay_as_they_are(changed):
    spans = [{"a": row} if row % 3 else {"a": row, "b": 1} for row in range(200)]
    batch = batch_from(*({"attributes": span} for span in spans))
    column = batch.main.column("attributes")
    attributes = Attributes(column)
    rows = np.array(list(changed), dtype=np.int64)
    places = attributes.locate(["a"])[0][rows]
    result = rewritten(attributes, replacements=[Replacement(places, "bool_value", [True], rows * 0)]).lists

    assert [{**span, "a": True} if row in changed else span for row, span in enumerate(spans)] == told(batch, result)


@pytest.mark.parametrize("count", [3, 40, 200])
@settings(max_examples=20, deadline=None)
@given(spans=SPANS, data=st.data())
def test_the_keys_of_a_rewritten_batch_are_known_as_if_they_were_told_apart_anew(count, spans, data):
    spans = [spans[row % len(spans)] for row in range(count)]
    batch = batch_from(*({"attributes": span} for span in spans))
    attributes = attributes_of(batch)
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1)))), np.int64)
    more = rows[::2]
    key = data.draw(KEYS)
    positions = attributes.locate([key])[0]
    additions = [Addition("x", rows, "bool_value", [True], rows * 0), Addition("x", more, "int_value", [1], more * 0)]
    result = with_rewritten(batch, additions=additions, dropped=positions[positions >= 0])

    known, anew = attributes_of(result), Attributes(result.main.column("attributes"))

    assert known.names == list(dict.fromkeys(known.names))
    assert set(known.names) == set(anew.names)
    assert [known.names[code] for code in known.codes] == [anew.names[code] for code in anew.codes]
    assert known.locate(["x", *"abcde"]).tolist() == anew.locate(["x", *"abcde"]).tolist()
    assert len(known.shapes.first) == len(anew.shapes.first)
    assert np.array_equal(known.shapes.shape, anew.shapes.shape)


VALUES = st.one_of(
    st.integers(-9, 9), st.floats(-9, 9), st.booleans(), st.text("xyz", max_size=3), st.lists(st.just("q"), max_size=2)
)
FORMS = st.sampled_from([("string_value", "new"), ("int_value", -4), ("double_value", 2.5), ("bool_value", True)])


@pytest.mark.parametrize("count", [3, 200])
@settings(max_examples=20, deadline=None)
@given(spans=st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=6), data=st.data())
def test_several_steps_one_after_the_other_are_laid_out_once(count, spans, data):
    spans = [spans[row % len(spans)] for row in range(count)]
    batch = batch_from(*({"attributes": span} for span in spans))
    for step in range(3):
        rows = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1)))), np.int64)
        batch, spans = stepped(batch, spans, step, rows, data.draw(st.tuples(st.permutations("abc"), FORMS)))
    known, every = attributes_of(batch), np.arange(count)
    keys = ["new 2", "copy 1", "moved 0", "a"]
    found = known.locate(keys)
    texts = [[span.get(key) for span in spans] for key in keys]

    assert [known.strings(line).to_pylist() for line in found] == [
        [text if isinstance(text, str) else None for text in line] for line in texts
    ]
    assert [known.locate_in(every, key).tolist() for key in keys] == found.tolist()
    assert [list(span.items()) for span in attributes_of_spans(batch)] == [list(span.items()) for span in spans]
    assert [known.names[code] for code in known.codes] == [key for span in spans for key in span]


def stepped(batch, spans, step, rows, drawn):
    """Return the batch after one step, and what its spans are to be."""
    (moved, lost, copied), (member, value) = drawn
    attributes = attributes_of(batch)
    move, lose, copy = attributes.locate([moved, lost, copied])
    sources = np.flatnonzero(attributes.member(member, copy).is_valid())
    result = with_rewritten(
        batch,
        additions=[
            Addition(f"new {step}", rows, member, [value], rows * 0),
            Addition(f"copy {step}", sources, member, None, copy[sources]),
        ],
        dropped=lose[rows][lose[rows] >= 0],
        renamed={f"moved {step}": move[rows][move[rows] >= 0]},
    )
    changed = set(rows.tolist())
    after = []
    for row, span in enumerate(spans):
        told = span
        if row in changed:
            told = {f"moved {step}" if key == moved else key: held for key, held in span.items() if key != lost}
            told[f"new {step}"] = value
        after.append({**told, f"copy {step}": span[copied]} if row in sources else told)
    return result, after


@pytest.mark.parametrize("count", [3, 39, 41, 70])
def test_rows_that_get_any_number_of_other_attributes_keep_apart(count):
    spans = [{"a": row} for row in range(200)]
    batch = batch_from(*({"attributes": span} for span in spans))
    chosen = [np.arange(200)[number % 7 : 200 - number] for number in range(count)]
    additions = [
        Addition(f"k{number}", rows, "int_value", [number], rows * 0) for number, rows in enumerate(chosen) if len(rows)
    ]
    result = with_rewritten(batch, additions=additions)
    expected = [
        span | {f"k{number}": number for number, rows in enumerate(chosen) if row in rows}
        for row, span in enumerate(spans)
    ]

    assert [list(span.items()) for span in attributes_of_spans(result)] == [list(span.items()) for span in expected]
    assert len(attributes_of(result).shapes.first) == len({tuple(span) for span in expected})
