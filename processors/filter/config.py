"""The configuration of `filter`, in all the layouts that the OpenTelemetry Collector's has had."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Discriminator, Tag, model_validator

from collector.batch import Signal
from collector.component import ComponentConfig
from collector.matching import MatchConfig
from processors.filter.condition import Condition, condition
from processors.filter.fields import CONTEXTS
from processors.filter.properties import LogMatchConfig, MetricMatchConfig

ErrorMode = Literal["ignore", "silent", "propagate"]


def _of(signal: Signal, context: str = "") -> Callable[[str], str]:
    def check(text: str) -> str:
        condition(text, signal, context)
        return text

    return check


ResourceOfTraces = Annotated[str, AfterValidator(_of(Signal.TRACES, "resource"))]
Span = Annotated[str, AfterValidator(_of(Signal.TRACES, "span"))]
SpanEvent = Annotated[str, AfterValidator(_of(Signal.TRACES, "spanevent"))]
ResourceOfMetrics = Annotated[str, AfterValidator(_of(Signal.METRICS, "resource"))]
Metric = Annotated[str, AfterValidator(_of(Signal.METRICS, "metric"))]
DataPoint = Annotated[str, AfterValidator(_of(Signal.METRICS, "datapoint"))]
ResourceOfLogs = Annotated[str, AfterValidator(_of(Signal.LOGS, "resource"))]
LogRecord = Annotated[str, AfterValidator(_of(Signal.LOGS, "log"))]


class SpansConfig(ComponentConfig):
    """Says by properties which spans stay."""

    include: MatchConfig | None = None
    """The only spans that stay."""
    exclude: MatchConfig | None = None
    """Spans that are dropped."""


class TracesConfig(ComponentConfig):
    """Drops what any condition of a list holds for."""

    resource: tuple[ResourceOfTraces, ...] = ()
    """Conditions on resources; all their spans go."""
    span: tuple[Span, ...] = ()
    """Conditions on spans."""
    spanevent: tuple[SpanEvent, ...] = ()
    """Conditions on the events of spans; the span stays."""


class MetricsConfig(ComponentConfig):
    """Drops what any condition of a list holds for."""

    resource: tuple[ResourceOfMetrics, ...] = ()
    """Conditions on resources; all their data points go."""
    metric: tuple[Metric, ...] = ()
    """Conditions on metrics; all their data points go."""
    datapoint: tuple[DataPoint, ...] = ()
    """Conditions on data points; a metric goes with its last one."""
    include: MetricMatchConfig | None = None
    """The only metrics that stay."""
    exclude: MetricMatchConfig | None = None
    """Metrics that are dropped."""


class LogsConfig(ComponentConfig):
    """Drops what any condition of a list holds for."""

    resource: tuple[ResourceOfLogs, ...] = ()
    """Conditions on resources; all their records go."""
    log_record: tuple[LogRecord, ...] = ()
    """Conditions on log records."""
    include: LogMatchConfig | None = None
    """The only records that stay."""
    exclude: LogMatchConfig | None = None
    """Records that are dropped."""


class ConditionGroup(ComponentConfig):
    """Is some conditions with an error mode of their own."""

    conditions: tuple[str, ...]
    """Conditions."""
    error_mode: ErrorMode | None = None
    """What is done where a condition cannot be told; without it, what holds for all."""
    context: str = ""
    """What the conditions are about, where their properties do not begin with it."""


def _kind(value: object) -> str:
    return "text" if isinstance(value, str) else "group"


_Group = Annotated[ConditionGroup, Tag("group")]
_Choice = Discriminator(_kind)
OfTraces = Annotated[Annotated[str, AfterValidator(_of(Signal.TRACES)), Tag("text")] | _Group, _Choice]
OfMetrics = Annotated[Annotated[str, AfterValidator(_of(Signal.METRICS)), Tag("text")] | _Group, _Choice]
OfLogs = Annotated[Annotated[str, AfterValidator(_of(Signal.LOGS)), Tag("text")] | _Group, _Choice]


class FilterConfig(ComponentConfig):
    """Says what is dropped: whatever any condition holds for."""

    error_mode: ErrorMode = "ignore"
    """What is done where a condition cannot be told (a sum of texts, say): `ignore` logs it and goes on as if it did
    not hold, `silent` only goes on, `propagate` refuses the whole request."""
    trace_conditions: tuple[OfTraces, ...] = ()
    """Conditions whose properties begin with `resource`, `scope`, `span` or `spanevent`. The lowest of these that a
    condition names is what it drops."""
    metric_conditions: tuple[OfMetrics, ...] = ()
    """The same with `resource`, `scope`, `metric` and `datapoint`."""
    log_conditions: tuple[OfLogs, ...] = ()
    """The same with `resource`, `scope` and `log`."""
    traces: TracesConfig = TracesConfig()
    """Conditions in lists by what they are about, as they were written before version 0.146 of the Collector."""
    metrics: MetricsConfig = MetricsConfig()
    """The same for metrics."""
    logs: LogsConfig = LogsConfig()
    """The same for logs."""
    spans: SpansConfig = SpansConfig()
    """Spans by their properties, as they were named before there were conditions."""

    @model_validator(mode="after")
    def _groups_are_right(self) -> "FilterConfig":
        for signal in RULES:
            rules_of(self, signal)
        return self


class Rule(NamedTuple):
    """Is one condition and what is done where it cannot be told."""

    condition: Condition
    error_mode: ErrorMode


def rules_of(config: FilterConfig, signal: Signal) -> Sequence[Rule]:
    """Return the conditions for a signal; raise ValueError where one in a group is wrong."""
    flat, lists = RULES[signal]
    rules = [
        Rule(condition(text, signal, context), config.error_mode)
        for key, context in lists.items()
        for text in getattr(getattr(config, signal.value), key)
    ]
    for each in getattr(config, flat):
        group = each if isinstance(each, ConditionGroup) else ConditionGroup(conditions=(each,))
        if group.context and group.context not in CONTEXTS[signal]:
            raise ValueError(f"context {group.context!r} in {flat}; write one of {', '.join(CONTEXTS[signal])}")
        mode = group.error_mode or config.error_mode
        rules += [Rule(condition(text, signal, group.context), mode) for text in group.conditions]
    return rules


def matches_of(config: FilterConfig, signal: Signal) -> tuple[MatchConfig | None, MatchConfig | None]:
    """Return `include` and `exclude` of a signal."""
    named: Any = config.spans if signal is Signal.TRACES else getattr(config, signal.value)
    include, exclude = (
        each if each is None or isinstance(each, MatchConfig) else each.matching()
        for each in (named.include, named.exclude)
    )
    return include, exclude


RULES: Mapping[Signal, tuple[str, Mapping[str, str]]] = MappingProxyType(
    {
        Signal.TRACES: ("trace_conditions", {"resource": "resource", "span": "span", "spanevent": "spanevent"}),
        Signal.METRICS: ("metric_conditions", {"resource": "resource", "metric": "metric", "datapoint": "datapoint"}),
        Signal.LOGS: ("log_conditions", {"resource": "resource", "log_record": "log"}),
    }
)
"""For each signal the key of its flat list, and the keys of its other lists with what they are about."""
