"""Numbers of tokens: written as whole numbers, corrected, taken off where they are none: one NaN spoils every sum."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.rewrite import Rows
from processors.genai.plan import CACHE, KEPT
from processors.genai.translation import Translation, reported

_LARGEST = 2**60
"""Sums of three counts up to this stay within 64 bits."""

Counts = npt.NDArray[np.int64]


def settle_counts(translation: Translation, names: Sequence[str]) -> None:
    """Give the counts that came under today's *names* as other than ints their number; drop what is no count."""
    if not names:
        return
    positions = np.array([translation.positions(name) for name in names])
    if (translation.attributes.ints(positions[positions >= 0]) >= 0).all():
        return
    for name, line in zip(names, positions, strict=True):
        rows = np.flatnonzero(line >= 0)
        rows = rows[translation.attributes.ints(line[rows]) < 0]
        if not len(rows):
            continue
        translation.dropped.append(line[rows])
        counts = translation.attributes.naturals(line[rows])
        told = (counts >= 0) & ~translation.added(name)[rows]
        translation.add_each(name, "int_value", rows[told], pa.array(counts[told]), "the same number, as an int")


def complete_writes(translation: Translation) -> None:
    """Make the cache writes no less than what is told of them by how long they are kept."""
    if not any(translation.has(name) or name in translation.additions for name in KEPT):
        return
    whole = CACHE[1]
    written, *parts = counts_of(translation, (whole, *KEPT))
    told = np.maximum(parts, 0).sum(axis=0)
    less = (np.max(parts, axis=0) >= 0) & (told > written)
    why = "what is kept for five minutes or an hour"
    untold, short = np.flatnonzero(less & (written < 0)), np.flatnonzero(less & (written >= 0))
    present = translation.positions(whole)[untold]
    translation.dropped.append(present[present >= 0])
    translation.add_each(whole, "int_value", untold, pa.array(told[untold]), why)
    if len(short):
        correct(translation, whole, short, told[short], why)


def counts_of(translation: Translation, names: Sequence[str]) -> Counts:
    """Return the counts each row has now under *names*, shape (names, rows), -1 where none can be used."""
    counts = translation.attributes.naturals(np.array([translation.positions(name) for name in names]))
    for line, name in enumerate(names):
        for addition in translation.additions.get(name, ()):
            given = addition.values
            counts[line, addition.rows] = (
                translation.attributes.naturals(addition.choice)
                if given is None
                else np.asarray(given)[addition.choice]
            )
    counts[counts > _LARGEST] = -1
    return counts


def correct(translation: Translation, name: str, rows: Rows, counts: Counts, why: str) -> None:
    """Give *rows* other *counts* as *name*; what was reported stays under another name."""
    given = counts_of(translation, (name,))[0, rows]
    present = translation.positions(name)[rows]
    translation.dropped.append(present[present >= 0])
    translation.withdraw(name, rows)
    translation.add_each(name, "int_value", rows, pa.array(counts), why)
    translation.add_each(reported(name), "int_value", rows, pa.array(given))
