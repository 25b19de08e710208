import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.patterns import check, group_names, matching, replaced

TEXTS = pa.array(["card 4111 and 4222", None, "", "none", "\ue0000\ue001 4333"])


def sha1(text):
    return hashlib.sha1(text.encode()).hexdigest()


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{2000}", "x" * 5000])
def test_what_re2_does_not_take_is_a_mistake(pattern):
    with pytest.raises(ValueError, match="regular expression"):
        check(pattern)


def test_a_pattern_that_makes_other_engines_hang_is_answered_at_once():
    text = pa.array(["a" * 50_000 + "!"])

    assert not matching(text, [check("^(a+)+$"), check("(a|aa)+$"), check("(.*a){20}x")]).any()


def test_any_of_several_patterns_is_found_anywhere():
    assert matching(TEXTS, ["4[0-9]{3}", "^none$"]).tolist() == [True, False, False, True, True]


def test_each_match_is_replaced_by_a_text_or_by_what_is_made_of_it():
    assert replaced(TEXTS, "4[0-9]{3}", "**\\1**").to_pylist()[0] == "card **\\1** and **\\1**"
    assert replaced(TEXTS, "4[0-9]{3}", sha1).to_pylist() == [
        f"card {sha1('4111')} and {sha1('4222')}",
        None,
        "",
        "none",
        f"\ue0000\ue001 {sha1('4333')}",
    ]


@given(st.lists(st.text(max_size=8)))
def test_marking_what_matched_leaves_no_trace(texts):
    assert replaced(pa.array(texts, pa.string()), "[a-z0-9]+", str).to_pylist() == texts


def test_groups_have_names():
    assert group_names("(?P<a>x)(?:y)(?P<b>z)") == ("a", "b")
    for pattern in ("(x)", "x"):
        with pytest.raises(ValueError, match="group"):
            group_names(pattern)
