"""`include` and `exclude`: which items a processor is to act on, by their own and their owners' properties."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator, model_validator

from collector.attributes import Attributes, attributes_of, resource_attributes_of
from collector.batch import Batch, Signal
from collector.component import ComponentConfig
from collector.patterns import check, matching
from collector.rows import Mask
from collector.values import as_texts, typed

SPAN_KINDS = (
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
)


class AttributeMatch(ComponentConfig):
    """Says which value an attribute must have."""

    key: str
    """The attribute's name."""
    value: Any = None
    """The value, or with `regexp` the pattern of its text; without it the attribute only has to be there."""


class LibraryMatch(ComponentConfig):
    """Says which instrumentation scope."""

    name: str
    """The scope's name."""
    version: str | None = None
    """The scope's version; without it any."""


class SeverityMatch(ComponentConfig):
    """Says which severities."""

    min: int = 1
    """The lowest SeverityNumber."""
    match_undefined: bool = False
    """Whether records that say no severity belong to it."""


class RegexpConfig(ComponentConfig):
    """Is accepted so that existing files load, and has no effect: matching needs no cache."""

    cacheenabled: bool = False
    """Without effect."""
    cachemaxnumentries: int = 0
    """Without effect."""


class MatchConfig(ComponentConfig):
    """Names items. All keys that are given must match; in a list of a key one entry must, of `attributes` all.

    A key that a signal has no such property for (`span_names` for logs) matches none of its items.
    """

    match_type: Literal["strict", "regexp"]
    """`strict` compares whole texts, `regexp` searches with RE2's syntax."""
    regexp: RegexpConfig | None = None
    """Settings of the Collector's cache, without effect."""
    services: tuple[str, ...] = ()
    """Values of the resource's `service.name`."""
    span_names: tuple[str, ...] = ()
    """Names of spans."""
    span_kinds: tuple[str, ...] = ()
    """Kinds of spans, as `SPAN_KIND_CLIENT`."""
    log_bodies: tuple[str, ...] = ()
    """Bodies of log records that are text."""
    log_severity_texts: tuple[str, ...] = ()
    """Severity texts of log records."""
    log_severity_number: SeverityMatch | None = None
    """Severities of log records."""
    metric_names: tuple[str, ...] = ()
    """Names of metrics."""
    attributes: tuple[AttributeMatch, ...] = ()
    """Attributes of the span, data point or log record; all must match."""
    resources: tuple[AttributeMatch, ...] = ()
    """Attributes of the resource; all must match."""
    libraries: tuple[LibraryMatch, ...] = ()
    """Instrumentation scopes."""

    @field_validator("span_kinds")
    @classmethod
    def _known_kinds(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        unknown = [kind for kind in value if kind not in SPAN_KINDS]
        if unknown and info.data.get("match_type") == "strict":
            raise ValueError(f'"{unknown[0]}" is no span kind; these are: {", ".join(SPAN_KINDS)}')
        return value

    @model_validator(mode="after")
    def _says_something(self) -> "MatchConfig":
        if not self.model_fields_set - {"match_type", "regexp"}:
            raise ValueError("names nothing to match; add services, span_names, attributes, resources, ...")
        texts = [text for name in _TEXTS for text in getattr(self, name)]
        texts += [text for library in self.libraries for text in (library.name, library.version) if text is not None]
        values = [each.value for each in (*self.attributes, *self.resources) if each.value is not None]
        if self.match_type == "regexp":
            for pattern in (*texts, *map(_pattern, values)):
                check(pattern)
        else:
            for value in values:
                typed(value)
        return self


def selected(batch: Batch, include: MatchConfig | None, exclude: MatchConfig | None) -> Mask:
    """Tell which items of the batch are meant: those that *include* names, if any, without those of *exclude*."""
    chosen = np.ones(batch.rows, dtype=bool) if include is None else matched(batch, include)
    return chosen if exclude is None else chosen & ~matched(batch, exclude)


def matched(batch: Batch, wanted: MatchConfig) -> Mask:
    """Tell which items of the batch *wanted* names."""
    found = np.ones(batch.rows, dtype=bool)
    for name, test in _TESTS.items():
        if getattr(wanted, name):
            found &= test(batch, wanted)
    return found


def _said(texts: pa.Array, wanted: Sequence[str], wanted_as: MatchConfig) -> Mask:
    """Tell which *texts* are among those *wanted*, or match one of them."""
    if wanted_as.match_type == "regexp":
        return matching(texts, wanted)
    return np.asarray(pc.is_in(texts, pa.array(wanted, pa.string())).fill_null(False))


def _text_test(signal: Signal, key: str, texts_of: Callable[[Batch], pa.Array]) -> Callable[[Batch, MatchConfig], Mask]:
    def test(batch: Batch, wanted: MatchConfig) -> Mask:
        if batch.signal is not signal:
            return np.zeros(batch.rows, dtype=bool)
        return _said(texts_of(batch), getattr(wanted, key), wanted)

    return test


def _services(batch: Batch, wanted: MatchConfig) -> Mask:
    attributes = resource_attributes_of(batch)
    [places] = attributes.locate(["service.name"])
    return _of_owner(batch, "resource", _said(attributes.strings(places), wanted.services, wanted))


def _own_attributes(batch: Batch, wanted: MatchConfig) -> Mask:
    return _attributes(attributes_of(batch), wanted.attributes, wanted)


def _resources(batch: Batch, wanted: MatchConfig) -> Mask:
    return _of_owner(batch, "resource", _attributes(resource_attributes_of(batch), wanted.resources, wanted))


def _attributes(attributes: Attributes, conditions: Sequence[AttributeMatch], wanted: MatchConfig) -> Mask:
    found = np.ones(attributes.count, dtype=bool)
    for condition, places in zip(conditions, attributes.locate([each.key for each in conditions]), strict=True):
        found &= places >= 0
        if condition.value is None:
            continue
        if wanted.match_type == "regexp":
            texts = as_texts({name: attributes.member(name, places) for name in attributes.members})
            found &= matching(texts, [_pattern(condition.value)])
        else:
            member, value = typed(condition.value)
            found &= np.asarray(pc.equal(attributes.member(member, places), value).fill_null(False))
    return found


def _libraries(batch: Batch, wanted: MatchConfig) -> Mask:
    scopes = batch.tables["scopes"]
    found = np.zeros(scopes.num_rows, dtype=bool)
    for library in wanted.libraries:
        same = _said(scopes.column("name"), [library.name], wanted)
        if library.version is not None:
            same &= _said(scopes.column("version"), [library.version], wanted)
        found |= same
    return _of_owner(batch, "scope", found)


def _severities(batch: Batch, wanted: MatchConfig) -> Mask:
    severity = wanted.log_severity_number
    if batch.signal is not Signal.LOGS or severity is None:
        return np.zeros(batch.rows, dtype=bool)
    numbers = np.asarray(batch.column("severity_number"))
    found: Mask = (numbers >= severity.min) | ((numbers == 0) & severity.match_undefined)
    return found if severity.match_undefined else found & (numbers != 0)


def _of_owner(batch: Batch, column: str, found: Mask) -> Mask:
    """Tell of each item whether its owner was found."""
    told: Mask = found[np.asarray(batch.column(column))]
    return told


def _kinds(batch: Batch) -> pa.Array:
    numbers = np.clip(np.asarray(batch.column("kind")), -1, len(SPAN_KINDS))
    return pa.array([*SPAN_KINDS, None, None], pa.string()).take(pa.array(numbers % (len(SPAN_KINDS) + 2)))


def _metric_names(batch: Batch) -> pa.Array:
    return batch.tables["metrics"].column("name").take(batch.column("metric"))


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no regular expression; put it in quotes")  # noqa: TRY004 - for pydantic
    return value


_TEXTS: Mapping[str, Callable[[Batch, MatchConfig], Mask]] = MappingProxyType(
    {
        "services": _services,
        "span_names": _text_test(Signal.TRACES, "span_names", lambda batch: batch.column("name")),
        "span_kinds": _text_test(Signal.TRACES, "span_kinds", _kinds),
        "log_bodies": _text_test(Signal.LOGS, "log_bodies", lambda batch: batch.column("body").flatten()[0]),
        "log_severity_texts": _text_test(
            Signal.LOGS, "log_severity_texts", lambda batch: batch.column("severity_text")
        ),
        "metric_names": _text_test(Signal.METRICS, "metric_names", _metric_names),
    }
)
_TESTS: Mapping[str, Callable[[Batch, MatchConfig], Mask]] = MappingProxyType(
    {
        **_TEXTS,
        "log_severity_number": _severities,
        "attributes": _own_attributes,
        "resources": _resources,
        "libraries": _libraries,
    }
)
