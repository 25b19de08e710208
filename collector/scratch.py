"""Memory that is used again and again, for what is large and soon forgotten.

A large piece of new memory costs more than what is written into it: the system hands it out page by page, cleared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import pyarrow as pa

_WORTHWHILE = range(128 * 1024, 7 * 1024**2)
"""Bytes of a table that are neither soon had anew nor so many that the memory should not be kept for them."""
_ROOM = _WORTHWHILE.stop + 1024**2  # a schema is written too


class Scratch:
    """Lends its memory to one table at a time; whoever finds it taken does without."""

    def __init__(self) -> None:
        self._free = Lock()
        self._memory: pa.Buffer | None = None

    @contextmanager
    def serialized(self, table: pa.RecordBatch) -> Iterator[pa.Buffer]:
        """Give what ``table.serialize()`` returns, until the end of the block."""
        size = pa.ipc.get_record_batch_size(table)
        if size not in _WORTHWHILE or not self._free.acquire(blocking=False):
            yield table.serialize()
            return
        try:
            self._memory = self._memory or pa.allocate_buffer(_ROOM)
            sink = pa.FixedSizeBufferWriter(self._memory)
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_batch(table)
                end = sink.tell()
            yield self._memory.slice(end - size, size)
        finally:
            self._free.release()
