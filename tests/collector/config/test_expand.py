"""collector/config/expand.py: expressions in values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.config.expand import expand
from collector.config.text import parse
from collector.config.tree import Entry, Map, Place, Report, Scalar, plain

ENVIRON = {
    "X": "x",
    "PORT": "4317",
    "ZEROS": "0123",
    "EMPTY": "",
    "WHICH": "PORT",
    "LIST": "[a, b]",
    "MAP": "{a: 1, b: '${env:X}'}",
    "AGAIN": "<${env:X}>",
    "DOLLARS": "a$$b$c",
    "QUOTED": "'q'",
    "BROKEN": "a: [",
    "NOTE": "# x",
    "TWICE": "{a: 1, a: 2}",
}


def expanded(text, environ=None):
    report = Report()
    tree = Map(Place("f"), {"k": Entry(Place("f", 1, 1), Scalar(Place("f", 1, 4), text))})
    node = expand(tree, ENVIRON if environ is None else environ, report).entries["k"].node
    return node, [str(each) for each in report.problems], [str(each) for each in report.warnings]


@pytest.mark.parametrize(
    ("text", "value", "kept"),
    [
        ("${env:X}", "x", "x"),
        ("${X}", "x", "x"),
        ("${env:PORT}", 4317, "4317"),
        ("${env:ZEROS}", 123, "0123"),
        ("${env:EMPTY}", None, ""),
        ("host:${env:PORT}", "host:4317", "host:4317"),
        ("${env:X}${env:X}", "xx", "xx"),
        ("${env:${env:WHICH}}", 4317, "4317"),
        ("${env:NONE:-5}", 5, "5"),
        ("${NONE:-5}", 5, "5"),
        ("${env:NONE:-}", "", ""),
        ("${env:NONE:-${env:PORT}}", 4317, "4317"),
        ("${env:NONE:-a:-b}", "a:-b", "a:-b"),
        ("${env:EMPTY:-5}", None, ""),
        ("${env:AGAIN}", "<${env:X}>", "<${env:X}>"),
        ("-${env:AGAIN}-", "-<${env:X}>-", "-<${env:X}>-"),
        ("${env:DOLLARS}", "a$$b$c", "a$$b$c"),
        ("${env:DOLLARS}$$", "a$$b$c$", "a$$b$c$"),
        ("${env:NOTE}", "# x", "# x"),
        ("${env:TWICE}", "{a: 1, a: 2}", "{a: 1, a: 2}"),
        ("${env:QUOTED}", "'q'", "'q'"),
        ("${env:BROKEN}", "a: [", "a: ["),
        ("${yaml:7}", 7, "7"),
        ("$$", "$", "$"),
        ("$${env:X}", "${env:X}", "${env:X}"),
        ("$$$${env:X}", "$${env:X}", "$${env:X}"),
        ("$$${env:X}", "$x", "$x"),
        ("$X and $(X)", "$X and $(X)", "$X and $(X)"),
        ("}${env:X}}", "}x}", "}x}"),
    ],
)
def test_expressions_are_replaced(text, value, kept):
    node, problems, warnings = expanded(text)

    assert (node.value, node.text) == (value, kept)
    assert type(node.value) is type(value)
    assert (problems, warnings) == ([], [])


def test_a_whole_map_or_list_may_come_in():
    assert plain(expanded("${env:LIST}")[0]) == ["a", "b"]
    assert plain(expanded("${env:MAP}")[0]) == {"a": 1, "b": "x"}
    assert expanded("a ${env:LIST}")[0].value == "a [a, b]"


def test_what_came_in_stands_where_the_expression_stands():
    node, _, _ = expanded("${env:MAP}")

    assert node.entries["a"].place == node.entries["a"].node.place == Place("f", 1, 4)


def test_a_file_comes_in_with_its_own_places_and_without_its_last_newline(tmp_path):
    (tmp_path / "password").write_text("p: w #1\n")
    (tmp_path / "map").write_text("a: 1\nb: ${env:X}\n")
    (tmp_path / "twice").write_text("a: 1\na: 2\n")

    assert expanded(f"${{file:{tmp_path}/password}}")[0].entries["p"].node.value == "w"
    included = expanded(f"${{file:{tmp_path}/map}}")[0]
    assert plain(included) == {"a": 1, "b": "x"}
    assert included.entries["b"].place == Place(f"{tmp_path}/map", 2, 1)
    assert expanded(f"a${{file:{tmp_path}/password}}")[0].value == "ap: w #1"
    assert expanded(f"${{file:{tmp_path}/twice}}")[1] == [
        f'{tmp_path}/twice:2:1: duplicate key "a"; it stands at {tmp_path}/twice:1:1 already'
    ]


@pytest.mark.parametrize("text", ["${env:NONE}", "${NONE}"])
def test_an_unset_variable_is_null_with_a_warning(text):
    node, problems, warnings = expanded(text)

    assert (node.value, node.text, problems) == (None, "", [])
    assert warnings == ["f:1:4: k: environment variable NONE is not set; ${env:NONE} is empty here"]


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("${env:A}", {"A": "['${env:A}']"}),
        ("${env:A}", {"A": "{x: '${env:B}'}", "B": "[{x: '${env:A}'}]"}),
        ("${env:A}", {"A": "['${B}', '${B}', '${B}']", "B": "[" + "'${D}', " * 400 + "]", "D": "d"}),
    ],
)
def test_expansion_ends(text, environ):
    _, problems, _ = expanded(text, environ)

    assert {problem.partition(": ")[2].partition(": ")[2] for problem in problems} == {
        "expands to itself, or to more than 1000 expressions"
    }


@pytest.mark.parametrize("text", ["${" * 60, "${" * 2000 + "}" * 2000])
def test_deep_nesting_is_told(text):
    assert "more than 50 expressions inside each other" in expanded(text)[1][0]


plain_texts = st.text(st.characters(exclude_characters="${}"))


@settings(deadline=None)
@given(plain_texts)
def test_a_text_without_expressions_stays(text):
    assert expanded(text)[0].value == text


@settings(deadline=None)
@given(st.text())
def test_an_escaped_text_comes_out_as_it_was(text):
    assert expanded(text.replace("$", "$$"))[0].value == text


@settings(deadline=None)
@given(st.text())
def test_any_text_is_expanded_or_told(text):
    node, problems, _ = expanded(text)

    assert isinstance(node, Scalar)
    assert not problems or node.value is None


@settings(deadline=None)
@given(plain_texts, plain_texts, plain_texts)
def test_a_variable_inside_a_text_is_put_in_unchanged(before, value, after):
    before, after = f"<{before}", f"{after}>"

    assert expanded(f"{before}${{env:V}}{after}", {"V": value})[0].value == before + value + after


@settings(deadline=None)
@given(plain_texts)
def test_a_variable_keeps_its_text(value):
    node, _, _ = expanded("${env:V}", {"V": value})

    assert node.text == value if isinstance(node, Scalar) else parse(value, "f", Report()) is not None
