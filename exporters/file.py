"""Writes OTLP to a file, as the Collector's file exporter does: a JSON object a line, or sized protobuf messages.

    path  [record][record][record]      written and synced before the delivery counts
          └ rotation: full ──> path-<time>, the oldest removed

A record that a crash cut off is removed at the next start; its parcel is sent again. Where a crash comes between the
sync and the moment the outbox hears of it, a record is written twice: at least once is what a file can promise.
"""

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Exporter, ExporterConfig, Host
from collector.errors import ConfigError, Problem, Retryable
from collector.otlp.encode import encode
from collector.otlp.json import encode_json

_SIZE = struct.Struct(">I")
_STAMP = "%Y-%m-%dT%H-%M-%S"
_PIECE = 64 * 1024
_MIB = 1024**2


class RotationConfig(ComponentConfig):
    """Says when a new file is begun and how many old ones stay. Old ones are named after the time they were closed."""

    max_megabytes: PositiveInt = 100
    """Begin a new file before this one grows past so many MiB."""
    max_days: NonNegativeInt = 0
    """Remove old files after so many days; 0 never."""
    max_backups: NonNegativeInt = 100
    """Old files that stay; 0 keeps all."""
    localtime: bool = False
    """Name old files after local time instead of UTC."""


class FileConfig(ExporterConfig):
    """Says which file, and how it is written."""

    path: str = Field(min_length=1)
    """The file; readable by its owner only."""
    format: Literal["json", "proto"] = "json"
    """``json`` writes a line a delivery; ``proto`` writes messages, each behind its size (4 bytes, big-endian)."""
    compression: Literal["zstd", "none", ""] = ""
    """``zstd`` compresses each message; then JSON stands behind sizes, too, instead of on lines."""
    append: bool = True
    """Go on with what is there. ``false`` begins anew at every start, which is the Collector's default."""
    create_directory: bool = False
    """Make the folder if it is missing."""
    rotation: RotationConfig | None = None
    """Begin new files now and then. Without it there is one file that grows."""

    @model_validator(mode="after")
    def _keeps_old_files(self) -> "FileConfig":
        if self.rotation is not None and not self.append:
            raise ValueError("rotation keeps old files and append: false does not; leave one out")
        return self


class FileExporter(Exporter):
    """Writes spans, metrics and logs to a file, as OTLP/JSON lines or protobuf messages."""

    Config: ClassVar[type[ComponentConfig]] = FileConfig
    consumes: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.METRICS, Signal.LOGS})

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._path: Path = host.base / config.path
        self._zstd = config.compression == "zstd"
        self._sized = self._zstd or config.format == "proto"
        self._file: FileIO | None = None

    def start(self) -> None:
        """Open the file and remove what a crash cut off; raise ConfigError when it cannot be had."""
        try:
            if self.config.create_directory:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = self._open()
            if self.config.append:
                self._repair(file)
            else:
                file.truncate(0)
        except (OSError, ValueError) as error:
            self.stop()
            raise ConfigError([Problem(self.host.id, "path", f"{self._path} cannot be written: {error}")]) from error

    def stop(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def export(self, batch: Batch) -> None:
        """Return when the batch is on disk; raise Retryable while it cannot be written."""
        record = self._record(batch)
        try:
            file = self._ready(len(record))
            end = file.seek(0, os.SEEK_END)
            try:
                _write(file, record)
            except OSError:
                file.truncate(end)
                raise
        except OSError as error:
            raise Retryable(f"{self._path} cannot be written: {error}") from error

    def _record(self, batch: Batch) -> bytes:
        message = encode(batch) if self.config.format == "proto" else encode_json(batch)
        if self._zstd:
            message = bytes(pa.Codec("zstd").compress(message, asbytes=True))
        return _SIZE.pack(len(message)) + message if self._sized else message + b"\n"

    def _open(self) -> FileIO:
        """Return the file, opened for this process alone, anew where it was moved away or removed meanwhile."""
        if self._file is not None and not _is_at(self._file, self._path):
            self.stop()
        if self._file is None:
            self._file = FileIO(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(self._path)
        return self._file

    def _ready(self, size: int) -> FileIO:
        """Return the file to write so many bytes to: a new one when this one is full."""
        file, rotation = self._open(), self.config.rotation
        end = file.seek(0, os.SEEK_END)
        if rotation and end and end + size > rotation.max_megabytes * _MIB:
            now = datetime.fromtimestamp(self.host.clock(), UTC)
            self._path.rename(_free_name(self._path, now.astimezone() if rotation.localtime else now))
            _remove_old(self._path, rotation, now)
            file = self._open()
        return file

    def _repair(self, file: FileIO) -> None:
        """Cut off a record that is not whole; raise ValueError for a file that something else wrote."""
        expected, at = (b"\x28\xb5\x2f\xfd" if self._zstd else b"\n", 4) if self._sized else (b"{", 0)
        file.seek(at)
        if not expected.startswith(file.read(len(expected))):
            raise ValueError("it holds something else than this exporter writes; name another path")
        end = _end_of_messages(file) if self._sized else _end_of_lines(file)
        cut = file.seek(0, os.SEEK_END) - end
        if cut:
            self.host.log.warning("removed a record that was cut off", path=str(self._path), bytes=cut)
            file.truncate(end)


def _write(file: FileIO, record: bytes) -> None:
    rest = memoryview(record)
    while rest:
        rest = rest[file.write(rest) :]
    os.fsync(file.fileno())


def _is_at(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _end_of_lines(file: FileIO) -> int:
    """Return where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _PIECE)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _end_of_messages(file: FileIO) -> int:
    """Return where the last whole message ends."""
    size = file.seek(0, os.SEEK_END)
    end = 0
    while end + _SIZE.size <= size:
        file.seek(end)
        after = end + _SIZE.size + int(_SIZE.unpack(file.read(_SIZE.size))[0])
        if after > size:
            break
        end = after
    return end


def _free_name(path: Path, now: datetime) -> Path:
    """Return a name for the file that is closed *now*, as the Collector gives it."""
    while True:
        name = path.with_name(f"{path.stem}-{now.strftime(_STAMP)}.{now.microsecond // 1000:03d}{path.suffix}")
        if not name.exists():
            return name
        now += timedelta(milliseconds=1)


def _old_files(path: Path) -> Iterator[tuple[datetime, Path]]:
    pattern = re.compile(
        rf"{re.escape(path.stem)}-(\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d)\.(\d{{3}}){re.escape(path.suffix)}"
    )
    for file in path.parent.iterdir():
        if named := pattern.fullmatch(file.name):
            closed = datetime.strptime(named[1], _STAMP)
            yield closed + timedelta(milliseconds=int(named[2])), file


def _remove_old(path: Path, rotation: RotationConfig, now: datetime) -> None:
    """Remove closed files that are too old or too many."""
    today = (now.astimezone() if rotation.localtime else now).replace(tzinfo=None)
    newest_first = sorted(_old_files(path), reverse=True)
    for number, (closed, file) in enumerate(newest_first):
        too_many = rotation.max_backups and number >= rotation.max_backups
        too_old = rotation.max_days and today - closed > timedelta(days=rotation.max_days)
        if too_many or too_old:
            file.unlink()
