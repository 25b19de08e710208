"""Sending one parcel until the other side has it: waiting and trying again, halving what is refused.

Retryable: the same batch again, later and later. Permanent: the batch is halved until the poison rows are found;
they go to the dead letters with the reason, and the rest is delivered.
"""

import random
from collections.abc import Callable
from threading import Event
from time import monotonic

from collector.batch import UNITS, Batch, Signal
from collector.component import Exporter, ExporterConfig
from collector.errors import Permanent, Retryable
from collector.journal import DeadLetter

_MOST_REFUSALS = 64
"""After so many refusals within one piece of a parcel what is still undelivered is not halved further."""


class Interrupted(Exception):
    """Ends a delivery in the middle of a wait, because the collector stops."""


class Delivery:
    """Stands between an outbox and its exporter; *bury* keeps a dead letter for good."""

    def __init__(self, exporter: Exporter, bury: Callable[[DeadLetter], None], stopping: Event) -> None:
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
            try:
                self._send_until_taken(part)
                self._count("sent", part.signal, part.rows)
            except Permanent as refusal:
                refusals += 1
                todo.extend(self._refused(part, refusal, refusals))

    def bury(self, letter: DeadLetter) -> None:
        """Keep what was refused for good, and say so."""
        self._bury(letter)
        self._count("send_failed", letter.signal, letter.rows)
        self._log.error(
            "refused for good, kept among the dead letters",
            signal=letter.signal,
            rows=letter.rows,
            reason=letter.reason[:500],
        )

    def _refused(self, part: Batch, refusal: Permanent, refusals: int) -> list[Batch]:
        """Bury what is known to be refused and return the parts that are worth another try."""
        if refusal.rows is not None:
            self._count("sent", part.signal, part.rows - len(refusal.rows))
            part = part.take(refusal.rows)
        elif part.rows > 1 and refusals < _MOST_REFUSALS:
            middle = part.rows // 2
            return [part.take(range(middle, part.rows)), part.take(range(middle))]
        self.bury(DeadLetter(part.id, self.host.clock(), part.signal, part.rows, str(refusal), part.dump()))
        return []

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
