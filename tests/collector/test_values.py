import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.schema import ANY_VALUE
from collector.values import MESSAGES, as_texts, to_python, typed


def members(*values):
    array = pa.array([dict([typed(value)]) for value in values], ANY_VALUE)
    return dict(zip(array.type.names, array.flatten(), strict=True))


def test_values_as_text():
    told = as_texts(members("a", 1, 2.5, True, [1, {"b": None}], {"c": ["ä"]}))

    assert told.to_pylist() == ["a", "1", "2.5", "true", '[1,{"b":null}]', '{"c":["ä"]}']


@pytest.mark.parametrize("value", ["a", True, -1, 0.5, [1, ["x"], {}], {"a": {"b": [None]}}])
def test_python_values_come_back(value):
    member, plain = typed(value)
    plain = MESSAGES[member].FromString(plain) if member in MESSAGES else plain

    assert to_python(AnyValue(**{member: plain})) == value


@pytest.mark.parametrize("value", [None, 2**63, object()])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(ValueError, match="cannot be an attribute value"):
        typed(value)
