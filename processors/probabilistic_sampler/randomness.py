"""The random number of each item, made from its trace id or from an attribute: the same on every collector."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.uint64]

TRACE_ID_BYTES = 16
BUCKET_BITS = 14
_OFFSET, _PRIME = np.uint32(2166136261), np.uint32(16777619)
"""The constants of the 32-bit hash FNV-1a."""


def from_trace_ids(ids: pa.BinaryArray) -> Numbers:
    """Return the last 56 bits of each id of 16 bytes, as the W3C's Trace Context says; 0 for other ids."""
    rows, data = _of_length(ids, TRACE_ID_BYTES)
    numbers = np.zeros(len(ids), dtype=np.uint64)
    for byte in data[:, TRACE_ID_BYTES - 7 :].T:
        numbers[rows] = (numbers[rows] << np.uint64(8)) | byte
    return numbers


def from_hash(texts: pa.BinaryArray, seed: int) -> Numbers:
    """Return random numbers made of the FNV-1a hash over *seed* and each of *texts*, as the Collector's `hash_seed`.

    Their first 14 bits decide: they are what is left of all buckets behind the hash's last 14 bits.
    """
    hashes = _fnv1a(texts, seed).astype(np.uint64)
    buckets = np.uint64(2**BUCKET_BITS)
    bucket = hashes % buckets
    unused = hashes >> np.uint64(32 - BUCKET_BITS)
    mixed = unused ^ (unused << np.uint64(10))
    numbers: Numbers = ((buckets - np.uint64(1) - bucket) << np.uint64(42)) | (mixed << np.uint64(14)) | bucket
    return numbers


def is_valid(ids: pa.BinaryArray) -> npt.NDArray[np.bool_]:
    """Tell which are trace ids: 16 bytes, not all zero."""
    rows, data = _of_length(ids, TRACE_ID_BYTES)
    valid = np.zeros(len(ids), dtype=bool)
    valid[rows] = data.any(axis=1)
    return valid


def _fnv1a(texts: pa.BinaryArray, seed: int) -> npt.NDArray[np.uint32]:
    hashes = np.full(len(texts), _OFFSET, dtype=np.uint32)
    for byte in seed.to_bytes(4, "little"):
        hashes = (hashes ^ np.uint32(byte)) * _PRIME
    for length in np.unique(_lengths(texts)).tolist():
        rows, data = _of_length(texts, length)
        told = hashes[rows]
        for column in data.T:
            told = (told ^ column) * _PRIME
        hashes[rows] = told
    return hashes


def _of_length(texts: pa.BinaryArray, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return the rows whose text has this length, and their bytes as a matrix."""
    rows = np.flatnonzero(_lengths(texts) == length)
    starts = _offsets(texts)[:-1][rows].astype(np.int64)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return rows, data[starts[:, np.newaxis] + np.arange(length)]


def _lengths(texts: pa.BinaryArray) -> npt.NDArray[np.int32]:
    return np.diff(_offsets(texts))


def _offsets(texts: pa.BinaryArray) -> npt.NDArray[np.int32]:
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
