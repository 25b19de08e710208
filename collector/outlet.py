"""Where a pipeline ends: an exporter, with an outbox before it or without."""

import math
from collections.abc import Sequence
from threading import Lock
from time import monotonic
from typing import Protocol

from collector.batch import Batch
from collector.component import Exporter
from collector.errors import Retryable
from collector.memory import Note

GRACE_SECONDS = 5.0
"""How long a delivery that is under way when the patience ends may still take."""


class Outlet(Protocol):
    """Is where a pipeline ends: an exporter, with or without a queue before it."""

    exporter: Exporter
    lasting: bool
    """Whether notes put here are still known after a restart."""

    def put(self, batches: Sequence[Batch], requests: Sequence[str] = (), notes: Sequence[Note] = ()) -> bool:
        """Take what became of the *requests* for good, all or none, or raise `Retryable` or `Permanent`.

        Return whether it is new: False when these requests were taken before, and so nothing was done.
        """

    def notes(self, owner: str) -> Sequence[bytes]:
        """Return what *owner* remembers, oldest first."""

    def start(self) -> None:
        """Start the exporter and its delivery."""

    def drain(self, patience: float) -> None:
        """Begin to deliver what waits, for at most *patience* seconds, and return."""

    def stop(self, patience: float) -> None:
        """Drain, unless that was begun before, wait for its end, `GRACE_SECONDS` more at most, release everything."""


class Direct:
    """Is an exporter without a queue: the client waits for the delivery and hears how it went."""

    lasting = False

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter
        self._lock = Lock()
        self._until = math.inf

    def start(self) -> None:
        """Start the exporter."""
        self.exporter.start()

    def drain(self, patience: float) -> None:  # noqa: ARG002 - nothing ever waits here
        """Begin no delivery any more; the first call counts."""
        self._until = min(self._until, monotonic() + GRACE_SECONDS)

    def stop(self, patience: float) -> None:
        """Stop the exporter once the delivery under way has ended, within `GRACE_SECONDS`."""
        self.drain(patience)
        if self._lock.acquire(timeout=max(0.0, self._until - monotonic())):
            try:
                self.exporter.stop()
            finally:
                self._lock.release()
        else:  # it uses the exporter, which ends with the process
            self.exporter.host.log.warning("a delivery did not end in time; its client has to send it again")

    def put(self, batches: Sequence[Batch], requests: Sequence[str] = (), notes: Sequence[Note] = ()) -> bool:  # noqa: ARG002
        """Deliver the batches now, one at a time; what the exporter raises goes to the client. Notes are not kept."""
        with self._lock:
            if self._until < math.inf:
                raise Retryable(f"exporter {self.exporter.host.id} is not running", after=1.0)
            for batch in batches:
                if batch.signal in self.exporter.consumes and batch.rows:
                    for piece in self.exporter.divide(batch):
                        self.exporter.export(piece)
        return True

    def notes(self, owner: str) -> Sequence[bytes]:  # noqa: ARG002 - nothing is ever kept here
        """Return nothing: without a queue nothing outlives the process."""
        return ()
