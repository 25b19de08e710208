import pyarrow as pa
import pytest

from collector.attributes import attributes_of
from processors.genai.table import Target
from processors.genai.values import MEMBER, Source, Texts, array_of, read, usable
from tests.processors.spans import batch_from

NAN, INFINITY = float("nan"), float("inf")


def values(told, **target):
    attributes = attributes_of(batch_from(*({"attributes": {"x": value}} for value in told)))
    wanted = Target.model_validate({"from": ["x"], **target})
    [positions] = attributes.locate(["x"])
    found = read(source_of(attributes, positions), positions, wanted)
    told = list(found.values.to_pylist() if isinstance(found.values, pa.Array) else found.values)
    return [told[number] if number >= 0 else None for number in found.choice.tolist()], wanted


def source_of(attributes, positions):
    return Source(attributes, Texts(attributes, positions))


@pytest.mark.parametrize(
    ("target", "told", "expected"),
    [
        (
            {"kind": "count"},
            [0, 7, 2**63 - 1, -1, 3.0, 2.5, NAN, INFINITY, "8", " 9 ", "", "x", True, None, [1]],
            [0, 7, 2**63 - 1, None, 3, None, None, None, 8, 9, None, None, None, None, None],
        ),
        (
            {"kind": "text", "values": {"old": "new"}, "ignored": ["none"]},
            ["old", "OLD", "own", "NONE", "", 1, None],
            ["new", "new", "own", None, None, None, None],
        ),
        ({"kind": "text", "values": {"old": "new"}, "closed": True}, ["old", "own"], ["new", None]),
        ({"kind": "texts", "values": {"a": "b"}}, ["A", "c", "", 1], [array_of(("b",)), array_of(("c",)), None, None]),
        (
            {"kind": "flag"},
            [True, False, "True", "FALSE", "yes", 1, None],
            [True, False, True, False, None, None, None],
        ),
        (
            {"kind": "seconds", "factor": 0.001},
            [250.0, 100, "50", -1.0, NAN, INFINITY, "x"],
            [0.25, 0.1, 0.05, None, None, None, None],
        ),
        ({"kind": "host"}, ["http://h:1/v1", "https://[::1]:2", "h", ""], ["h", "::1", None, None]),
        ({"kind": "port"}, ["http://h:1/v1", "http://h", "http://h:99999999"], [1, None, None]),
    ],
)
def test_each_kind(target, told, expected):
    found, wanted = values(told, **target)

    assert expected == found
    assert MEMBER[wanted.kind].removesuffix("_value") in {"int", "string", "array", "bool", "double"}


def test_a_present_value_is_usable_when_it_says_something():
    attributes = attributes_of(batch_from(*({"attributes": {"x": value}} for value in ["own", "none", "", 1])))
    [positions] = attributes.locate(["x"])
    source = source_of(attributes, positions)
    closed = Target.model_validate({"kind": "text", "from": ["y"], "closed": True, "ignored": ["none"]})
    flag = Target.model_validate({"kind": "flag", "from": ["y"]})

    assert usable(source, positions, closed).tolist() == [True, False, False, False]
    assert usable(source, positions, flag).all()
