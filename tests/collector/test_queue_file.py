"""Where outboxes keep their files: one for each id, and where they were before."""

import os
from pathlib import Path

import pytest

from collector.component import ExporterConfig, SendingQueueConfig
from collector.queue_file import file_of, hindrance, too_long


def name(id_: str, folder: Path) -> str:
    path = file_of(id_, ExporterConfig(sending_queue=SendingQueueConfig(directory="outbox")), folder)
    assert path is not None
    assert path.parent == folder / "outbox"
    return path.name


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("clickhouse", "clickhouse.sqlite"),
        ("clickhouse/second", "clickhouse_second.sqlite"),
        ("otlp_http", "otlp_http.sqlite"),
        ("file/a_b", "file_a_b.sqlite"),
        ("file/a/b", "file_a+b.sqlite"),
        ("file/a//b", "file_a++b.sqlite"),
    ],
)
def test_ids_of_a_type_have_different_files_and_plain_ones_those_they_had(tmp_path, id_, expected):
    assert name(id_, tmp_path) == expected


def test_a_file_that_an_older_version_made_is_found(tmp_path):
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "file_a_b.sqlite").touch()
    assert name("file/a/b", tmp_path) == "file_a_b.sqlite"

    (tmp_path / "outbox" / "file_a+b.sqlite").touch()
    assert name("file/a/b", tmp_path) == "file_a+b.sqlite"


def test_the_longest_name_leaves_room_for_the_files_that_sqlite_lays_beside_it(tmp_path):
    longest = "x" * 228
    assert too_long(tmp_path / name(f"file/{longest}", tmp_path)) == 0
    assert too_long(tmp_path / name(f"file/{longest}x", tmp_path)) == 1
    for ending in ("", "-wal", "-shm", "-journal", ".lock"):
        (tmp_path / (name(f"file/{longest}", tmp_path) + ending)).touch()

    assert too_long(tmp_path / name("file/" + "é" * 115, tmp_path)) == 2


def test_a_queue_in_memory_has_no_file(tmp_path):
    for queue in (SendingQueueConfig(storage="memory"), SendingQueueConfig(enabled=False)):
        assert file_of("file", ExporterConfig(sending_queue=queue), tmp_path) is None


def test_what_is_in_the_way_of_a_file_is_found_before_it_is_made(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "outbox").mkdir()

    assert hindrance(tmp_path / "outbox" / "a.sqlite") == ""
    assert hindrance(tmp_path / "not" / "yet" / "a.sqlite") == ""
    assert hindrance(tmp_path / "file" / "a.sqlite") == f"{tmp_path}/file is no folder"
    assert hindrance(tmp_path / "file" / "outbox" / "a.sqlite") == f"{tmp_path}/file is no folder"


def test_a_folder_or_file_that_may_not_be_written_is_found(tmp_path):
    (tmp_path / "a.sqlite").touch(0o400)
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("root may write everywhere")

    assert hindrance(tmp_path / "a.sqlite") == f"{tmp_path}/a.sqlite cannot be written by this user"
    assert hindrance(tmp_path / "b.sqlite") == f"{tmp_path} cannot be written by this user"
    assert hindrance(tmp_path / "not" / "yet" / "b.sqlite") == ""
