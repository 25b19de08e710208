"""collector/config/text.py: YAML in, a tree with places out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.config.text import parse, write
from collector.config.tree import Place, Report, plain


def read(text):
    report = Report()
    node = parse(text, "f", report)
    return node, [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("off", "off"),
        ("12", 12),
        ("-7", -7),
        ("0123", 123),
        ("0x1F", 31),
        ("0o17", 15),
        ("9" * 50, "9" * 50),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-.inf", float("-inf")),
        ("1:30", "1:30"),
        ("2024-02-01", "2024-02-01"),
        ("1_000", "1_000"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text, value):
    node, problems = read(text)

    assert problems == []
    assert plain(node) == value
    assert type(plain(node)) is type(value)


def test_every_key_and_value_knows_its_place():
    node, _ = read("a:\n  b: [1,\n   x]\n")

    key = node.entries["a"].node.entries["b"]
    assert node.entries["a"].place == Place("f", 1, 1)
    assert key.place == Place("f", 2, 3)
    assert [str(each.place) for each in key.node.nodes] == ["f:2:7", "f:3:4"]


def test_aliases_and_merge_keys_are_followed():
    text = """
    one: &one {a: 1, b: 1}
    two: &two {b: 2, c: 2}
    both: {<<: [*one, *two], c: 3}
    again: *one
    """

    node, problems = read(text)

    assert problems == []
    assert plain(node)["both"] == {"a": 1, "b": 1, "c": 3}
    assert plain(node)["again"] == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<<: 1", "f:1:5: << takes a map or a list of maps; write <<: *name"),
        ("? [a]\n: 1", "f:1:3: a key must be a text; quote it"),
        ("!!int x", "f:1:1: 'x' is no int"),
        ("a: *b", "f:1:4: not valid YAML: found undefined alias 'b'; define it above with &name, or quote the text"),
        ("a\x00b", "f:1:2: not valid YAML: character 0x0 is not allowed"),
        ("[" * 5000, "f: more than 100 levels or 100000 values; aliases count each time they are used"),
        (
            "[" * 102 + "]" * 102,
            "f:1:102: more than 100 levels or 100000 values; aliases count each time they are used",
        ),
    ],
)
def test_what_cannot_be_read_is_told(text, told):
    assert read(text)[1] == [told]


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_a_tree_or_a_mistake(text):
    node, problems = read(text)

    assert (node is None) <= bool(problems)


texts = st.text() | st.sampled_from(
    ["1e3", "0o17", "1_000", "yes", "null", "2024-02-01", "<<", "0x1", "1:30", "~", "="]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(leaves, lambda below: st.lists(below) | st.dictionaries(st.text(), below), max_leaves=10)


@settings(deadline=None)
@given(st.dictionaries(st.text(), values))
def test_what_was_written_is_read_back(value):
    node, problems = read(write(value))

    assert problems == []
    assert plain(node) == value
