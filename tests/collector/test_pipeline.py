"""The pipeline: what processors learn stands or falls with the batch that they learned it from."""

from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Exporter, ExporterConfig, Host, Processor, SendingQueueConfig
from collector.errors import Retryable
from collector.memory import Notebook
from collector.outbox import Outbox
from collector.outlet import Direct, Outlet
from collector.pipeline import Pipeline, remembering_last
from tests.batches import names_of, spans


class Counter(Processor):
    """Remembers every name it has seen, and lets each pass once."""

    remembers = True

    def start(self) -> None:
        self.seen = {note.decode() for note in self.host.memory.notes()}

    def process(self, batch: Batch) -> Iterable[Batch]:
        names = names_of(batch)
        fresh = [row for row, name in enumerate(names) if name not in self.seen]
        for row in fresh:
            self.seen.add(names[row])
            self.host.memory.note(names[row].encode(), self.host.clock() + 60)
            self.host.memory.undo(lambda name=names[row]: self.seen.discard(name))
        return [batch.take(fresh)]


class Keeper(Exporter):
    """Takes everything, unless *broken*."""

    consumes = frozenset(Signal)

    def __init__(self, config: ExporterConfig, host: Host) -> None:
        super().__init__(config, host)
        self.names: list[str] = []
        self.broken = False

    def export(self, batch: Batch) -> None:
        if self.broken:
            raise Retryable("not now")
        self.names += names_of(batch)


class SpanKeeper(Keeper):
    consumes = frozenset({Signal.TRACES})


def keeper(folder: Path, name: str = "keeper", kind: type[Keeper] = Keeper, **queue: object) -> Keeper:
    return kind(ExporterConfig(sending_queue=SendingQueueConfig(directory=str(folder), **queue)), Host(name))


class Running:
    """Is a pipeline with a processor that remembers, and its parts."""

    def __init__(self, outlets: list[Outlet]) -> None:
        outlets = remembering_last(outlets)
        self.outlets = outlets
        notebook = Notebook("counter")
        notebook.keep_in(outlets[-1])
        self.counter = Counter(ComponentConfig(), Host("counter", memory=notebook))
        self.pipeline = Pipeline(Host("traces"), [self.counter], outlets, [notebook])
        for outlet in outlets:
            outlet.start()
        self.counter.start()

    def stop(self) -> None:
        for outlet in self.outlets:
            outlet.stop(10)


def test_what_was_learned_is_known_after_a_restart(tmp_path):
    first = keeper(tmp_path)
    running = Running([Outbox(first)])
    running.pipeline.consume(spans("a", "b"))
    running.stop()
    second = keeper(tmp_path)
    again = Running([Outbox(second)])
    again.pipeline.consume(spans("b", "c"))
    again.stop()

    assert (first.names, second.names) == (["a", "b"], ["c"])


def test_nothing_was_learned_from_a_batch_that_was_refused(tmp_path):
    outbox = Outbox(keeper(tmp_path, queue_size=1))
    running = Running([outbox])
    outbox.exporter.broken = True
    running.pipeline.consume(spans("a"))
    with pytest.raises(Retryable, match="full"):
        running.pipeline.consume(spans("b"))

    assert running.counter.seen == {"a"}
    outbox.exporter.broken = False
    running.stop()
    assert outbox.exporter.names == ["a"]


def test_nothing_is_learned_twice_from_a_request_that_is_sent_again(tmp_path):
    running = Running([Outbox(keeper(tmp_path))])
    running.pipeline.consume(spans("a"))
    running.counter.seen.clear()
    running.pipeline.consume(spans("a"))
    running.stop()

    assert running.counter.seen == set()


def test_a_bug_in_a_processor_leaves_nothing_learned(tmp_path):
    class Failing(Counter):
        def process(self, batch: Batch) -> Iterable[Batch]:
            super().process(batch)
            raise ZeroDivisionError

    running = Running([Outbox(keeper(tmp_path))])
    running.pipeline.processors = (Failing(ComponentConfig(), running.counter.host),)
    running.pipeline.processors[0].start()
    with pytest.raises(ZeroDivisionError):
        running.pipeline.consume(spans("a"))
    running.stop()

    assert running.pipeline.processors[0].seen == set()


def test_batches_come_one_at_a_time_to_who_remembers(tmp_path):
    kept = keeper(tmp_path)
    running = Running([Outbox(kept)])
    in_hand: list[int] = []
    alone = []

    class Watched(Counter):
        def process(self, batch: Batch) -> Iterable[Batch]:
            in_hand.append(1)
            sleep(0.001)
            alone.append(len(in_hand) == 1)
            in_hand.pop()
            return super().process(batch)

    running.pipeline.processors = (Watched(ComponentConfig(), running.counter.host),)
    running.pipeline.processors[0].start()
    threads = [
        Thread(target=lambda turn=turn: [running.pipeline.consume(spans(f"{turn}.{n}", f"{n}")) for n in range(10)])
        for turn in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    running.stop()

    assert all(alone)
    assert sorted(kept.names) == sorted([f"{turn}.{n}" for turn in range(6) for n in range(10)] + list("0123456789"))


def test_notes_are_kept_by_the_last_outlet_alone(tmp_path):
    running = Running([Outbox(keeper(tmp_path, "whole")), Outbox(keeper(tmp_path, "plain", SpanKeeper))])
    running.pipeline.consume(spans("a"))
    first, last = running.outlets

    assert (first.exporter.host.id, first.notes("counter")) == ("plain", [])
    assert (last.exporter.host.id, last.notes("counter")) == ("whole", [b"a"])
    running.stop()


def test_notes_go_where_they_last_and_rollups_are_wanted(tmp_path):
    direct = Direct(keeper(tmp_path, "direct"))
    memory = Outbox(keeper(tmp_path, "memory", storage="memory"))
    plain = Outbox(keeper(tmp_path, "plain", SpanKeeper))
    whole = Outbox(keeper(tmp_path, "whole"))

    assert remembering_last([whole, direct, plain])[-1] is whole
    assert remembering_last([plain, whole])[-1] is whole
    assert remembering_last([plain, memory])[-1] is plain
    assert remembering_last([direct]) == [direct]


def test_only_what_every_outlet_had_taken_before_is_counted_as_repeated(tmp_path):
    first, second = Outbox(keeper(tmp_path, "first")), Outbox(keeper(tmp_path, "second"))
    pipeline = Pipeline(Host("traces"), [], [first, second])
    repeated = []
    first.start()
    with pytest.raises(Retryable, match="second is not running"):
        pipeline.consume(spans("a", "b"))
    second.start()
    for _ in range(2):
        pipeline.consume(spans("a", "b"))
        repeated.append(pipeline.metrics.value("genai_collector_repeated_spans", pipeline="traces"))
    for outlet in (first, second):
        outlet.stop(10)

    assert repeated == [0, 2]
    assert first.exporter.names == second.exporter.names == ["a", "b"]
