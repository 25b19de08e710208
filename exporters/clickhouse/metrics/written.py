"""Remembering which series have their row of an hour already, so that it is not written with every batch."""

import numpy as np
import numpy.typing as npt

from exporters.clickhouse.columns import Ints
from exporters.clickhouse.metrics.fingerprints import Hashes

_MOST = 2**18
"""So many rows are remembered, in two MiB; then all is forgotten, which costs one more row of each series."""


class Written:
    """Is a memory of rows that are stored for certain; to forget is harmless, so it ends with the process."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._hours: dict[int, Hashes] = {}

    def lacks(self, fingerprints: Hashes, hours: Ints) -> npt.NDArray[np.bool_]:
        """Tell of each series and hour whether its row may be missing."""
        result = np.ones(len(fingerprints), np.bool_)
        for hour in np.unique(hours).tolist():
            known = self._hours.get(hour)
            if known is not None:
                asked = hours == hour
                places = np.minimum(np.searchsorted(known, fingerprints[asked]), len(known) - 1)
                result[asked] = known[places] != fingerprints[asked]
        return result

    def add(self, fingerprints: Hashes, hours: Ints) -> None:
        """Remember these rows, which are stored."""
        if len(fingerprints) + sum(map(len, self._hours.values())) > self._most:
            self.forget()
        if len(fingerprints) > self._most:
            return
        for hour in np.unique(hours).tolist():
            known = self._hours.get(hour, np.zeros(0, np.uint64))
            self._hours[hour] = np.union1d(known, fingerprints[hours == hour])

    def forget(self) -> None:
        """Remember nothing: who knows what became of the tables."""
        self._hours.clear()
