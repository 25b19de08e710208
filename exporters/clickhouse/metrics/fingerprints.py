"""SigNoz's number for a series: 64-bit FNV-1a over its resource, scope, point labels and name, many at once."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

OFFSET = 14695981039346656037
"""The hash of nothing."""

Hashes = npt.NDArray[np.uint64]

_PRIME = 1099511628211
_MASK = 2**64 - 1
_FEW = 16
"""Of no more texts than this, numpy costs more than Python."""
_BLOCK = 8192
"""So many hashes stay in the processor's cache."""


def fnv(start: Hashes, texts: pa.BinaryArray) -> Hashes:
    """Return the hash of each text, begun from the hash of what stands before it."""
    _, ends, data = texts.buffers()
    bounds = np.frombuffer(ends, np.int32)[texts.offset :][: len(texts) + 1].astype(np.int64)
    content = np.frombuffer(data or b"", np.uint8)
    lengths = np.diff(bounds)
    order = np.argsort(-lengths, kind="stable")
    result = np.empty(len(texts), np.uint64)
    for first, last in pairwise([*range(0, len(order), _BLOCK), len(order)]):
        block = order[first:last]
        result[block] = _hashed(start[block], content, bounds[:-1][block], lengths[block])
    return result


def _hashed(
    hashes: Hashes, content: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> Hashes:
    """Return the hashes of texts that stand in the order of their lengths, longest first."""
    # How many texts are longer than each position.
    active = len(lengths) - np.searchsorted(lengths[::-1], np.arange(int(lengths.max(initial=0))), side="right")
    together = int(np.searchsorted(-active, -_FEW))
    hashes = hashes.copy()
    places = starts.copy()
    for count in active[:together].tolist():
        part = hashes[:count]
        part ^= content[places[:count]]
        part *= np.uint64(_PRIME)
        places[:count] += 1
    for row in range(int(active[together]) if together < len(active) else 0):
        rest = content[starts[row] + together : starts[row] + lengths[row]]
        hashes[row] = _continued(int(hashes[row]), rest.tobytes())
    return hashes


def _continued(value: int, text: bytes) -> int:
    for byte in text:
        value = ((value ^ byte) * _PRIME) & _MASK
    return value
