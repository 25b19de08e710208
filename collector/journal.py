"""The file an outbox keeps: batches that wait, parcels on their way, names lately seen, dead letters.

One SQLite file in WAL mode with ``synchronous=full``: what `Journal.add` returned from is on the disk.

    batches       what waits, in order; ``name`` is null unless it is a letter sent again
    sealed        which of them make which parcel: to write that beside them would write their bodies anew
    recent        the requests lately taken, so that one sent again is not stored again
    notes         what processors remember, until when
    dead_letters  what was refused for good, with the reason (`collector.letters`)

Not thread-safe: its owner calls it under one lock.
"""

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from collector.batch import Signal
from collector.letters import DeadLetter, Letters
from collector.memory import Note

VERSION = 4
REMEMBERED = 100_000
"""How many requests are remembered to recognise one that is sent again."""
_CLEAN_SECONDS = 60.0
"""How often what is out of date is looked for."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, signal TEXT NOT NULL,
    rows INTEGER NOT NULL, size INTEGER NOT NULL, memory INTEGER NOT NULL,
    body BLOB, name TEXT
);
CREATE TABLE sealed (parcel INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (parcel, seq)) WITHOUT ROWID;
CREATE TABLE recent (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL);
CREATE TABLE notes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL, until REAL NOT NULL, data BLOB NOT NULL
);
CREATE INDEX notes_by_end ON notes (until);
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, at REAL NOT NULL,
    signal TEXT NOT NULL, rows INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
);
"""
_MIGRATIONS = {
    2: "ALTER TABLE batches ADD COLUMN name TEXT;",
    3: """
CREATE TABLE sealed (parcel INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (parcel, seq)) WITHOUT ROWID;
INSERT INTO sealed SELECT parcel, seq FROM batches WHERE parcel IS NOT NULL;
DROP INDEX batches_by_parcel;
""",
}
"""What makes a file of an older format one of the next. The column ``parcel`` stays where it was, unused: to drop it
would write all that waits anew."""

_PAGE_BYTES = 16384
_LOG_BYTES = 32 * 1024**2
"""How much is written before it is copied into the file: what is delivered by then need not be."""


class JournalError(Exception):
    """Says that the file cannot be used, and what to do."""


