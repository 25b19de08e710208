"""The one formula: tokens and rates to dollars, for one call, for an array of calls, and for sums over calls.

Cached tokens are part of the input and reasoning is part of the output, so each token is paid for once:

    input   = read from the cache + written to it (for 5 minutes or for an hour) + the rest
    output  = reasoning + the rest
"""

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from collector.prices.book import Rates

Number = TypeVar("Number", int, npt.NDArray[np.int64])

_PICO_PER_NANO = 1000


class Quantities(NamedTuple):
    """Tokens of a call, or of several summed; unknown ones are 0. *cache_write_1h* is part of *cache_write*.

    Where it is more than that, all that was written is kept for an hour.
    """

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int


def nanodollars(tokens: Quantities, rates: Rates) -> int:
    """Return the cost in 10^-9 USD, rounded to the nearest; the members may be arrays of one length too."""
    written = tokens.cache_write + _positive(tokens.cache_write_1h - tokens.cache_write)
    fresh = _positive(tokens.input - tokens.cache_read - written)
    short = _positive(tokens.cache_write - tokens.cache_write_1h)
    answer = _positive(tokens.output - tokens.reasoning)
    pico = (
        fresh * rates.input
        + tokens.cache_read * rates.cache_read
        + short * rates.cache_write
        + tokens.cache_write_1h * rates.cache_write_1h
        + answer * rates.output
        + tokens.reasoning * rates.reasoning
    )
    return (pico + _PICO_PER_NANO // 2) // _PICO_PER_NANO


def _positive(number: Number) -> Number:
    return number * (number > 0)
