"""collector/config/source.py: where configurations are read from, and how they are laid over each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.config.source import assignment, merge, read
from collector.config.text import parse
from collector.config.tree import Map, Report, plain


def read_plain(uri, environ=None):
    report = Report()
    tree = read(uri, environ or {}, report)
    return tree if tree is None else plain(tree), [str(problem) for problem in report.problems]


def test_a_source_is_a_file_a_variable_or_yaml(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("\ufeffa: 1")

    assert read_plain(str(file)) == ({"a": 1}, [])
    assert read_plain(f"file:{file}") == ({"a": 1}, [])
    assert read_plain("env:CONFIG", {"CONFIG": "a: 1"}) == ({"a": 1}, [])
    assert read_plain("yaml:a: 1") == ({"a": 1}, [])
    assert read_plain("yaml:a::b::c: 1") == ({"a": {"b": {"c": 1}}}, [])
    assert read_plain("yaml:{a: {x: 1}, a::b: 2}") == ({"a": {"x": 1, "b": 2}}, [])


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("env:CONFIG", "env:CONFIG: environment variable CONFIG is not set"),
        (
            "https://me:hunter2@host/a.yaml",
            "https://me:[REDACTED]@host/a.yaml: a configuration is not read from the web; "
            "download it and give the file",
        ),
        (
            "fiel:a.yaml",
            'fiel:a.yaml: unknown scheme "fiel:"; '
            "known: file:, env:, yaml:; a file whose name holds a colon is written file:name",
        ),
        ("yaml:[a]", "yaml:1:1: must be a map of keys; start with receivers:, exporters: and service:"),
    ],
)
def test_what_is_no_source_is_told(uri, told):
    assert read_plain(uri) == (None, [told])


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "latin").write_bytes(b"a: \xe9")

    assert read_plain(str(tmp_path)) == (None, [f"{tmp_path}: cannot read {tmp_path}: Is a directory"])
    latin = tmp_path / "latin"
    assert read_plain(str(latin)) == (None, [f"{latin}: {latin} is not UTF-8 (byte 3); save it as UTF-8"])


def set_plain(override):
    report = Report()
    tree = assignment(override, report)
    return tree if tree is None else plain(tree), [str(problem) for problem in report.problems]


def test_set_reads_its_value_as_yaml():
    assert set_plain("a.b= 1 ") == ({"a": {"b": 1}}, [])
    assert set_plain("a=[x, y]") == ({"a": ["x", "y"]}, [])
    assert set_plain("a.b=") == ({"a": {"b": None}}, [])
    assert set_plain("a.b=c=d") == ({"a": {"b": "c=d"}}, [])
    assert set_plain("a::b.c=localhost:1") == ({"a": {"b.c": "localhost:1"}}, [])


def test_set_without_a_value_or_key_is_told():
    hint = "write --set processors.name.key=value"

    assert set_plain("a.b") == (None, [f"--set a.b: missing equal sign; {hint}"])
    assert set_plain("a..b=1") == (None, [f"--set a..b=1: a key is empty; {hint}"])
    assert set_plain("a.password=[hunter2") == (
        None,
        ["--set a.password=...: not valid YAML: expected ',' or ']', but got '<stream end>'"],
    )


keys = st.sampled_from("abc")
trees = st.recursive(
    st.dictionaries(keys, st.integers() | st.lists(st.integers(), max_size=2)),
    lambda below: st.dictionaries(keys, below | st.integers()),
    max_leaves=8,
)


def as_map(value):
    node = parse(str(value), "t", Report())
    assert isinstance(node, Map)
    return node


def leaves(value, path=()):
    if isinstance(value, dict) and value:
        return {leaf: each for key, below in value.items() for leaf, each in leaves(below, (*path, key)).items()}
    return {path: value}


@settings(deadline=None)
@given(trees, trees)
def test_everything_of_the_later_tree_is_in_the_merged_one(base, over):
    merged = plain(merge(as_map(base), as_map(over)))

    for path, value in leaves(over).items():
        found = merged
        for key in path:
            found = found[key]
        assert found == value or (value == {} and isinstance(found, dict))


@settings(deadline=None)
@given(trees, trees)
def test_nothing_of_the_earlier_tree_is_lost_but_what_was_replaced(base, over):
    merged, replacing = leaves(plain(merge(as_map(base), as_map(over)))), leaves(over)

    for path, value in leaves(base).items():
        touched = any(path[: len(other)] == other or other[: len(path)] == path for other in replacing)
        assert touched or merged[path] == value


@settings(deadline=None)
@given(trees, trees, trees)
def test_merging_without_nulls_does_not_depend_on_the_order_of_work(a, b, c):
    a, b, c = as_map(a), as_map(b), as_map(c)
    maps_only = all(isinstance(value, int) for tree in (a, b, c) for value in leaves(plain(tree)).values())

    left, right = plain(merge(merge(a, b), c)), plain(merge(a, merge(b, c)))

    assert not maps_only or left == right or _replaced(a, b, c)


def _replaced(*trees):
    """Say whether a scalar stands in one tree where another has a map: then the order does matter."""
    inner = {path[:i] for tree in trees for path in leaves(plain(tree)) for i in range(1, len(path))}
    return any(path in inner for tree in trees for path in leaves(plain(tree)))


@settings(deadline=None)
@given(trees)
def test_merging_with_nothing_or_itself_changes_nothing(tree):
    tree = as_map(tree)
    nothing = Map(tree.place)

    assert plain(merge(tree, nothing)) == plain(merge(nothing, tree)) == plain(merge(tree, tree)) == plain(tree)
