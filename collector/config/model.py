"""What a checked configuration is: component classes with their configs, and the pipelines between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from collector.batch import Signal
from collector.component import Component, ComponentConfig
from collector.errors import Problem
from collector.registry import Kind
from collector.web.endpoint import Endpoint


class LogsConfig(ComponentConfig):
    """Says what the collector logs about itself, on standard error."""

    level: Literal["debug", "info", "warn", "error"] = "info"
    """Lines below this level are left out."""
    encoding: Literal["console", "json"] = "console"
    """``console`` is for eyes, ``json`` for machines."""


class MetricsConfig(ComponentConfig):
    """Says how the collector's own metrics are offered to Prometheus."""

    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """``none`` offers nothing."""
    address: Endpoint = "localhost:8888"
    """Where Prometheus finds ``/metrics``, as ``host:port``."""


class TelemetryConfig(ComponentConfig):
    """Says what the collector tells about itself."""

    logs: LogsConfig = LogsConfig()
    metrics: MetricsConfig = MetricsConfig()


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """Is one configured component: enough to make it."""

    id: str
    """``type`` or ``type/name``."""
    kind: Kind
    cls: type[Component]
    config: ComponentConfig


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """Is one pipeline: the ids of its components, in their order."""

    id: str
    """``signal`` or ``signal/name``."""
    signal: Signal
    receivers: tuple[str, ...]
    processors: tuple[str, ...]
    exporters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """Is a configuration without mistakes: every reference leads somewhere, every config is valid."""

    receivers: Mapping[str, ComponentSpec]
    processors: Mapping[str, ComponentSpec]
    exporters: Mapping[str, ComponentSpec]
    extensions: Mapping[str, ComponentSpec]
    service_extensions: tuple[str, ...]
    pipelines: Mapping[str, PipelineSpec]
    telemetry: TelemetryConfig
    warnings: tuple[Problem, ...] = ()
    """What is no mistake and may surprise: environment variables that are not set."""

    def section(self, kind: Kind) -> Mapping[str, ComponentSpec]:
        """Return the components of one kind, by id."""
        specs: Mapping[str, ComponentSpec] = getattr(self, kind.value)
        return specs
