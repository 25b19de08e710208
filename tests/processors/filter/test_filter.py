import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from collector.batch import Signal
from collector.errors import Permanent
from collector.telemetry import Metrics
from processors.filter import FilterProcessor
from tests.processors.items import batch_of_items, cases, items_of, made, run_case


@pytest.mark.parametrize("case", cases(__file__), ids=lambda case: case.stem)
def test_golden_case(case):
    told, expected = run_case(case, FilterProcessor)

    assert told == expected


BATCH = batch_of_items(Signal.TRACES, [{"name": "a"}, {"name": "b", "attributes": {"n": "text"}}])


def test_what_is_not_told_at_all_passes_as_the_same_object():
    assert list(made(FilterProcessor, {}).process(BATCH)) == [BATCH]


def test_dropped_items_are_counted():
    metrics = Metrics()
    list(made(FilterProcessor, {"traces": {"span": ['name == "a"']}}, metrics=metrics).process(BATCH))

    assert metrics.value("otelcol_processor_filter_spans_filtered", filter="test") == 1


def test_a_batch_of_which_nothing_stays_is_gone():
    assert list(made(FilterProcessor, {"trace_conditions": ["true"]}).process(BATCH)) == []


@pytest.mark.parametrize(("mode", "warnings"), [("ignore", 1), ("silent", 0)])
def test_what_cannot_be_told_stays(mode, warnings):
    rules = {"trace_conditions": ['span.attributes["n"] * 2 == 2', 'span.name == "a"'], "error_mode": mode}
    processor = made(FilterProcessor, rules)
    with capture_logs() as logs:
        told = [items_of(result) for _ in range(2) for result in processor.process(BATCH)]

    assert told == [[{"name": "b", "attributes": {"n": "text"}}]] * 2
    assert len(logs) == warnings


def test_what_cannot_be_told_is_refused_when_so_configured():
    group = {"conditions": ['span.attributes["n"] * 2 == 2'], "error_mode": "propagate"}

    with pytest.raises(Permanent, match="cannot be told"):
        list(made(FilterProcessor, {"trace_conditions": [group]}).process(BATCH))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"traces": {"span": ['nme == "a"']}}, 'column 1 .*unknown property of a span "nme"; did you mean "name"'),
        ({"trace_conditions": ['name == "a"']}, 'column 1 .*unknown context "name"; begin with one of'),
        ({"trace_conditions": [{"conditions": ["spn.name == 1"]}]}, "unknown context"),
        ({"trace_conditions": [{"conditions": ["name == 1"], "context": "log"}]}, "write one of resource"),
        ({"log_conditions": ["log.body"]}, "this is no condition"),
        ({"logs": {"log_record": ["severity_number < WARN"]}}, 'column 19 .*unknown constant "WARN"'),
        ({"logs": {"include": {"severity_number": {"min": "WARM"}}}}, "is no severity"),
        ({"logs": {"include": {"match_type": "regexp", "bodies": ["("]}}}, "missing"),
        ({"metrics": {"metric": ["IsMatch(name)"]}}, "takes value, pattern in brackets"),
        ({"metrics": {"include": {"match_type": "expr"}}}, "Input should be"),
        ({"metrics": {"datapoint": ['HasAttrKeyOnDatapoint("a")']}}, "a question about a metric"),
    ],
)
def test_mistakes_are_told(config, said):
    with pytest.raises(ValidationError, match=said):
        FilterProcessor.Config.model_validate(config)
