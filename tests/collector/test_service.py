"""The running whole: what starts first, what stops first, and what a failing start leaves behind."""

import json
import re
import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any, ClassVar

import pyarrow as pa
import pytest
import structlog

from collector.batch import Batch, Signal
from collector.component import (
    BatchConfig,
    Component,
    ComponentConfig,
    Exporter,
    ExporterConfig,
    Extension,
    Host,
    Processor,
    Receiver,
    SendingQueueConfig,
)
from collector.config import ComponentSpec, Configuration, PipelineSpec, TelemetryConfig
from collector.errors import Permanent, Retryable
from collector.outlet import GRACE_SECONDS
from collector.service import SHUTDOWN_SECONDS, Service, StartError, configure_logging
from tests.batches import names_of, spans


class Noted:
    """Notes what happens to every part."""

    events: ClassVar[list[str]] = []

    def start(self) -> None:
        self.events.append(f"start {self.host.id}")  # type: ignore[attr-defined]

    def stop(self) -> None:
        self.events.append(f"stop {self.host.id}")  # type: ignore[attr-defined]


class In(Noted, Receiver):
    made: ClassVar[list["In"]] = []

    def __init__(self, config: Any, host: Host, consume: Any) -> None:
        super().__init__(config, host, consume)
        self.made.append(self)


class Shout(Noted, Processor):
    def process(self, batch: Batch) -> Iterable[Batch]:
        main = batch.main
        loud = [name.upper() for name in names_of(batch)]
        return [batch.with_main(main.set_column(main.schema.get_field_index("name"), "name", pa.array(loud)))]


class Rememberer(Noted, Processor):
    """Lets a span of each name through once, whatever pipeline it comes by."""

    remembers = True
    made: ClassVar[list["Rememberer"]] = []

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self.seen: set[str] = set()
        self.made.append(self)

    def process(self, batch: Batch) -> Iterable[Batch]:
        fresh = [row for row, name in enumerate(names_of(batch)) if name not in self.seen]
        self.seen.update(names_of(batch))
        return [batch.take(fresh)]


class Out(Noted, Exporter):
    sent: ClassVar[list[tuple[str, Batch]]] = []

    def export(self, batch: Batch) -> None:
        self.sent.append((self.host.id, batch))


class Beside(Noted, Extension):
    def ready(self) -> None:
        self.events.append(f"ready {self.host.id}")

    def not_ready(self) -> None:
        self.events.append(f"not ready {self.host.id}")


class Broken(Out):
    def start(self) -> None:
        raise OSError("the port is taken")


KINDS = {"shout": Shout, "once": Rememberer}


@pytest.fixture(autouse=True)
def forget():
    Noted.events.clear()
    In.made.clear()
    Rememberer.made.clear()
    Out.sent.clear()


def spec(id_: str, kind: str, cls: type[Component]) -> ComponentSpec:
    config = (
        ExporterConfig(sending_queue=SendingQueueConfig(enabled=False)) if kind == "exporter" else ComponentConfig()
    )
    return ComponentSpec(id=id_, kind=kind, cls=cls, config=config)


def configuration(pipelines: dict[str, tuple[list[str], list[str]]], out: type[Out] = Out) -> Configuration:
    exporters = {id_ for _, ids in pipelines.values() for id_ in ids}
    processors = {id_ for ids, _ in pipelines.values() for id_ in ids}
    return Configuration(
        receivers={"in": spec("in", "receiver", In)},
        processors={id_: spec(id_, "processor", KINDS[id_.partition("/")[0]]) for id_ in processors},
        exporters={id_: spec(id_, "exporter", out) for id_ in sorted(exporters)},
        extensions={},
        service_extensions=(),
        pipelines={
            id_: PipelineSpec(
                id=id_,
                signal=Signal(id_.partition("/")[0]),
                receivers=("in",),
                processors=tuple(first),
                exporters=tuple(last),
            )
            for id_, (first, last) in pipelines.items()
        },
        telemetry=TelemetryConfig.model_validate({"metrics": {"level": "none"}}),
    )


