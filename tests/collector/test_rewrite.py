import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.attributes import Attributes, attributes_of
from collector.rewrite import Addition, Replacement, rewrite, with_rewritten
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
    result = rewrite(
        Attributes(column),
        column.type,
        additions=[Addition("x", np.array(rows, np.int64), "string_value", words, np.array(rows, np.int64))],
        replacements=[
            Replacement(np.array(replaced, np.int64), "string_value", words, np.array(replaced, np.int64)),
        ],
        dropped=np.array(dropped, np.int64),
    )
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
    result = rewrite(attributes, column.type, replacements=[Replacement(places, "bool_value", [True], rows * 0)])

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
