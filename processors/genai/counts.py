"""Writing numbers of tokens as whole numbers, and taking off what is none: one NaN spoils every sum."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from collector.attributes import Positions
from processors.genai.translation import Translation


def settle_counts(translation: Translation, names: Sequence[str]) -> None:
    """Give the counts that came under today's *names* as other than ints their number; drop what is no count."""
    if not names:
        return
    positions = np.array([translation.positions(name) for name in names])
    if (_ints(translation, positions[positions >= 0]) >= 0).all():
        return
    for name, line in zip(names, positions, strict=True):
        rows = np.flatnonzero(line >= 0)
        rows = rows[_ints(translation, line[rows]) < 0]
        if not len(rows):
            continue
        translation.dropped.append(line[rows])
        counts = translation.attributes.naturals(line[rows])
        told = (counts >= 0) & ~translation.added(name)[rows]
        translation.add_each(name, "int_value", rows[told], pa.array(counts[told]), "the same number, as an int")


def _ints(translation: Translation, positions: Positions) -> Positions:
    """Return the ints at *positions*, negative for what is none."""
    attributes = translation.attributes
    ints: Positions = attributes.pool.naturals[attributes.slots_of(positions)]
    return ints