def test_receivers_start_last_and_stop_first():
    service = Service(configuration({"traces": (["shout"], ["out"])}))
    service.start()
    service.stop()

    assert Noted.events == ["start out", "start shout", "start in", "stop in", "stop shout", "stop out"]


def test_extensions_hear_when_receivers_take_requests_and_before_they_stop():
    plain = configuration({"traces": ([], ["out"])})
    beside = {"beside": spec("beside", "extension", Beside)}
    service = Service(replace(plain, extensions=beside, service_extensions=("beside",)))
    service.start()
    service.stop()

    assert Noted.events == [
        *("start beside", "start out", "start in", "ready beside"),
        *("not ready beside", "stop in", "stop out", "stop beside"),
    ]


def test_extensions_never_hear_of_a_start_that_fails():
    plain = configuration({"traces": ([], ["out"])}, out=Broken)
    beside = {"beside": spec("beside", "extension", Beside)}
    with pytest.raises(StartError):
        Service(replace(plain, extensions=beside, service_extensions=("beside",))).start()

    assert Noted.events == ["start beside", "stop out", "stop beside"]


def test_a_batch_goes_through_every_processor_to_every_exporter():
    service = Service(configuration({"traces": (["shout"], ["out/a", "out/b"])}))
    service.start()
    In.made[0].consume(spans("hello"))
    service.stop()

    assert [(id_, names_of(batch)) for id_, batch in Out.sent] == [("out/a", ["HELLO"]), ("out/b", ["HELLO"])]


def test_two_pipelines_of_one_receiver_name_their_batches_apart():
    service = Service(configuration({"traces/loud": (["shout"], ["out"]), "traces/plain": ([], ["out"])}))
    service.start()
    In.made[0].consume(spans("hello"))
    In.made[0].consume(spans("hello"))
    service.stop()

    assert [names_of(batch) for _, batch in Out.sent] == [["HELLO"], ["hello"], ["HELLO"], ["hello"]]
    assert len({batch.id for _, batch in Out.sent}) == 2


def test_what_remembers_is_one_for_the_pipelines_of_a_name_and_another_for_the_others():
    ids = ("traces", "logs", "traces/a", "metrics/a")
    service = Service(configuration({id_: (["once", "shout"], ["out"]) for id_ in ids}))
    service.start()
    service.stop()
    made = {id_: pipeline.processors[0] for id_, pipeline in service.pipelines.items()}

    assert made["traces"] is made["logs"] is Rememberer.made[0]
    assert made["traces/a"] is made["metrics/a"] is Rememberer.made[1]
    assert len({pipeline.processors[1] for pipeline in service.pipelines.values()}) == 4
    assert Noted.events.count("start once") == Noted.events.count("stop once") == 2


def test_each_pipeline_sees_a_batch_for_the_first_time():
    service = Service(configuration({"traces": (["once"], ["out/1"]), "traces/2": (["once"], ["out/2"])}))
    service.start()
    In.made[0].consume(spans("hello"))
    In.made[0].consume(spans("hello", "you"))
    service.stop()

    assert [(id_, names_of(batch)) for id_, batch in Out.sent] == [
        ("out/1", ["hello"]),
        ("out/2", ["hello"]),
        ("out/1", ["you"]),
        ("out/2", ["you"]),
    ]


def queued(folder: Path, kind: type[Out], flush_timeouts: dict[str, float]) -> Service:
    """Return a started service with a disk queue before each exporter, which has got one batch."""
    made = configuration({"traces": ([], [*flush_timeouts])}, out=kind)
    exporters = {}
    for id_, seconds in flush_timeouts.items():
        queue = SendingQueueConfig(directory=str(folder), batch=BatchConfig(flush_timeout=seconds))
        exporters[id_] = replace(made.exporters[id_], config=ExporterConfig(sending_queue=queue))
    service = Service(replace(made, exporters=exporters))
    service.start()
    In.made[0].consume(spans("hello"))
    return service


