import pytest

from tests.bench import steps


@pytest.mark.parametrize("kind", ["slim", "metrics", "logs"])
def test_every_step_of_a_signal_is_timed(kind):
    line = steps.measure(kind, 32, 0)

    spans_only = {"cost", "rollup"}
    assert set(line.costs) == set(steps.STEPS) - (set() if kind == "slim" else spans_only)
    assert all(cost > 0 for cost in line.costs.values())


def test_a_line_shows_each_step_beside_its_ratio_to_the_yardstick():
    costs = {step: 2.0 * number for number, step in enumerate(steps.STEPS, start=1)}

    text = steps.text(steps.Line("slim 512", costs))

    assert text.split()[:7] == ["slim", "512", "2.00", "4.00", "(2.00", "x)", "6.00"]


def test_a_step_that_a_signal_does_not_take_has_an_empty_place():
    full = steps.text(steps.Line("slim 512", dict.fromkeys(steps.STEPS, 1.0)))
    bare = steps.text(steps.Line("slim 512", {step: 1.0 for step in steps.STEPS if step != "cost"}))

    assert len(full) == len(bare)
    assert full.count("x)") == bare.count("x)") + 1
