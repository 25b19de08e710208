"""Makes what one part of the process freed serve all others, so that it holds little more than what is in use."""

import ctypes

import pyarrow as pa

_MIB = 1024**2
_OPTIONS = (
    (-8, 1),  # M_ARENA_MAX: what one thread frees serves all others; every arena keeps its own peak
    (-3, 2 * _MIB),  # M_MMAP_THRESHOLD: larger pieces go back as soon as they are freed
    (-1, 8 * _MIB),  # M_TRIM_THRESHOLD: so much may stay free at the end of the heap; fetching it anew costs time
)
"""Numbers and values for glibc's mallopt; the names are those of malloc.h."""


def economise() -> None:
    """Let Arrow and all others share one thrifty allocator; to be called once, before there are threads and data.

    Elsewhere than on glibc the C library's own ways stay as they are.
    """
    # Arrow's own pools keep what was freed for longer, and apart from what the decoder and Python can use.
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS:
            mallopt(option, value)
