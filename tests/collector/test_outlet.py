"""collector/outlet.py: an exporter without a queue, and how it ends."""

from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from collector import outlet
from collector.batch import Batch
from collector.component import Exporter, ExporterConfig, Host
from collector.errors import Retryable
from collector.outlet import Direct
from tests.batches import spans


class Slow(Exporter):
    """Takes a batch when it is allowed to."""

    def __init__(self) -> None:
        super().__init__(ExporterConfig(), Host("slow"))
        self.begun, self.allowed = Event(), Event()
        self.events: list[str] = []

    def export(self, batch: Batch) -> None:
        self.begun.set()
        self.allowed.wait(60)
        self.events.append("taken")

    def stop(self) -> None:
        self.events.append("stopped")


@pytest.fixture
def slow():
    exporter = Slow()
    direct = Direct(exporter)
    direct.start()
    sender = Thread(target=direct.put, args=([spans("a")],))
    sender.start()
    exporter.begun.wait(60)
    yield direct
    exporter.allowed.set()
    sender.join()


def test_a_delivery_under_way_ends_before_its_exporter(slow):
    stopping = Thread(target=slow.stop, args=(0.0,))
    stopping.start()
    slow.exporter.allowed.set()
    stopping.join()

    assert slow.exporter.events == ["taken", "stopped"]
    with pytest.raises(Retryable, match="slow is not running"):
        slow.put([spans("b")])


def test_a_delivery_that_hangs_keeps_its_exporter_and_is_not_waited_for(slow, monkeypatch):
    monkeypatch.setattr(outlet, "GRACE_SECONDS", 0.01)
    with capture_logs() as lines:
        slow.stop(60.0)

    assert slow.exporter.events == []
    assert [line["event"] for line in lines] == ["a delivery did not end in time; its client has to send it again"]
