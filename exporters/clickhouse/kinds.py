"""Span kinds and status codes as numbers and as the words that SigNoz's filters expect."""

import numpy as np
import numpy.typing as npt

from collector.batch import Batch

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES = ("Unset", "Ok", "Error")


def kinds_of(batch: Batch) -> npt.NDArray[np.int8]:
    """Return the kind of each span; numbers that OTLP does not know become 0, unspecified."""
    return _known(np.asarray(batch.main.column("kind")), len(KINDS)).astype(np.int8)


def status_codes_of(batch: Batch) -> npt.NDArray[np.int16]:
    """Return the status code of each span; numbers that OTLP does not know become 0, unset."""
    return _known(np.asarray(batch.main.column("status_code")), len(STATUS_CODES)).astype(np.int16)


def _known(numbers: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    return np.where((numbers >= 0) & (numbers < count), numbers, 0)
