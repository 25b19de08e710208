"""`include` and `exclude` for metrics and logs, as they were written before there were conditions."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from collector.component import ComponentConfig
from collector.matching import AttributeMatch, MatchConfig, SeverityMatch
from processors.filter.fields import ENUMS


class _PropertiesConfig(ComponentConfig):
    """Is the base of configs that name items in words of their own."""

    @model_validator(mode="after")
    def _can_be_matched(self) -> Self:
        self.matching()
        return self

    @abstractmethod
    def matching(self) -> MatchConfig:
        """Return the same in general terms."""


class MetricMatchConfig(_PropertiesConfig):
    """Names metrics."""

    match_type: Literal["strict", "regexp"]
    """`strict` compares whole texts, `regexp` searches with RE2's syntax; `expr` is not known here: use conditions."""
    metric_names: tuple[str, ...] = ()
    """Names of metrics, of which one must match."""
    resource_attributes: tuple[AttributeMatch, ...] = ()
    """Attributes of the resource, all of which must match."""

    def matching(self) -> MatchConfig:
        """Return the same in general terms."""
        told = {"metric_names": self.metric_names, "resources": self.resource_attributes}
        return _general(self.match_type, told)


class SeverityConfig(ComponentConfig):
    """Says which severities."""

    min: str = ""
    """The lowest one, as `WARN` or `13`."""
    match_undefined: bool = False
    """Whether records that say no severity belong to it."""

    @field_validator("min")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value and _number(value) is None:
            raise ValueError(f"{value!r} is no severity; write one like INFO or WARN2, or a number from 1 to 24")
        return value


class LogMatchConfig(_PropertiesConfig):
    """Names log records. All keys that are given must match."""

    match_type: Literal["strict", "regexp"] = "strict"
    """`strict` compares whole texts, `regexp` searches with RE2's syntax."""
    resource_attributes: tuple[AttributeMatch, ...] = ()
    """Attributes of the resource, all of which must match."""
    record_attributes: tuple[AttributeMatch, ...] = ()
    """Attributes of the record, all of which must match."""
    severity_texts: tuple[str, ...] = ()
    """Severity texts, of which one must match."""
    severity_number: SeverityConfig | None = None
    """Severities."""
    bodies: tuple[str, ...] = ()
    """Bodies that are text, of which one must match."""

    def matching(self) -> MatchConfig:
        """Return the same in general terms."""
        severity = self.severity_number
        told = {
            "resources": self.resource_attributes,
            "attributes": self.record_attributes,
            "log_severity_texts": self.severity_texts,
            "log_bodies": self.bodies,
            "log_severity_number": severity
            and SeverityMatch(min=_number(severity.min) or 1, match_undefined=severity.match_undefined),
        }
        return _general(self.match_type, told)


def _general(match_type: str, told: Mapping[str, Any]) -> MatchConfig:
    return MatchConfig.model_validate(
        {"match_type": match_type, **{name: value for name, value in told.items() if value}}
    )


def _number(text: str) -> int | None:
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= 24 else None
    return ENUMS.get(f"SEVERITY_NUMBER_{text.upper()}")
