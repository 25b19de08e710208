"""The file exporter: what is written is whole, kept through crashes, and read by its owner only."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from collector.batch import Batch, Signal
from collector.component import Host
from collector.errors import ConfigError, Retryable
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.otlp.json import from_json
from exporters.file import FileExporter
from tests.batches import names_of, spans
from tests.clock import Clock

NOW = 1_795_284_060.25


def make(folder: Path, clock: Clock | None = None, **options: Any) -> FileExporter:
    config = FileExporter.Config.model_validate({"path": "otlp.out", "format": "proto", **options})
    return FileExporter(config, Host("file", base=folder, clock=clock or Clock(NOW)))


@contextmanager
def started(exporter: FileExporter) -> Iterator[FileExporter]:
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.stop()


def messages(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4])
        assert len(data) >= 4 + size
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def written(path: Path) -> list[list[str]]:
    """Return the names of the spans in each record of a file of sized messages."""
    return [names_of(decode(Signal.TRACES, message)) for message in messages(path.read_bytes())]


def test_messages_stand_behind_their_sizes_in_a_private_file(tmp_path: Path) -> None:
    with started(make(tmp_path, path="new/otlp.out", create_directory=True)) as exporter:
        for name in "abc":
            exporter.export(spans(name))

    path = tmp_path / "new" / "otlp.out"
    assert messages(path.read_bytes()) == [encode(spans(name)) for name in "abc"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_record_is_synced_before_the_delivery_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []
    sync = os.fsync

    def noted(file: int) -> None:
        sync(file)
        synced.append((os.fstat(file).st_ino, os.fstat(file).st_size))

    monkeypatch.setattr(os, "fsync", noted)
    with started(make(tmp_path)) as exporter:
        for name in "ab":
            exporter.export(spans(name))
            now = (tmp_path / "otlp.out").stat()
            assert synced[-1] == (now.st_ino, now.st_size)


def test_json_stands_on_lines(tmp_path: Path) -> None:
    batches = [spans("a\nb"), spans("c", "d")]
    with started(make(tmp_path, format="json")) as exporter:
        for batch in batches:
            exporter.export(batch)

    lines = (tmp_path / "otlp.out").read_bytes().splitlines()
    assert [from_json(Signal.TRACES, line) for line in lines] == [encode(batch) for batch in batches]


def test_zstd_compresses_each_message(tmp_path: Path) -> None:
    batch = spans(*["the same name"] * 100)
    with started(make(tmp_path, compression="zstd")) as exporter:
        exporter.export(batch)
        exporter.export(batch)

    packed = messages((tmp_path / "otlp.out").read_bytes())
    plain = [pa.CompressedInputStream(pa.BufferReader(one), "zstd").read() for one in packed]
    assert plain == [encode(batch)] * 2
    assert len(packed[0]) < len(plain[0]) / 2


@pytest.mark.parametrize(("append", "expected"), [(True, [["a"], ["b"]]), (False, [["b"]])])
def test_a_restart_goes_on_or_begins_anew(tmp_path: Path, append: bool, expected: list[list[str]]) -> None:
    for name in "ab":
        with started(make(tmp_path, append=append)) as exporter:
            exporter.export(spans(name))

    assert written(tmp_path / "otlp.out") == expected


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"format": "json"}], ids=["proto", "zstd", "json"])
@pytest.mark.parametrize("left", [1, 3, 4, 6, 20, -1])
def test_a_record_that_a_crash_cut_off_is_removed(tmp_path: Path, options: dict[str, Any], left: int) -> None:
    path = tmp_path / "otlp.out"
    ends = [0]
    with started(make(tmp_path, **options)) as exporter:
        for name in "ab":
            exporter.export(spans(name))
            ends.append(path.stat().st_size)
    for kept, before in enumerate(ends[:-1]):
        whole = path.read_bytes()
        path.write_bytes(whole[: before + left] if left > 0 else whole[: ends[kept + 1] + left])
        with started(make(tmp_path, **options)):
            assert path.stat().st_size == before
        path.write_bytes(whole)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "otlp.out"
    path.write_text("a diary\n")
    for options in ({}, {"compression": "zstd"}, {"format": "json"}):
        with pytest.raises(ConfigError, match="something else"):
            make(tmp_path, **options).start()
    assert path.read_text() == "a diary\n"


def test_two_may_not_write_one_file(tmp_path: Path) -> None:
    with started(make(tmp_path)), pytest.raises(ConfigError, match="cannot be written"):
        make(tmp_path).start()


def test_a_folder_that_is_missing_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        make(tmp_path / "missing").start()


def test_a_full_disk_leaves_whole_records_and_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "otlp.out"
    with started(make(tmp_path)) as exporter:
        exporter.export(spans("a"))
        size = path.stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(Retryable, match="cannot be written"):
                exporter.export(spans("b"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.stat().st_size == size
        exporter.export(spans("b"))

    assert written(path) == [["a"], ["b"]]


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "otlp.out"
    with started(make(tmp_path)) as exporter:
        exporter.export(spans("a"))
        path.rename(tmp_path / "moved")
        exporter.export(spans("b"))

    assert [written(tmp_path / "moved"), written(path)] == [[["a"]], [["b"]]]


def large(name: str) -> Batch:
    """Return a batch that takes more than half a MiB."""
    return spans(name * 600_000)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_full_file_is_closed_under_its_time_and_a_new_one_begun(tmp_path: Path) -> None:
    with started(make(tmp_path, path="otlp.pb", rotation={"max_megabytes": 1})) as exporter:
        for name in "abc":
            exporter.export(large(name))

    assert files(tmp_path) == ["otlp-2026-11-21T18-01-00.250.pb", "otlp-2026-11-21T18-01-00.251.pb", "otlp.pb"]
    assert [[name[0] for [name] in written(tmp_path / file)] for file in files(tmp_path)] == [["a"], ["b"], ["c"]]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_too_many_and_too_old_files_are_removed(tmp_path: Path) -> None:
    clock = Clock(NOW)
    rotation = {"max_megabytes": 1, "max_backups": 2, "max_days": 3}
    (tmp_path / "otlp-notes.out").touch()
    with started(make(tmp_path, clock, rotation=rotation)) as exporter:
        for name in "abcd":
            exporter.export(large(name))
        assert len(files(tmp_path)) == 4
        clock.now += 4 * 86_400
        exporter.export(large("e"))

    assert files(tmp_path) == ["otlp-2026-11-25T18-01-00.250.out", "otlp-notes.out", "otlp.out"]


def test_rotation_and_beginning_anew_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="leave one out"):
        FileExporter.Config.model_validate({"path": "x", "append": False, "rotation": {}})
