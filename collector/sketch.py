"""Latency histograms that add up: the DDSketch mapping of seconds to bucket numbers.

Bucket *i* holds the durations in (gamma^(i-1), gamma^i] seconds: its middle is within `RELATIVE_ERROR` of each of them.
`ZERO` holds durations of zero or less. The same numbers are used in ClickHouse, where percentiles are computed.
"""

import math

import numpy as np
import numpy.typing as npt

RELATIVE_ERROR = 0.005
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
ZERO = -32768
"""The bucket of durations that are not positive."""

_LOG_GAMMA = math.log(GAMMA)


def bucket_of(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Return the bucket numbers (shape as given) of durations in seconds."""
    positive = seconds > 0
    logs = np.log(np.where(positive, seconds, 1.0)) / _LOG_GAMMA
    numbers = np.minimum(np.maximum(np.ceil(logs), ZERO + 1), 32767)
    return np.where(positive, numbers, ZERO).astype(np.int16)


def middle_of(buckets: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the duration in seconds that stands for every duration in each of *buckets* (shape as given)."""
    numbers = np.asarray(buckets, dtype=np.float64)
    return np.where(numbers == ZERO, 0.0, 2 / (1 + GAMMA) * GAMMA**numbers)
