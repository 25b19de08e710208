"""The outbox's file: what it promises about the disk, and what it forgets."""

import sqlite3
from contextlib import closing

import pytest

from collector import journal
from collector.journal import Journal


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
