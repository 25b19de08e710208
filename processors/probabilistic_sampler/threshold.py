"""Sampling thresholds: which share of all random numbers is left out, as OpenTelemetry writes it.

An item has 56 bits of randomness R. A sampler with threshold T keeps it when T <= R, which happens with probability
``1 - T / 2**56``. T is written as hexadecimal digits without the zeros at its end: ``8`` is one half, ``0`` is all.
"""

import math
import re

ALL = 2**56
"""How many random numbers there are; as a threshold it keeps nothing."""
DIGITS = 14
ALWAYS = 0
SMALLEST = 2.0**-56

_HEX = re.compile(r"[0-9a-f]{1,14}")


def threshold_of(probability: float, precision: int) -> int:
    """Return the threshold of *probability*, its leading ``f`` or ``0`` digits and *precision* more being exact."""
    if probability >= 1:
        return ALWAYS
    if probability < SMALLEST:
        return ALL
    exact = ALL - round(probability * ALL)
    reject = 1 - probability
    while reject and reject * 16 < 1:
        reject *= 16
        precision += 1
    if precision >= DIGITS:
        return exact
    shift = 4 * (DIGITS - precision)
    return ((exact + (1 << (shift - 1))) >> shift) << shift


def probability_of(threshold: int) -> float:
    """Return the probability with which a sampler of this threshold keeps an item."""
    return (ALL - threshold) / ALL


def spelled(threshold: int) -> str:
    """Return the threshold as it stands behind ``th:``."""
    return f"{threshold:014x}".rstrip("0") or "0"


def read(text: str) -> int | None:
    """Return the threshold that stands behind ``th:``, None when it is none."""
    return int(text.ljust(DIGITS, "0"), 16) if _HEX.fullmatch(text) else None


def read_randomness(text: str) -> int | None:
    """Return the random number that stands behind ``rv:``, None when it is none."""
    return int(text, 16) if len(text) == DIGITS and _HEX.fullmatch(text) else None


def share_of(percentage: float) -> float:
    """Return the probability that *percentage* says; too small ones are the smallest there is."""
    return 0.0 if percentage <= 0 or math.isnan(percentage) else max(min(percentage / 100, 1.0), SMALLEST)
