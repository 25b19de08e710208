"""The dead letters of an outbox: what an exporter refused for good, kept with the reason until somebody decides.

    parcel delivered ──one transaction──> parcel forgotten, its refused parts kept here
                                            ├─ resend ──> a parcel of its own again, under the same name
                                            └─ drop

A letter appears when its parcel is done with, never before: while a parcel may be sent again, so may what is refused
of it, and a letter that somebody resends meanwhile would be there twice.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from collector.batch import Signal


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Is what an exporter refused for good: *at* in seconds since 1970, *body* as `Batch.dump` wrote it."""

    id: str
    at: float
    signal: Signal
    rows: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """Describes a letter that is kept, *size* being the bytes of its body."""

    seq: int
    id: str
    at: float
    signal: Signal
    rows: int
    size: int
    reason: str


class Letters:
    """Reads and writes the table ``dead_letters``; who writes opens the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def kept(self) -> list[Kept]:
        """Describe every letter, oldest first."""
        rows = self._connection.execute(
            "SELECT seq, id, at, signal, rows, length(body), reason FROM dead_letters ORDER BY seq"
        )
        return [Kept(seq, id_, at, Signal(signal), *rest) for seq, id_, at, signal, *rest in rows]

    def total(self) -> tuple[int, int]:
        """Return how many there are, and their bytes."""
        row = self._connection.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM dead_letters").fetchone()
        return int(row[0]), int(row[1])

    def body(self, seq: int) -> bytes:
        """Return the dumped bytes of a letter."""
        row = self._connection.execute("SELECT body FROM dead_letters WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else b""

    def keep(self, letters: Iterable[DeadLetter]) -> None:
        """Add letters; one that is there already stays as it is."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO dead_letters (id, at, signal, rows, reason, body) VALUES (?, ?, ?, ?, ?, ?)",
            [(one.id, one.at, one.signal, one.rows, one.reason, one.body) for one in letters],
        )

    def remove(self, seqs: Iterable[int]) -> None:
        """Delete letters."""
        self._connection.executemany("DELETE FROM dead_letters WHERE seq = ?", [(seq,) for seq in seqs])
