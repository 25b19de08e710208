import pyarrow as pa
import pytest

from collector.attributes import attributes_of
from collector.values import array_of_texts
from processors.genai.grammar import Dialect
from processors.genai.table import Dialects
from processors.genai.values import MEMBER, Source, judged, read, usable
from tests.processors.spans import batch_from

NAN, INFINITY = float("nan"), float("inf")


def values(told, **target):
    attributes = attributes_of(batch_from(*({"attributes": {"x": value}} for value in told)))
    wanted = step(**target)
    [positions] = attributes.locate(["x"])
    found = read(source_of(attributes, positions), positions, wanted)
    return listed(found), wanted


def step(**target):
    table = Dialects([Dialect.model_validate({"attributes": {"new": {"from": ["x"], **target}}})])
    return table.steps_of("new")[0]


def listed(found):
    told = list(found.values.to_pylist() if isinstance(found.values, pa.Array) else found.values)
    return [told[number] if number >= 0 else None for number in found.choice.tolist()]


def source_of(attributes, positions):
    return Source(attributes, positions)


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
        (
            {"kind": "texts", "values": {"a": "b"}},
            ["A", "c", "", 1],
            [array_of_texts(("b",)), array_of_texts(("c",)), None, None],
        ),
        (
            {"kind": "flag"},
            [True, False, "True", "FALSE", "yes", 1, None],
            [True, False, True, False, None, None, None],
        ),
        (
            {"kind": "seconds", "from": [{"key": "x", "factor": 0.001}]},
            [250.0, 100, "50", -1.0, NAN, INFINITY, "x"],
            [0.25, 0.1, 0.05, None, None, None, None],
        ),
        ({"kind": "host"}, ["http://h:1/v1", "https://[::1]:2", "h", ""], ["h", "::1", "h", None]),
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

    assert usable(source, positions, step(kind="text", closed=True, ignored=["None"])).tolist() == [
        True,
        False,
        False,
        False,
    ]
    assert usable(source, positions, step(kind="text")).tolist() == [True, True, False, False]
    assert usable(source, positions, step(kind="flag")).all()


def test_only_values_that_are_spelled_otherwise_are_respelled():
    attributes = attributes_of(
        batch_from(*({"attributes": {"x": value}} for value in [["stop"], ["end_turn", "stop"], '["length"]', [1]]))
    )
    [positions] = attributes.locate(["x"])
    _, told = judged(source_of(attributes, positions), positions, step(kind="texts", values={"end_turn": "stop"}))

    assert listed(told) == [None, array_of_texts(("stop", "stop")), array_of_texts(("length",)), None]


DOCUMENTS = [
    ('{"a": {"b": 7}}', 7),
    ("{'a': {'b': 7}, 'c': None}", 7),
    ('{"a": {"b": "8"}}', 8),
    ('{"a": {"b": -1}}', None),
    ('{"a": {"b": true}}', None),
    ('{"a": {"b": NaN}}', None),
    ('{"a": [1, 2]}', None),
    ("{'a': __import__('os')}", None),
    ("[" * 5000, None),
    ("not json", None),
    ("", None),
]


def test_values_inside_documents():
    told, _ = values([text for text, _ in DOCUMENTS], kind="count", **{"from": ["x#/a/b"]})

    assert told == [value for _, value in DOCUMENTS]


def test_steps_into_lists_are_numbers():
    assert values(['{"a": [{"b": "c"}]}', '{"a": []}'], kind="text", **{"from": ["x#/a/0/b"]})[0] == ["c", None]


SUMS = [
    ('{"in": 7, "in_cached": 2, "out": 1}', 9),
    ('{"in": 7}', 7),
    ('{"in": 7, "in_more": {"x": 5}, "in_text": "8", "in_flag": true, "in_bad": -1, "in_worse": NaN}', 7),
    ('{"out": 1}', None),
    ('[{"in": 1}]', None),
]


def test_the_end_of_a_path_may_be_the_sum_of_what_begins_so():
    assert values([text for text, _ in SUMS], kind="count", **{"from": ["x#/in*"]})[0] == [told for _, told in SUMS]


def test_the_host_of_a_url_may_be_looked_up():
    origin = {"key": "x", "host": True, "values": {"api.openai.com": "openai", "*.azure.com": "azure"}}
    told = ["https://api.openai.com/v1", "api.openai.com:443", "http://me.azure.com", "localhost", ""]

    assert values(told, kind="text", **{"from": [origin]})[0] == ["openai", "openai", "azure", None, None]
