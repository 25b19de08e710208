from dataclasses import replace

import pytest

from collector.config import load
from tests.bench import report
from tests.bench.cases import CASES, Case
from tests.bench.measure import Result
from tests.bench.subject import Sink

RESULT = Result(
    cpu=9.0,
    rate=50_000.0,
    memory=440.0,
    wait=20.0,
    items=512_000,
    refused=0,
    reference_cpu=1.0,
    reference_memory=50.0,
    missing=0,
)


@pytest.mark.parametrize(("cpu", "verdict"), [(9.0, "pass CPU <= 9 x"), (9.1, "FAIL CPU <= 9 x")])
def test_a_case_with_a_bar_says_whether_it_was_kept(cpu, verdict):
    case = Case("some case", ratio_bar=9)

    assert report.verdicts(case, replace(RESULT, cpu=cpu)) == [verdict]


def test_the_bar_is_a_ratio_so_a_slow_machine_changes_nothing():
    slow = replace(RESULT, cpu=18.0, reference_cpu=2.0)

    assert report.verdicts(Case("some case", ratio_bar=9), slow) == ["pass CPU <= 9 x"]


def test_too_much_memory_fails():
    case = Case("some case", memory_bar=450)

    assert report.verdicts(case, RESULT) == ["pass memory <= 450 MiB"]
    assert report.verdicts(case, replace(RESULT, memory=451.0)) == ["FAIL memory <= 450 MiB"]


@pytest.mark.parametrize("missing", [1, -1])
def test_a_lost_or_doubled_span_fails_whatever_the_figures(missing):
    [verdict] = report.verdicts(Case("some case"), replace(RESULT, missing=missing))

    assert verdict.startswith("FAIL")


def test_a_line_shows_each_figure_beside_its_ratio():
    line = report.line(Case("some case"), RESULT)

    for cell in ("9.0 (9.0 x)", "50,000 (0.050 x)", "440 (8.8 x)", "20.0 (39 x)"):
        assert cell in line


def test_the_names_of_the_cases_differ():
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [case for case in CASES if case.subject == "collector"], ids=lambda case: case.name)
def test_the_configuration_of_every_case_can_be_loaded(case):
    dsn = Sink(8123, 4317).dsn(case) or "chdb:///tmp/bench"
    text = case.config.format(grpc=4317, http=8888, dsn=dsn, outbox="/tmp/bench/outbox")

    configuration = load([f"yaml:{text}"])

    assert list(configuration.pipelines) == [case.signal.value]
