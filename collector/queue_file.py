"""Where the outbox before an exporter keeps its file."""

import os
from pathlib import Path

from collector.component import ExporterConfig

_LONGEST = 240
"""Bytes of a file name, less than the 255 of the usual file systems by the longest ending that SQLite adds."""


def file_of(id_: str, config: ExporterConfig, base: Path) -> Path | None:
    """Return where the outbox before an exporter keeps its file; None when it has none.

    No name holds a ``+``, so ids of one type get different files however many slashes they have. A file of before that
    was so is used where it is.
    """
    queue = config.sending_queue
    if not queue.enabled or queue.storage == "memory":
        return None
    folder = base / queue.directory
    type_, slash, name = id_.partition("/")
    path = folder / f"{type_}{slash and '_'}{name.replace('/', '+')}.sqlite"
    older = folder / f"{id_.replace('/', '_')}.sqlite"
    return older if not too_long(path) and older.exists() and not path.exists() else path


def too_long(path: Path) -> int:
    """Return by how many bytes the name of an outbox's file is too long for a file system."""
    return max(0, len(path.name.encode()) - _LONGEST)


def hindrance(path: Path) -> str:
    """Return what is in the way of an outbox's file, as far as that is there already; empty where nothing is."""
    try:
        nearest = next(place for place in (path, *path.parents) if place.exists())
    except OSError as error:
        return f"{path}: {error.strerror}"
    if nearest != path and not nearest.is_dir():
        return f"{nearest} is no folder"
    # What is above is often another user's, who makes the folder before the start.
    if nearest in (path, path.parent) and not os.access(nearest, os.W_OK):
        return f"{nearest.absolute()} cannot be written by this user"
    return ""