class InUseError(JournalError):
    """Says that another process has the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Describes one waiting batch: *size* is its bytes in the file, *memory* its bytes when loaded.

    *name* is that of its parcel, where it is not to be made from the parcel's number.
    """

    seq: int
    id: str
    signal: Signal
    rows: int
    size: int
    memory: int
    parcel: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Is a batch about to be added; *body* is None in a journal that lives in memory."""

    id: str
    signal: Signal
    rows: int
    size: int
    memory: int
    body: bytes | None


class Journal:
    """Opens the file at *path*, or a journal without a file when *path* is None."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock_file = _lock(path) if path else None
        try:
            self._connection = _open(path)
            self.writer = self._read_writer()
            self._recent = {row[0] for row in self._connection.execute("SELECT id FROM recent")}
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise JournalError(
                f"{path}: the outbox file cannot be read ({error}); move it away to start with an empty outbox"
            ) from error
        except JournalError:
            self._unlock()
            raise
        self.letters = Letters(self._connection)
        self._cleaned = 0.0
        self._next_parcel = 1 + self._scalar("SELECT coalesce(max(value + 0), 0) FROM meta WHERE name = 'parcel'")

    def known(self, requests: Iterable[str]) -> int:
        """Return how many of these requests were taken lately."""
        return sum(request in self._recent for request in requests)

    def add(self, entries: Iterable[NewEntry], requests: Sequence[str], notes: Iterable[Note] = ()) -> list[Entry]:
        """Write what became of the *requests*, all or none, and return the batches with their numbers once on disk."""
        entries = list(entries)
        size = sum(new.size for new in entries)
        if self._lacks_space(size):
            self.relieve()
        if self._lacks_space(size):
            raise sqlite3.OperationalError("the disk is nearly full, what is left is for the deliveries")
        added = []
        with self._connection as transaction:
            for new in entries:
                row = (new.id, new.signal, new.rows, new.size, new.memory, new.body)
                cursor = transaction.execute(
                    "INSERT INTO batches (id, signal, rows, size, memory, body) VALUES (?, ?, ?, ?, ?, ?)", row
                )
                seq = int(cursor.lastrowid or 0)
                added.append(Entry(seq, new.id, new.signal, new.rows, new.size, new.memory))
            transaction.executemany("INSERT INTO recent (id) VALUES (?)", [(request,) for request in requests])
            transaction.executemany("INSERT INTO notes (owner, until, data) VALUES (?, ?, ?)", notes)
        self._recent.update(requests)
        return added

    def notes(self, owner: str, now: float) -> list[bytes]:
        """Return what *owner* remembers at *now*, in seconds since 1970, oldest first."""
        rows = self._connection.execute(
            "SELECT data FROM notes WHERE owner = ? AND until > ? ORDER BY seq", (owner, now)
        )
        return [bytes(row[0]) for row in rows]

    def clean(self, now: float) -> None:
        """Forget the oldest requests if there are too many, and notes out of date if that was not done for a while."""
        if len(self._recent) > 2 * REMEMBERED:
            self._forget()
        if now - self._cleaned < _CLEAN_SECONDS:
            return
        self._cleaned = now
        with self._connection as transaction:
            transaction.execute("DELETE FROM notes WHERE until <= ?", (now,))

    def waiting(self) -> list[Entry]:
        """Return everything that was added and not finished, oldest first."""
        rows = self._connection.execute(
            "SELECT seq, id, signal, rows, size, memory, sealed.parcel, name"
            " FROM batches LEFT JOIN sealed USING (seq) ORDER BY seq"
        )
        return [Entry(seq, id_, Signal(signal), *rest) for seq, id_, signal, *rest in rows]

    def seal(self, entries: Sequence[Entry]) -> int:
        """Bind the batches to one parcel for good and return its number, which is never used again."""
        number = self._next_parcel
        with self._connection as transaction:
            transaction.executemany("INSERT INTO sealed VALUES (?, ?)", [(number, entry.seq) for entry in entries])
            transaction.execute("INSERT OR REPLACE INTO meta VALUES ('parcel', ?)", (str(number),))
        self._next_parcel = number + 1
        return number

    def body(self, seq: int) -> bytes:
        """Return the dumped bytes of a waiting batch."""
        row = self._connection.execute("SELECT body FROM batches WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0] or b"") if row else b""

    def finish(self, parcel: int, letters: Iterable[DeadLetter] = ()) -> None:
        """Forget a delivered parcel's batches and keep the *letters* with what was refused of them."""
        with self._connection as transaction:
            self.letters.keep(letters)
            transaction.execute("DELETE FROM batches WHERE seq IN (SELECT seq FROM sealed WHERE parcel = ?)", (parcel,))
            transaction.execute("DELETE FROM sealed WHERE parcel = ?", (parcel,))

    def resend(self, letters: Sequence[tuple[int, int]]) -> None:
        """Make of each letter, given as (seq, bytes of memory), a sealed parcel with the letter's id for a name.

        The name is that of the delivery that was refused, so whoever took a part of it knows that part again.
        """
        numbers = range(self._next_parcel, self._next_parcel + len(letters))
        with self._connection as transaction:
            for number, (seq, memory) in zip(numbers, letters, strict=True):
                cursor = transaction.execute(
                    "INSERT INTO batches (id, signal, rows, size, memory, body, name)"
                    " SELECT id, signal, rows, length(body), ?, body, id FROM dead_letters WHERE seq = ?",
                    (memory, seq),
                )
                if cursor.rowcount:
                    transaction.execute("INSERT INTO sealed VALUES (?, ?)", (number, cursor.lastrowid))
            self.letters.remove(seq for seq, _ in letters)
            transaction.execute("INSERT OR REPLACE INTO meta VALUES ('parcel', ?)", (str(numbers.stop - 1),))
        self._next_parcel = numbers.stop

    def drop(self, seqs: Iterable[int]) -> None:
        """Delete letters for good."""
        with self._connection:
            self.letters.remove(seqs)

    def shrink(self) -> bool:
        """Give the disk back what is not used any more; return False when there is no room to do it in."""
        try:
            self._connection.execute("VACUUM")
        except sqlite3.OperationalError:
            return False
        return True

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        self._unlock()

    def relieve(self) -> None:
        """Give the disk back what the log takes, if it can: where it is full, nothing can be written behind that."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _lacks_space(self, size: int) -> bool:
        """Return whether *size* bytes more would leave too little to write down what is delivered.

        They are written twice: into the log, and from there into free pages of the file or behind its end, as all that
        is in the log already. Deliveries fill a log, too.
        """
        if self.path is None:
            return False
        try:
            disk = os.statvfs(self.path.parent)
            log = Path(f"{self.path}-wal").stat().st_size
        except OSError:
            return False
        free = self._scalar("PRAGMA freelist_count") * self._scalar("PRAGMA page_size")
        return disk.f_bavail * disk.f_frsize + free < 2 * size + log + _LOG_BYTES

    def _forget(self) -> None:
        newest = self._scalar("SELECT max(seq) FROM recent")
        with self._connection as transaction:
            transaction.execute("DELETE FROM recent WHERE seq <= ?", (newest - REMEMBERED,))
        self._recent = {row[0] for row in self._connection.execute("SELECT id FROM recent")}

    def _read_writer(self) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'writer'").fetchone()
        return str(row[0])

    def _scalar(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def _unlock(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None


@contextmanager
def reading(path: Path) -> Iterator[Letters]:
    """Yield the dead letters of a file, which a running collector may be using; they can only be read."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            _version(connection, path)
            yield Letters(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise JournalError(f"{path}: the outbox file cannot be read ({error})") from error


def _version(connection: sqlite3.Connection, path: Path | None) -> int:
    """Return the format of the file, 0 of a new one; raise `JournalError` when it is none of ours."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, *_MIGRATIONS, VERSION):
        raise JournalError(
            f"{path}: the outbox file has format {version}, this genai-collector reads {VERSION}; "
            "deliver it with the version that wrote it, or move it away"
        )
    return version


def _open(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level="IMMEDIATE")
    try:
        version = _version(connection, path)
    except JournalError:
        connection.close()
        raise
    if version == 0:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = full")
    page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_BYTES // page_bytes}")
    # Some builds of SQLite write zeros over all that is deleted, as long as what was there.
    connection.execute("PRAGMA secure_delete = fast")
    if version == 0:
        connection.executescript(
            f"BEGIN; {_SCHEMA} INSERT INTO meta VALUES ('writer', '{uuid.uuid4().hex}');"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )
    else:
        for old in range(version, VERSION):
            connection.executescript(f"BEGIN; {_MIGRATIONS[old]} PRAGMA user_version = {old + 1}; COMMIT;")
    return connection


def _lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        file = path.with_name(path.name + ".lock").open("w")
    except OSError as error:
        raise JournalError(
            f"{path.absolute()}: the outbox file cannot be written ({error.strerror}); let this user write there, or "
            "set another sending_queue.directory"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise InUseError(
            f"{path}: the outbox is used by another process; stop that one, or set another sending_queue.directory"
        ) from error
    return file
