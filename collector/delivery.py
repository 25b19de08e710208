"""Sending one parcel until the other side has it: waiting and trying again, halving what is refused.

Retryable: the same batch again, later and later. Permanent: the batch is halved until the poison rows are found;
they go to the dead letters with the reason, and the rest is delivered. While there is no room among the dead letters,
what would go there is tried again, later: by then the other side may have changed its mind.
"""

import random
from collections.abc import Callable
from threading import Event
from time import monotonic

from collector.batch import UNITS, Batch, Signal
from collector.component import Exporter, ExporterConfig
from collector.errors import Permanent, Retryable
from collector.letters import DeadLetter
from collector.rows import trimmed

_MOST_REFUSALS = 64
"""After so many refusals within one piece of a parcel what is still undelivered is not halved further."""


class Interrupted(Exception):
    """Ends a delivery in the middle of a wait, because the collector stops."""


class Delivery:
    """Stands between an outbox and its exporter; *bury* takes a dead letter, or returns False for want of room."""

    def __init__(self, exporter: Exporter, bury: Callable[[DeadLetter], bool], stopping: Event) -> None:
        self.exporter = exporter
        self.host = exporter.host
        self.config: ExporterConfig = exporter.config
        self._bury = bury
        self._stopping = stopping
        self._log = exporter.host.log

    def send(self, batch: Batch) -> None:
        """Return when every row is delivered or buried; raise `Interrupted` when the collector stops first."""
        for piece in self.exporter.divide(batch):
            self._send_piece(piece)

    def _send_piece(self, piece: Batch) -> None:
        todo = [piece]
        refusals = 0
        while todo:
            part = todo.pop()
            refusal = self._refusal_of(part)
            if refusal is None:
                continue
            refusals += 1
            if refusal.rows is None and part.rows > 1 and refusals < _MOST_REFUSALS:
                middle = part.rows // 2
                todo += [part.take(range(middle, part.rows)), part.take(range(middle))]
            else:
                self._bury_or_send(part, refusal)

    def _refusal_of(self, part: Batch) -> Permanent | None:
        """Send a part and return None, or why it is refused for good."""
        try:
            self._send_until_taken(part)
        except Permanent as refusal:
            return refusal
        self._count("sent", part.signal, part.rows)
        return None

    def _bury_or_send(self, part: Batch, refusal: Permanent | None) -> None:
        """Bury what is known to be refused; while there is no room for it, try it again."""
        while refusal is not None:
            if refusal.rows is not None and len(refusal.rows) < part.rows:
                self._count("sent", part.signal, part.rows - len(refusal.rows))
                part = part.take(refusal.rows)
            body = trimmed(part).dump()
            if self.bury(DeadLetter(part.id, self.host.clock(), part.signal, part.rows, str(refusal), body)):
                return
            self.wait_for_room()
            refusal = self._refusal_of(part)

    def bury(self, letter: DeadLetter) -> bool:
        """Keep what was refused for good, and say so; return False when there is no room for it."""
        if not self._bury(letter):
            return False
        self._count("send_failed", letter.signal, letter.rows)
        self._log.error(
            "refused for good, kept among the dead letters",
            signal=letter.signal,
            rows=letter.rows,
            reason=letter.reason[:500],
        )
        return True

    def wait_for_room(self) -> None:
        """Wait before something that cannot be buried is tried again."""
        if self._stopping.wait(self._jitter(self.config.retry_on_failure.max_interval)):
            raise Interrupted

    def _send_until_taken(self, batch: Batch) -> None:
        retry = self.config.retry_on_failure
        started = monotonic()
        wait = retry.initial_interval
        while (refusal := self._try(batch)) is not None:
            tried = monotonic() - started
            if not retry.enabled or (retry.max_elapsed_time and tried > retry.max_elapsed_time):
                raise Permanent(f"given up after {tried:.0f} s: {refusal}", rows=range(batch.rows)) from refusal
            delay = max(refusal.after or 0.0, self._jitter(wait))
            self._log.warning("delivery failed, it will be tried again", error=str(refusal), after=round(delay, 1))
            wait = min(wait * retry.multiplier, retry.max_interval)
            if self._stopping.wait(delay):
                raise Interrupted

    def _try(self, batch: Batch) -> Retryable | None:
        """Return None when the exporter took the batch, or its wish to get it later."""
        try:
            self.exporter.export(batch)
        except Retryable as refusal:
            return refusal
        except Permanent:
            raise
        except Exception as bug:
            self._log.exception("the exporter met a bug")
            raise Permanent(f"{type(bug).__name__}: {bug}") from bug
        return None

    def _jitter(self, wait: float) -> float:
        share = self.config.retry_on_failure.randomization_factor
        return wait * random.uniform(1 - share, 1 + share)  # noqa: S311 - spreads retries, keeps no secret

    def _count(self, what: str, signal: Signal, rows: int) -> None:
        self.host.metrics.count(f"otelcol_exporter_{what}_{UNITS[signal]}", rows, exporter=self.host.id)
