"""The running collector: everything a configuration names, started back to front and stopped front to back.

start   extensions, exporters, receivers, then extensions hear: ready     (nothing is received before it can be kept)
stop    extensions hear: not ready, then receivers, exporters, extensions     (nothing is closed before it is drained)
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import Any, cast

import structlog
from prometheus_client import start_http_server

from collector.batch import Batch, Signal
from collector.component import Component, Consume, Exporter, ExporterConfig, Extension, Host, Processor, Receiver
from collector.config import ComponentSpec, Configuration, PipelineSpec, TelemetryConfig
from collector.errors import Permanent
from collector.memory import Notebook
from collector.outbox import Outbox
from collector.outlet import GRACE_SECONDS, Direct, Outlet
from collector.pipeline import Group, Pipeline, fan_out, remembering_last
from collector.telemetry import Metrics
from collector.web.endpoint import cannot_listen

SHUTDOWN_SECONDS = 20.0
"""How long stopping may take: receivers end, then all outboxes deliver at once; what remains stays on disk."""


class StartError(Exception):
    """Says which component could not start, and why."""


class Service:
    """Builds, starts and stops what a `Configuration` describes; once: to start again takes another."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.metrics = Metrics()
        self.log: Any = structlog.get_logger()
        self.extensions: dict[str, Extension] = {
            id_: cast(Extension, self._make(configuration.extensions[id_])) for id_ in configuration.service_extensions
        }
        self.outlets: dict[str, Outlet] = {
            id_: _outlet(cast(Exporter, self._make(configuration.exporters[id_])))
            for id_ in self._named(lambda pipeline: pipeline.exporters)
        }
        self._groups: dict[str, Group] = {}
        self.pipelines: dict[str, Pipeline] = {
            spec.id: self._pipeline(spec) for spec in configuration.pipelines.values()
        }
        self.receivers: dict[str, Receiver] = {
            id_: self._receiver(configuration.receivers[id_])
            for id_ in self._named(lambda pipeline: pipeline.receivers)
        }
        self._stops: list[Callable[[], None]] = []
        self._deadline = 0.0

    # ------------------------------------------------------------------ building

    def _named(self, part: Callable[[PipelineSpec], tuple[str, ...]]) -> list[str]:
        """Return the ids that the pipelines name, each once, in order."""
        return list(dict.fromkeys(id_ for pipeline in self.configuration.pipelines.values() for id_ in part(pipeline)))

    def _make(self, spec: ComponentSpec) -> Component:
        return spec.cls(spec.config, Host(spec.id, self.metrics))

    def _pipeline(self, spec: PipelineSpec) -> Pipeline:
        group = self._groups.setdefault(spec.id.partition("/")[2], Group())
        outlets = [self.outlets[id_] for id_ in spec.exporters]
        specs = [self.configuration.processors[id_] for id_ in spec.processors]
        if any(_remembers(one) for one in specs):
            outlets = remembering_last(outlets)
        made = [self._processor(one, group, outlets[-1]) for one in specs]
        notebooks = [group.notebooks[one.id] for one in specs if _remembers(one)]
        return Pipeline(Host(spec.id, self.metrics), made, outlets, notebooks, group.turn)

    def _processor(self, spec: ComponentSpec, group: Group, keeper: Outlet) -> Processor:
        """Return a processor of this pipeline alone, or the one of its group if it remembers."""
        host = Host(spec.id, self.metrics)
        if not _remembers(spec):
            return cast(type[Processor], spec.cls)(spec.config, host)
        if spec.id not in group.processors:
            notebook = group.notebooks.setdefault(spec.id, Notebook(spec.id))
            group.processors[spec.id] = cast(type[Processor], spec.cls)(spec.config, replace(host, memory=notebook))
        group.notebooks[spec.id].keep_in(keeper)
        return group.processors[spec.id]

    def _receiver(self, spec: ComponentSpec) -> Receiver:
        """Return the receiver, which hands its batches to the pipelines of their signal that name it."""
        consumers: Mapping[Signal, list[Consume]] = {one: [] for one in Signal}
        for pipeline in self.configuration.pipelines.values():
            if spec.id in pipeline.receivers:
                consumers[pipeline.signal].append(self.pipelines[pipeline.id].consume)
        by_signal = {one: fan_out(found) for one, found in consumers.items() if found}

        def consume(batch: Batch) -> None:
            target = by_signal.get(batch.signal)
            if target is None:
                raise Permanent(f"no pipeline takes {batch.signal} from receiver {spec.id}")
            target(batch)

        host = Host(spec.id, self.metrics, signals=frozenset(by_signal))
        return cast(type[Receiver], spec.cls)(spec.config, host, consume)

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Start everything, or stop what was started and raise `StartError`."""
        self._start("telemetry", "", self._start_metrics, lambda: None)
        for id_, extension in self.extensions.items():
            self._start("extension", id_, extension.start, extension.stop)
        for id_, outlet in self.outlets.items():
            self._start("exporter", id_, outlet.start, self._draining(outlet))
        for processor in dict.fromkeys(one for pipeline in self.pipelines.values() for one in pipeline.processors):
            self._start("processor", processor.host.id, processor.start, processor.stop)
        for id_, receiver in self.receivers.items():
            self._start("receiver", id_, receiver.start, receiver.stop)
        for id_, extension in self.extensions.items():
            self._start("extension", id_, extension.ready, extension.not_ready)

    def _start(self, kind: str, id_: str, start: Callable[[], None], stop: Callable[[], None]) -> None:
        self._stops.append(stop)
        try:
            start()
        except Exception as error:
            self.stop()
            reason = str(error).removeprefix(f"{id_}: ")
            raise StartError(f"{f'{kind} {id_}'.rstrip()} cannot start: {reason}") from error

    def _draining(self, outlet: Outlet) -> Callable[[], None]:
        def stop() -> None:
            patience = max(0.0, self._deadline - monotonic())
            for one in self.outlets.values():
                one.drain(patience)
            outlet.stop(patience)

        return stop

    def stop(self) -> None:
        """Stop everything that was started, last first; one failure does not keep the others running."""
        self._deadline = monotonic() + SHUTDOWN_SECONDS - GRACE_SECONDS
        while self._stops:
            try:
                self._stops.pop()()
            except Exception:
                self.log.exception("a component could not stop")

    def _start_metrics(self) -> None:
        telemetry = self.configuration.telemetry.metrics
        if telemetry.level == "none":
            return
        host, _, port = telemetry.address.rpartition(":")
        try:
            server, thread = start_http_server(int(port), host, self.metrics.registry)
        except OSError as error:
            raise cannot_listen("service::telemetry::metrics::address", telemetry.address, error) from error

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._stops.append(stop)


def _remembers(spec: ComponentSpec) -> bool:
    return issubclass(spec.cls, Processor) and spec.cls.remembers


def _outlet(exporter: Exporter) -> Outlet:
    config: ExporterConfig = exporter.config
    return Outbox(exporter) if config.sending_queue.enabled else Direct(exporter)


def configure_logging(telemetry: TelemetryConfig) -> None:
    """Make every log line a fact with its keys on standard error, as text or as JSON."""
    levels = {"debug": 10, "info": 20, "warn": 30, "error": 40}
    plain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if telemetry.logs.encoding == "json":
        ending: list[Any] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        ending = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[*plain, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(levels[telemetry.logs.level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
