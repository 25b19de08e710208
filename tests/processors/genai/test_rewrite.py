import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.attributes import Attributes
from processors.genai.rewrite import Addition, rewrite
from tests.processors.spans import attributes_of_spans, batch_from

KEYS = st.sampled_from("abcde")
SPANS = st.lists(st.dictionaries(KEYS, st.integers(0, 9), max_size=4), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(spans=SPANS, data=st.data())
def test_rows_lose_and_get_exactly_what_is_said(spans, data):
    batch = batch_from(*({"attributes": span} for span in spans))
    column = batch.main.column("attributes")
    attributes = Attributes(column)
    flat = [(row, key) for row, span in enumerate(spans) for key in span]
    dropped = sorted(data.draw(st.sets(st.integers(0, len(flat) - 1)))) if flat else []
    rows = st.lists(st.integers(0, len(spans) - 1), unique=True)
    added = {key: data.draw(rows) for key in ("x", "y")}
    tens = pa.array([10 * row for row in range(len(spans))], pa.int64())
    additions = [
        Addition(key, np.array(at, dtype=np.int64), "int_value", tens, np.array(at, dtype=np.int64))
        for key, at in added.items()
    ]
    result = rewrite(attributes, additions, np.array(dropped, dtype=np.int64), column.type)
    gone = {flat[position] for position in dropped}
    expected = [
        [(key, value) for key, value in span.items() if (row, key) not in gone]
        + [(key, 10 * row) for key, at in added.items() if row in at]
        for row, span in enumerate(spans)
    ]
    main = batch.main
    told = attributes_of_spans(batch.with_main(main.set_column(11, main.schema.field("attributes"), result)))

    assert expected == [list(span.items()) for span in told]
    assert result.type == column.type


@pytest.mark.parametrize(
    "changed", [range(0), range(50), range(70, 120), range(150, 200), [*range(20), *range(90, 200)]]
)
def test_long_runs_of_other_rows_stay_as_they_are(changed):
    spans = [{"a": row} if row % 3 else {"a": row, "b": 1} for row in range(200)]
    batch = batch_from(*({"attributes": span} for span in spans))
    column = batch.main.column("attributes")
    attributes = Attributes(column)
    rows = np.array(list(changed), dtype=np.int64)
    added = Addition("x", rows, "int_value", pa.array(range(200)), rows)
    dropped = attributes.locate(["b"])[0][rows]
    result = rewrite(attributes, [added], dropped[dropped >= 0], column.type)
    main = batch.main
    told = attributes_of_spans(batch.with_main(main.set_column(11, main.schema.field("attributes"), result)))

    assert [{"a": row, "x": row} if row in changed else span for row, span in enumerate(spans)] == told
