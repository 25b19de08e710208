"""Makes what one part of the process freed serve all others, and keeps Python from looking through what stays."""

import ctypes
import gc
import sys
from typing import Any

import numpy as np
import pyarrow as pa

_MIB = 1024**2
_OPTIONS = (
    (-8, 1),  # M_ARENA_MAX: what one thread frees serves all others; every arena keeps its own peak
    (-3, _MIB),  # M_MMAP_THRESHOLD: larger pieces go back as soon as they are freed, at a price in time
    (-1, 8 * _MIB),  # M_TRIM_THRESHOLD: so much may stay free at the end of the heap; fetching it anew costs time
)
"""Numbers and values for glibc's mallopt; the names are those of malloc.h."""

_YOUNG = 10_000
"""New objects that start a search for garbage: a batch makes some thousands, and none of them in circles."""


def economise() -> None:
    """Let Arrow and all others share one thrifty allocator; to be called once, before there are threads and data.

    Elsewhere than on glibc the C library's own ways stay as they are.
    """
    # Arrow's own pools keep what was freed for longer, and apart from what the decoder and Python can use.
    pa.set_memory_pool(pa.system_memory_pool())
    _leave_pandas_out()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS:
            mallopt(option, value)


def settle() -> None:
    """Leave all that is there now out of every search for garbage; to be called when everything is started."""
    gc.unfreeze()  # what an earlier start left behind
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


class _NoPandas:
    """Finds no pandas, wherever it may be."""

    def find_spec(self, name: str, *_: Any) -> None:
        """Raise ImportError for the one name and leave all others to the next finder."""
        if name == "pandas":
            raise ImportError(name)


def _leave_pandas_out() -> None:
    """Let Arrow believe that there is no pandas.

    Where it is installed, Arrow loads it (60 MiB, most of a second) when it first meets a numpy array, to know its
    tables when it meets one; we have none. Others, chDB for one, may load it as ever.
    """
    finder: Any = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array(np.zeros(0))
    finally:
        sys.meta_path.remove(finder)
