"""The one place of durability: batches wait here, on disk, until their exporter has taken them.

    put ──commit──> [b1 b2 b3 b4 b5]  ──seal──>  parcel 7 = b1 b2 b4  ──export──> finished
     │                                              │
     └ returns: the client hears "accepted"         └ Retryable: the same parcel again, later
                                                      Permanent: halved until the poison is found; dead letters

Neighbours of one signal travel as one parcel. Its members are committed before it is sent, so whatever happens
a replay is the same rows under the same name, and a store that remembers names keeps them once.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Event, Lock, Thread
from time import monotonic
from typing import Protocol

from collector.batch import Batch, Signal, concat
from collector.component import Exporter, ExporterConfig
from collector.delivery import Delivery, Interrupted
from collector.errors import Divided, Retryable
from collector.gather import Gather
from collector.journal import DeadLetter, Entry, Journal, NewEntry

PARCEL_BYTES = 20 * 1024**2
"""Bytes of memory after which a parcel is full, whatever its number of items."""

_CACHE_BYTES = 16 * 1024**2
_COMMIT_BYTES = 64 * 1024**2


class Outlet(Protocol):
    """Is where a pipeline ends: an exporter, with or without a queue before it."""

    def put(self, batches: Sequence[Batch]) -> None:
        """Take the batches for good, all or none, or raise `Retryable` or `Permanent`."""

    def start(self) -> None:
        """Start the exporter and its delivery."""

    def stop(self, patience: float) -> None:
        """Deliver what waits for at most *patience* seconds, then release everything."""


@dataclass(frozen=True, slots=True)
class _New:
    """Is a batch on its way into the journal."""

    batch: Batch
    entry: NewEntry


@dataclass(slots=True)
class _Queue:
    """Holds what waits of one signal, oldest first."""

    entries: list[Entry] = field(default_factory=list)
    rows: int = 0
    memory: int = 0
    since: float = 0.0

    def add(self, entry: Entry) -> None:
        if not self.entries:
            self.since = monotonic()
        self.entries.append(entry)
        self.rows += entry.rows
        self.memory += entry.memory

    def cut(self, max_rows: int) -> list[Entry]:
        """Remove and return the oldest entries that make one parcel."""
        count = rows = memory = 0
        for entry in self.entries:
            if count and (rows + entry.rows > max_rows or memory + entry.memory > PARCEL_BYTES):
                break
            count, rows, memory = count + 1, rows + entry.rows, memory + entry.memory
        taken, self.entries = self.entries[:count], self.entries[count:]
        self.rows -= rows
        self.memory -= memory
        self.since = monotonic()
        return taken


class Outbox:
    """Stands before one exporter; see the module's drawing."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.host = exporter.host
        self.config: ExporterConfig = exporter.config
        self._log = exporter.host.log
        self._journal: Journal | None = None
        self._journal_lock = Lock()
        self._arrived = Condition()
        self._share_commit = Gather(self._commit, _size_of, _COMMIT_BYTES)
        self._queues: dict[Signal, _Queue] = {}
        self._sealed: list[tuple[int, list[Entry]]] = []
        self._cache: dict[int, Batch] = {}
        self._cached = 0
        self._size = 0
        self._stopping = Event()
        self._delivery = Delivery(exporter, self._bury, self._stopping)
        self._give_up = Event()
        self._thread: Thread | None = None

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Open the file, take up what an earlier run left, start the exporter and the delivering thread."""
        queue = self.config.sending_queue
        name = self.host.id.replace("/", "_") + ".sqlite"
        path = self.host.base / queue.directory / name if queue.storage == "disk" else None
        self._journal = Journal(path)
        self._resume(self._journal.waiting())
        self.exporter.start()
        self._thread = Thread(target=self._run, name=f"outbox {self.host.id}", daemon=True)
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Deliver what waits for at most *patience* seconds; the rest stays on disk for the next start."""
        self._stopping.set()
        with self._arrived:
            self._arrived.notify_all()
        if self._thread is not None:
            self._thread.join(patience)
            self._give_up.set()
            self._thread.join(self.config.timeout)
            self._thread = None
        self.exporter.stop()
        if self._journal is not None:
            self._report_rest()
            self._journal.close()
            self._journal = None

    def _resume(self, entries: Sequence[Entry]) -> None:
        sealed: dict[int, list[Entry]] = {}
        for entry in entries:
            self._size += entry.size
            if entry.parcel is None:
                self._queues.setdefault(entry.signal, _Queue()).add(entry)
            else:
                sealed.setdefault(entry.parcel, []).append(entry)
        self._sealed = sorted(sealed.items())
        self._gauges()

    def _report_rest(self) -> None:
        rest = sum(len(queue.entries) for queue in self._queues.values()) + len(self._sealed)
        if rest and self.config.sending_queue.storage == "memory":
            self._log.error("undelivered batches are lost with the memory queue", batches=rest)
        elif rest:
            self._log.info("undelivered batches stay in the outbox for the next start", batches=rest)

    # ------------------------------------------------------------------ in

    def put(self, batches: Sequence[Batch]) -> None:
        """Return once the batches are on disk; raise `Retryable` when the outbox is full or the disk fails.

        A batch whose id was taken before is not stored again; raises `Divided` when that holds for some of the
        requests that a batch was made of.
        """
        journal = self._opened
        wanted = [batch for batch in batches if batch.signal in self.exporter.consumes and batch.rows]
        wanted = [batch for batch in wanted if journal.known(_members(batch)) < len(_members(batch))]
        if not wanted:
            return
        self._refuse_when_full()
        refusal = self._share_commit([self._new(batch) for batch in wanted])
        if refusal is not None:
            raise refusal

    def _new(self, batch: Batch) -> _New:
        memory = batch.nbytes
        body = batch.dump() if self.config.sending_queue.storage == "disk" else None
        size = memory if body is None else len(body)
        return _New(batch, NewEntry(batch.id, _members(batch), batch.signal, batch.rows, size, memory, body))

    def _refuse_when_full(self) -> None:
        limit = self.config.sending_queue.queue_size
        if self._size >= limit:
            self.host.metrics.count("otelcol_exporter_enqueue_failed_requests", 1, exporter=self.host.id)
            raise Retryable(
                f"the outbox of exporter {self.host.id} is full ({self._size} of {limit} bytes wait)", after=5.0
            )

    def _commit(self, calls: Sequence[Sequence[_New]]) -> list[Retryable | None]:
        """Write what several callers bring in one transaction and return what each shall hear."""
        answers: list[Retryable | None] = []
        chosen: list[_New] = []
        fresh: set[str] = set()
        try:
            with self._journal_lock:
                for call in calls:
                    taken = [self._taken(new, fresh) for new in call]
                    if any(0 < count < len(new.entry.members) for new, count in zip(call, taken, strict=True)):
                        text = "some of these requests were taken before; send them one by one"
                        answers.append(Divided(text, after=0.0))
                        continue
                    untaken = [new for new, count in zip(call, taken, strict=True) if not count]
                    answers.append(None)
                    chosen += untaken
                    fresh.update(member for new in untaken for member in new.entry.members)
                added = self._opened.add([new.entry for new in chosen]) if chosen else []
        except sqlite3.Error as error:
            self._log.error("the outbox cannot write", error=str(error))
            refusal = Retryable(f"the outbox of exporter {self.host.id} cannot write: {error}", after=5.0)
            return [refusal] * len(calls)
        with self._arrived:
            for new, entry in zip(chosen, added, strict=True):
                self._size += entry.size
                self._queues.setdefault(entry.signal, _Queue()).add(entry)
                self._keep(entry, new.batch)
            self._gauges()
            self._arrived.notify()
        return answers

    def _taken(self, new: _New, fresh: set[str]) -> int:
        """Return how many of the requests that the batch was made of were taken before, *fresh* ones included."""
        return self._opened.known(new.entry.members) + len(fresh.intersection(new.entry.members))

    def _keep(self, entry: Entry, batch: Batch) -> None:
        """Keep the columns at hand while there is room, so that the delivery need not read them back."""
        if self.config.sending_queue.storage == "disk" and self._cached + entry.memory > _CACHE_BYTES:
            return
        self._cache[entry.seq] = Batch(batch.id, batch.signal, batch.tables)
        self._cached += entry.memory

    # ------------------------------------------------------------------ out

    def _run(self) -> None:
        while not self._give_up.is_set():
            try:
                parcel = self._next_parcel()
                if parcel is None:
                    return
                self._deliver(*parcel)
            except Interrupted:
                return
            except Exception:
                self._log.exception("the outbox met a bug; it goes on in a moment")
                self._give_up.wait(1.0)

    def _next_parcel(self) -> tuple[int, list[Entry]] | None:
        """Wait for enough to send and seal it; None when stopping and nothing is left."""
        if self._sealed:
            return self._sealed[0]
        with self._arrived:
            while True:
                ready, wait = self._ready()
                if ready is not None:
                    break
                if self._stopping.is_set():
                    return None
                self._arrived.wait(wait)
            entries = ready.cut(self.config.sending_queue.batch.max_size)
        with self._journal_lock:
            number = self._opened.seal(entries)
        self._sealed.append((number, entries))
        return number, entries

    def _ready(self) -> tuple[_Queue | None, float | None]:
        """Return the queue to deliver from now, or how long until one may be ready."""
        batching = self.config.sending_queue.batch
        queues = sorted((queue for queue in self._queues.values() if queue.entries), key=lambda queue: queue.since)
        wait = None
        for queue in queues:
            age = monotonic() - queue.since
            full = queue.rows >= batching.min_size or queue.memory >= PARCEL_BYTES
            if full or age >= batching.flush_timeout or self._stopping.is_set():
                return queue, None
            wait = min(batching.flush_timeout - age, wait or batching.flush_timeout)
        return None, wait

    @property
    def _opened(self) -> Journal:
        if self._journal is None:
            raise Retryable(f"exporter {self.host.id} is not running", after=1.0)
        return self._journal

    def _deliver(self, number: int, entries: Sequence[Entry]) -> None:
        whole = self._join(f"{self._opened.writer}-{number}", entries)
        if self.config.sending_queue.storage == "disk":
            # A delivery may wait for long; its columns need not be held twice meanwhile.
            self._forget(entries)
        if whole is not None:
            self._delivery.send(whole)
        with self._journal_lock:
            self._opened.finish(number)
        self._sealed = [parcel for parcel in self._sealed if parcel[0] != number]
        self._forget(entries)
        with self._arrived:
            self._size -= sum(entry.size for entry in entries)
            self._gauges()

    def _join(self, name: str, entries: Sequence[Entry]) -> Batch | None:
        batches = [batch for entry in entries if (batch := self._load(entry)) is not None]
        return concat(name, batches) if batches else None

    def _forget(self, entries: Sequence[Entry]) -> None:
        with self._arrived:
            for entry in entries:
                if self._cache.pop(entry.seq, None) is not None:
                    self._cached -= entry.memory

    def _load(self, entry: Entry) -> Batch | None:
        batch = self._cache.get(entry.seq)
        if batch is not None:
            return batch
        with self._journal_lock:
            body = self._opened.body(entry.seq)
        try:
            return Batch.load(body)
        except ValueError as error:
            reason = f"unreadable in the outbox: {error}"
            self._delivery.bury(DeadLetter(entry.id, self.host.clock(), entry.signal, entry.rows, reason, body))
            return None

    def _bury(self, letter: DeadLetter) -> None:
        with self._journal_lock:
            self._opened.bury(letter)

    # ------------------------------------------------------------------ figures

    def _gauges(self) -> None:
        metrics = self.host.metrics
        metrics.gauge("otelcol_exporter_queue_size", self._size, exporter=self.host.id)
        metrics.gauge("otelcol_exporter_queue_capacity", self.config.sending_queue.queue_size, exporter=self.host.id)


def _members(batch: Batch) -> tuple[str, ...]:
    """Return the ids that tell whether a batch was taken before: of its requests, or its own."""
    return batch.members or (batch.id,)


def _size_of(call: Sequence[_New]) -> int:
    return sum(new.entry.size for new in call)


class Direct:
    """Is an exporter without a queue: the client waits for the delivery and hears how it went."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self._lock = Lock()

    def start(self) -> None:
        """Start the exporter."""
        self.exporter.start()

    def stop(self, patience: float) -> None:  # noqa: ARG002 - nothing ever waits here
        """Stop the exporter."""
        self.exporter.stop()

    def put(self, batches: Sequence[Batch]) -> None:
        """Deliver the batches now, one at a time; what the exporter raises goes to the client."""
        with self._lock:
            for batch in batches:
                if batch.signal in self.exporter.consumes and batch.rows:
                    self.exporter.export(batch)
