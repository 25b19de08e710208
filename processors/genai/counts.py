"""Writing numbers of tokens as whole numbers, and taking off what is none: one NaN spoils every sum."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from processors.genai.translation import Translation


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
