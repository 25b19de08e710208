"""Ids of log records: KSUIDs, which sort by the second of the record.

    seconds since 2014   | batch             | row        20 bytes
    ^ 4                    ^ 12                ^ 4        as 27 digits of base 62

SigNoz draws the last 16 bytes at random. Here they follow from the batch, so that a batch sent again gives the same
ids; and they end with the row, so that records of one time stay in the order in which they came.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.batch import content_id

_EPOCH = 1_400_000_000
_DIGITS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
_LENGTH = 27
_BASE = np.uint64(len(_DIGITS))
_AT_ONCE = 5
"""How many digits one division finds: the most for which a remainder and a word fit 64 bits."""


def record_ids(seconds: npt.NDArray[np.uint64], batch_id: str) -> pa.StringArray:
    """Return the id of each row of the batch; *seconds* are their Unix times."""
    origin = np.frombuffer(bytes.fromhex(content_id(batch_id.encode()))[:12], ">u4")
    payloads = np.empty((len(seconds), 4), np.uint32)
    payloads[:, :3] = origin
    payloads[:, 3] = np.arange(len(seconds))
    return ksuids(seconds, payloads)


def ksuids(seconds: npt.NDArray[np.uint64], payloads: npt.NDArray[np.uint32]) -> pa.StringArray:
    """Return KSUIDs of these Unix times with payloads of four 32-bit words; times outside 2014 to 2150 wrap around."""
    rest = np.empty((5, len(seconds)), np.uint64)
    rest[0] = (seconds - np.uint64(_EPOCH)) & np.uint64(2**32 - 1)
    rest[1:] = payloads.T
    digits = np.empty((len(seconds), 6 * _AT_ONCE), np.uint8)
    for end in range(digits.shape[1], 0, -_AT_ONCE):
        group = _divide(rest)
        for place in range(end - 1, end - 1 - _AT_ONCE, -1):
            group, digit = np.divmod(group, _BASE)
            digits[:, place] = _DIGITS[digit]
    text = np.ascontiguousarray(digits[:, -_LENGTH:])
    offsets = np.arange(len(seconds) + 1, dtype=np.int32) * np.int32(_LENGTH)
    return pa.StringArray.from_buffers(len(seconds), pa.py_buffer(offsets), pa.py_buffer(text))


def _divide(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Divide the numbers, given as lines of 32-bit words, in place by the base's power and return the remainders."""
    remainder = np.zeros(numbers.shape[1], np.uint64)
    for word in numbers:
        np.divmod(remainder << np.uint64(32) | word, _BASE**_AT_ONCE, out=(word, remainder))
    return remainder
