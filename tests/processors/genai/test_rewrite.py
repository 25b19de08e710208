import numpy as np
import pyarrow as pa
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
