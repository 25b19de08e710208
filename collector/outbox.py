"""The one place of durability: batches wait here, on disk, until their exporter has taken them.

    put ──commit──> [b1 b2 b3 b4 b5]  ──seal──>  parcel 7 = b1 b2 b4  ──export──> finished
     │                                              │
     └ returns: the client hears "accepted"         └ Retryable: the same parcel again, later
                                                      Permanent: halved until the poison is found; dead letters

Neighbours of one signal travel as one parcel. Its members are committed before it is sent, so whatever happens
a replay is the same rows under the same name, and a store that remembers names keeps them once.
"""

import math
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Event, Lock, Thread
from time import monotonic
from typing import TypeVar

from collector.batch import Batch, Signal, content_id
from collector.component import Exporter, ExporterConfig
from collector.delivery import Delivery, Interrupted
from collector.errors import Divided, Retryable
from collector.gather import Gather
from collector.journal import Entry, Journal, NewEntry
from collector.letters import DeadLetter
from collector.memory import Note
from collector.outlet import GRACE_SECONDS
from collector.parcel import PARCEL_BYTES, Queue, joined
from collector.queue_file import file_of

_CACHE_BYTES = PARCEL_BYTES
_COMMIT_BYTES = 64 * 1024**2
_AGAIN_SECONDS = 1.0
"""How long to wait before something is tried again that failed in here, not at the other side."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _New:
    """Is what became of some requests, on its way into the journal."""

    batches: Sequence[Batch]
    entries: Sequence[NewEntry]
    requests: Sequence[str]
    notes: Sequence[Note]

    @property
    def size(self) -> int:
        """Bytes that it will take on disk."""
        return sum(entry.size for entry in self.entries) + sum(len(note.data) for note in self.notes)


class Outbox:
    """Stands before one exporter; see the module's drawing."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self.host = exporter.host
        self.config: ExporterConfig = exporter.config
        self.lasting = self.config.sending_queue.storage == "disk"
        self._log = exporter.host.log
        self._journal: Journal | None = None
        self._journal_lock = Lock()
        self._arrived = Condition()
        self._share_commit = Gather(self._commit, lambda new: new.size, _COMMIT_BYTES)
        self._queues: dict[Signal, Queue] = {}
        self._sealed: list[tuple[int, list[Entry]]] = []
        self._cache: dict[int, Batch] = {}
        self._cached = 0
        self._size = 0
        self._refused: list[DeadLetter] = []
        self._dead = self._dead_size = 0
        self._lacks_room = False
        self._stopping = Event()
        self._delivery = Delivery(exporter, self._bury, self._stopping)
        self._until = math.inf
        self._thread: Thread | None = None

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Open the file, take up what an earlier run left, start the exporter and the delivering thread."""
        self._journal = Journal(file_of(self.host.id, self.config, self.host.base))
        self._dead, self._dead_size = self._journal.letters.total()
        self._set_lacks_room(False)
        self._resume(self._journal.waiting())
        if self._dead:
            self._log.warning(
                "there are dead letters: what the other side refused for good",
                letters=self._dead,
                bytes=self._dead_size,
                hint="genai-collector dead-letters list --config FILE shows them",
            )
        self.exporter.start()
        self._thread = Thread(target=self._run, name=f"outbox {self.host.id}", daemon=True)
        self._thread.start()

    def drain(self, patience: float) -> None:
        """Deliver what waits at once, and begin no parcel after *patience* seconds; the first call counts."""
        if not self._stopping.is_set():
            self._until = monotonic() + patience
        self._stopping.set()
        with self._arrived:
            self._arrived.notify_all()

    def stop(self, patience: float) -> None:
        """Deliver what waits for at most *patience* seconds; the rest stays on disk for the next start."""
        self.drain(patience)
        if self._thread is not None:
            self._thread.join(max(0.0, self._until + GRACE_SECONDS - monotonic()))
        if self._thread is None or not self._thread.is_alive():
            self._thread = None
            self.exporter.stop()
        else:  # it uses the exporter, which ends with the process
            self._log.warning("a delivery did not end in time; it is made again after the next start")
        with self._journal_lock:
            journal, self._journal = self._journal, None
        if journal is not None:
            self._report_rest()
            journal.close()

    def _resume(self, entries: Sequence[Entry]) -> None:
        sealed: dict[int, list[Entry]] = {}
        for entry in entries:
            self._size += entry.size
            if entry.parcel is None:
                self._queues.setdefault(entry.signal, Queue()).add(entry)
            else:
                sealed.setdefault(entry.parcel, []).append(entry)
        self._sealed = sorted(sealed.items())
        self._gauges()

    def _report_rest(self) -> None:
        rest = sum(len(queue.entries) for queue in self._queues.values()) + len(self._sealed)
        if self._dead and not self.lasting:
            self._log.error("dead letters are lost with the memory queue", letters=self._dead)
        if rest and not self.lasting:
            self._log.error("undelivered batches are lost with the memory queue", batches=rest)
        elif rest:
            self._log.info("undelivered batches stay in the outbox for the next start", batches=rest)

    # ------------------------------------------------------------------ in

    def put(self, batches: Sequence[Batch], requests: Sequence[str] = (), notes: Sequence[Note] = ()) -> bool:
        """Return once the batches and notes are on disk; raise `Retryable` when it is full or the disk fails.

        *requests* are the ids of what the batches were made of, by default those of the batches. When they were taken
        before nothing is stored and False returned; raises `Divided` when that holds for some of them.
        """
        wanted = [batch for batch in batches if batch.signal in self.exporter.consumes and batch.rows]
        requests = requests or [request for batch in wanted for request in batch.requests]
        if not wanted and not notes:
            return True
        if self._opened.known(requests) == len(requests):
            return False
        self._refuse_when_full()
        answer = self._share_commit(_New(wanted, [self._new(batch) for batch in wanted], requests, notes))
        if isinstance(answer, Retryable):
            raise answer
        return answer

    def notes(self, owner: str) -> Sequence[bytes]:
        """Return what *owner* remembers, oldest first."""
        with self._journal_lock:
            return self._opened.notes(owner, self.host.clock())

    def _new(self, batch: Batch) -> NewEntry:
        memory = batch.nbytes
        body = batch.dump() if self.lasting else None
        return NewEntry(batch.id, batch.signal, batch.rows, memory if body is None else len(body), memory, body)

    def _refuse_when_full(self) -> None:
        limit = self.config.sending_queue.queue_size
        if self._size >= limit:
            self.host.metrics.count("otelcol_exporter_enqueue_failed_requests", 1, exporter=self.host.id)
            raise Retryable(
                f"the outbox of exporter {self.host.id} is full ({self._size} of {limit} bytes wait)", after=5.0
            )

    def _commit(self, calls: Sequence[_New]) -> list[bool | Retryable]:
        """Write what several callers bring in one transaction and return what each shall hear."""
        try:
            with self._journal_lock:
                answers, chosen = self._choose(calls)
                added = self._add(chosen) if chosen else []
        except sqlite3.Error as error:
            self._log.error("the outbox cannot write", error=str(error))
            refusal = Retryable(f"the outbox of exporter {self.host.id} cannot write: {error}", after=5.0)
            return [refusal] * len(calls)
        batches = [batch for new in chosen for batch in new.batches]
        with self._arrived:
            for batch, entry in zip(batches, added, strict=True):
                self._size += entry.size
                self._queues.setdefault(entry.signal, Queue()).add(entry)
                self._keep(entry, batch)
            self._gauges()
            self._arrived.notify()
        if chosen:
            self._clean()
        return answers

    def _choose(self, calls: Sequence[_New]) -> tuple[list[bool | Retryable], list[_New]]:
        """Return what each caller shall hear, and what is new of what they bring."""
        answers: list[bool | Retryable] = []
        chosen: list[_New] = []
        fresh: set[str] = set()
        for call in calls:
            taken = self._opened.known(call.requests) + len(fresh.intersection(call.requests))
            if 0 < taken < len(call.requests):
                answers.append(Divided("some of these requests were taken before; send them one by one", after=0.0))
                continue
            answers.append(not taken)
            if not taken:
                chosen.append(call)
                fresh.update(call.requests)
        return answers, chosen

    def _add(self, chosen: Sequence[_New]) -> list[Entry]:
        return self._opened.add(
            [entry for new in chosen for entry in new.entries],
            [request for new in chosen for request in new.requests],
            [note for new in chosen for note in new.notes],
        )

    def _clean(self) -> None:
        """Let the journal forget what is out of date; what was taken stays taken if it cannot."""
        try:
            with self._journal_lock:
                self._opened.clean(self.host.clock())
        except Exception as error:
            self._log.warning("the outbox could not remove what is out of date", error=str(error))

    def _keep(self, entry: Entry, batch: Batch) -> None:
        """Keep the columns at hand while there is room, so that the delivery need not read them back."""
        if self.lasting and self._cached + entry.memory > _CACHE_BYTES:
            return
        self._cache[entry.seq] = Batch(batch.id, batch.signal, batch.tables)
        self._cached += entry.memory

    # ------------------------------------------------------------------ out

    def _run(self) -> None:
        while True:
            try:
                parcel = self._next_parcel()
                if parcel is None or monotonic() >= self._until:
                    return
                self._deliver(*parcel)
            except Interrupted:
                return
            except Exception:
                if self._journal is None:  # closed, as this took too long
                    return
                self._log.exception("the outbox met a bug; it goes on in a moment")
                if self._stopping.wait(_AGAIN_SECONDS):
                    return

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
            entries = ready.first(self.config.sending_queue.batch.max_size)
        number = self._patiently(lambda journal: journal.seal(entries))
        with self._arrived:
            ready.remove(entries)
        self._sealed.append((number, entries))
        return number, entries

    def _ready(self) -> tuple[Queue | None, float | None]:
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

    def _patiently(self, use: Callable[[Journal], T]) -> T:
        """Return what *use* does with the journal once the disk lets it; raise `Interrupted` when stopping."""
        while True:
            try:
                with self._journal_lock:
                    return use(self._opened)
            except sqlite3.Error as error:
                self._log.error("the disk of the outbox fails, deliveries wait for it", error=str(error))
                with self._journal_lock:
                    self._opened.relieve()
            if self._stopping.wait(_AGAIN_SECONDS):
                raise Interrupted

    @property
    def _opened(self) -> Journal:
        if self._journal is None:
            raise Retryable(f"exporter {self.host.id} is not running", after=1.0)
        return self._journal

    def _deliver(self, number: int, entries: Sequence[Entry]) -> None:
        self._refused = []
        pieces = self._join(entries[0].name or f"{self._opened.writer}-{number}", entries)
        if self.lasting:
            # A delivery may wait for long; its columns need not be held twice meanwhile.
            self._forget(entries)
        for piece in pieces:
            self._delivery.send(piece)
        self._patiently(lambda journal: journal.finish(number, self._refused))
        self._sealed = [parcel for parcel in self._sealed if parcel[0] != number]
        self._forget(entries)
        with self._arrived:
            self._size -= sum(entry.size for entry in entries)
            self._dead += len(self._refused)
            self._dead_size += sum(len(letter.body) for letter in self._refused)
            self._gauges()
        self._set_lacks_room(False)

    def _join(self, name: str, entries: Sequence[Entry]) -> list[Batch]:
        loaded = [(entry.seq, batch) for entry in entries if (batch := self._load(entry)) is not None]
        return joined(name, loaded)

    def _forget(self, entries: Sequence[Entry]) -> None:
        with self._arrived:
            for entry in entries:
                if self._cache.pop(entry.seq, None) is not None:
                    self._cached -= entry.memory

    def _load(self, entry: Entry) -> Batch | None:
        batch = self._cache.get(entry.seq)
        if batch is not None:
            return batch
        body = self._patiently(lambda journal: journal.body(entry.seq))
        try:
            return Batch.load(body)
        except ValueError as error:
            name = content_id(f"{entry.id}/{entry.seq}".encode())
            reason = f"unreadable in the outbox: {error}"
            letter = DeadLetter(name, self.host.clock(), entry.signal, entry.rows, reason, body)
        while not self._delivery.bury(letter):
            self._delivery.wait_for_room()
        return None

    def _bury(self, letter: DeadLetter) -> bool:
        """Keep a letter until its parcel is done with; return False when there is no room for it."""
        size = self._dead_size + sum(len(one.body) for one in self._refused)
        if size < self.config.sending_queue.dead_letters_size:
            self._refused.append(letter)
            return True
        if not self._lacks_room:
            self._set_lacks_room(True)
            do = (
                "genai-collector dead-letters resend (or drop) --config FILE, when the collector is stopped, makes room"
            )
            self._log.error(
                "no room among the dead letters: what is refused for good waits in the queue and is tried again",
                signal=letter.signal,
                rows=letter.rows,
                reason=letter.reason[:500],
                bytes=size,
                hint=do if self.lasting else "a memory queue keeps them until the process ends",
            )
        return False

    def _set_lacks_room(self, lacks: bool) -> None:
        self._lacks_room = lacks
        self.host.metrics.gauge("otelcol_exporter_dead_letters_full", int(lacks), exporter=self.host.id)

    # ------------------------------------------------------------------ figures

    def _gauges(self) -> None:
        metrics = self.host.metrics
        metrics.gauge("otelcol_exporter_queue_size", self._size, exporter=self.host.id)
        metrics.gauge("otelcol_exporter_queue_capacity", self.config.sending_queue.queue_size, exporter=self.host.id)
        metrics.gauge("otelcol_exporter_dead_letters", self._dead, exporter=self.host.id)
        metrics.gauge("otelcol_exporter_dead_letters_bytes", self._dead_size, exporter=self.host.id)
        capacity = self.config.sending_queue.dead_letters_size
        metrics.gauge("otelcol_exporter_dead_letters_capacity", capacity, exporter=self.host.id)
