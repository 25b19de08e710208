"""Makes what one part of the process freed serve all others, and keeps Python from looking through what stays."""

import ctypes
import gc
import sys
import warnings
from types import ModuleType

import pyarrow as pa

_MIB = 1024**2
_OPTIONS = (
    (-8, 1),  # M_ARENA_MAX: what one thread frees serves all others; every arena keeps its own peak
    (-3, 3 * _MIB // 2),  # M_MMAP_THRESHOLD: larger pieces go back as soon as they are freed, at a price in time
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


def _leave_pandas_out() -> None:
    """Let Arrow believe that there is no pandas it could use.

    Where it is installed, Arrow loads it (50 MiB, half a second) when it first meets values of Python or numpy, to know
    its tables when it meets one; we have none. Others may load it as ever.
    """
    if "pandas" in sys.modules:
        return
    too_old = ModuleType("pandas")
    vars(too_old)["__version__"] = "0"
    sys.modules["pandas"] = too_old
    try:
        with warnings.catch_warnings(action="ignore"):
            pa.array([""])
    finally:
        del sys.modules["pandas"]
