"""The outbox's file: what it promises about the disk, and what it forgets."""

import os
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from collector import journal
from collector.batch import Signal
from collector.journal import Journal, NewEntry


def test_what_is_committed_is_synced(tmp_path):
    with closing(Journal(tmp_path / "x.sqlite")) as opened:
        [[synchronous]] = opened._connection.execute("PRAGMA synchronous").fetchall()
        [[mode]] = opened._connection.execute("PRAGMA journal_mode").fetchall()

    assert (synchronous, mode) == (2, "wal")


def test_only_the_latest_requests_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "REMEMBERED", 5)
    with closing(Journal(tmp_path / "x.sqlite")) as opened:
        for number in range(11):
            opened.add([], [str(number)])
            opened.clean(0.0)
            assert opened.known([str(number)])
        assert [number for number in range(11) if opened.known([str(number)])] == [6, 7, 8, 9, 10]

    with closing(Journal(tmp_path / "x.sqlite")) as again:
        assert [number for number in range(11) if again.known([str(number)])] == [6, 7, 8, 9, 10]


def test_what_is_written_is_known_whether_or_not_the_oldest_can_be_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "REMEMBERED", 1)
    with closing(Journal(tmp_path / "x.sqlite")) as opened:
        opened._connection.execute(
            "CREATE TRIGGER full BEFORE DELETE ON recent BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
        for number in range(3):
            opened.add([], [str(number)])
        with pytest.raises(sqlite3.Error, match="disk full"):
            opened.clean(0.0)

        assert opened.known("012") == 3


def test_the_last_of_a_disk_is_left_for_what_is_delivered(tmp_path, monkeypatch):
    """Else a disk that the outbox filled would stay full: to forget what was delivered takes room, too."""
    room = 2**30
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=room, f_frsize=1))
    with closing(Journal(tmp_path / "a.sqlite")) as opened:
        large = opened.add([NewEntry("a", Signal.TRACES, 1, 2**25, 1, bytes(2**25))], ["a"])
        room = 2**25 - 1
        for id_ in ("b", "c"):
            with pytest.raises(sqlite3.OperationalError, match="the disk is nearly full"):
                opened.add([NewEntry(id_, Signal.TRACES, 1, 1, 1, b"b")], [id_])
        assert opened.known(["a", "b", "c"]) == 1

        opened.finish(opened.seal(large))
        room = 2**20  # and the pages of the file that are free now
        opened.add([NewEntry("b", Signal.TRACES, 1, 1, 1, b"b")], ["b"])

        assert [entry.id for entry in opened.waiting()] == ["b"]
