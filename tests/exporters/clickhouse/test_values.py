import math

import pyarrow as pa
import pytest

from collector.attributes import attributes_of
from exporters.clickhouse.texts import go_text
from exporters.clickhouse.values import flatten, is_number, python_values
from tests.exporters.clickhouse.trace_batches import EXPECTED, batch_of, span

VALUES = {
    "s": "x", "b": False, "i": -3, "d": 0.5, "a": ["a", [1, None]], "m": {"k": {"n": b"z"}, "l": []},
    "by": b"\x01", "e": None,
}  # fmt: skip


def test_values_come_back_as_they_were_sent() -> None:
    values = attributes_of(batch_of(span(VALUES))).values
    assert python_values(values) == list(VALUES.values())


def test_a_missing_value_is_empty() -> None:
    values = attributes_of(batch_of(span(VALUES))).values
    missing = pa.StructArray.from_arrays(
        values.flatten(), fields=list(values.type), mask=pa.array([True] * len(values))
    )
    assert python_values(missing) == [None] * len(values)


def test_flattened_leaves_are_signoz_s() -> None:
    nested = {
        "n": 2, "d": 1.5, "b": True, "k": "v", "l": ["a", 1, {"z": "q"}], "m": {"x": {"y": 7}},
        "by": b"\x01\x02", "nul": None,
    }  # fmt: skip

    def shown(value) -> str:
        kind = "bool" if isinstance(value, bool) else "float64" if is_number(value) else "string"
        return f"{kind}:{go_text(value)}"

    assert {key: shown(leaf) for key, leaf in flatten("p", nested)} == EXPECTED["flatten"]


@pytest.mark.parametrize(("value", "answer"), [(1, True), (1.5, True), (True, False), (math.nan, False), ("1", False)])
def test_is_number(value, answer) -> None:
    assert is_number(value) is answer