def test_all_queues_are_emptied_at_the_same_time(tmp_path):
    other_delivered = Event()

    class Waiting(Out):
        def export(self, batch: Batch) -> None:
            if self.host.id == "out/first":
                other_delivered.set()
            elif not other_delivered.wait(30):
                raise Retryable("the other one did not deliver")
            super().export(batch)

    queued(tmp_path, Waiting, {"out/first": 3600.0, "out/last": 3600.0}).stop()

    assert sorted(id_ for id_, _ in Out.sent) == ["out/first", "out/last"]


def test_exporters_that_hang_have_one_deadline_together(tmp_path, monkeypatch):
    monkeypatch.setattr("collector.service.SHUTDOWN_SECONDS", 0.1)
    monkeypatch.setattr("collector.service.GRACE_SECONDS", 0.05)
    monkeypatch.setattr("collector.outbox.GRACE_SECONDS", 0.05)
    let_go = Event()
    hanging = Semaphore(0)

    class Hanging(Out):
        def export(self, batch: Batch) -> None:
            hanging.release()
            let_go.wait(120)

    service = queued(tmp_path, Hanging, {"out/first": 0.01, "out/last": 0.01})
    for _ in range(2):
        hanging.acquire(timeout=10)
    stopping = Thread(target=service.stop)
    stopping.start()
    stopping.join(20)
    hung = stopping.is_alive()
    let_go.set()
    stopping.join()

    assert not hung, "it waited for a delivery that does not end"


def test_stopping_takes_no_longer_than_the_documentation_and_the_manifests_allow():
    root = Path(__file__).parents[2]
    said = f"{SHUTDOWN_SECONDS:.0f} seconds"

    assert GRACE_SECONDS < SHUTDOWN_SECONDS
    for page in ("docs/deploy.md", "docs/operations.md", "deploy/compose.yaml"):
        assert said in (root / page).read_text(), page
    for file, given in {
        "deploy/compose.yaml": r"stop_grace_period: (\d+)s",
        "deploy/systemd/genai-collector.service": r"TimeoutStopSec=(\d+)",
        "deploy/kubernetes/genai-collector.yaml": r"terminationGracePeriodSeconds: (\d+)",
    }.items():
        assert [int(seconds) >= 2 * SHUTDOWN_SECONDS for seconds in re.findall(given, (root / file).read_text())] == [
            True
        ]


def test_a_component_that_cannot_start_is_named_and_the_others_are_stopped():
    service = Service(configuration({"traces": ([], ["out"])}, out=Broken))

    with pytest.raises(StartError, match="exporter out cannot start: the port is taken"):
        service.start()

    assert Noted.events == ["stop out"]


def test_a_taken_port_of_its_own_metrics_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        telemetry = TelemetryConfig.model_validate({"metrics": {"address": address}})
        service = Service(replace(configuration({"traces": ([], ["out"])}), telemetry=telemetry))

        with pytest.raises(
            StartError, match=f"^telemetry cannot start: .*address: cannot listen on {address}: .*; stop"
        ):
            service.start()


def test_loggers_made_before_logging_is_configured_follow_the_configuration(capsys):
    log = Host("out/1").log
    try:
        configure_logging(TelemetryConfig.model_validate({"logs": {"encoding": "json"}}))
        log.warning("late")
    finally:
        structlog.reset_defaults()

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["component"], line["level"]) == ("late", "out/1", "warning")


def test_a_signal_that_no_pipeline_takes_is_refused_for_good():
    service = Service(configuration({"traces": ([], ["out"])}))
    service.start()
    with pytest.raises(Permanent, match="no pipeline takes logs"):
        In.made[0].consume(Batch("x", Signal.LOGS, {"records": spans("a").main}))
    service.stop()


def test_without_a_queue_the_client_hears_of_the_failure():
    class Down(Out):
        def export(self, batch: Batch) -> None:
            raise Retryable("down")

    service = Service(configuration({"traces": ([], ["out"])}, out=Down))
    service.start()
    with pytest.raises(Retryable, match="down"):
        In.made[0].consume(spans("a"))
    service.stop()
