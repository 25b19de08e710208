"""Deciding which items stay, all at once, and what the ones that stay say of it.

Traces and logs differ only in where an item says what happened to it before; that is read into `Said` by the caller.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.probabilistic_sampler.randomness import BUCKET_BITS, Numbers
from processors.probabilistic_sampler.threshold import ALL, ALWAYS, probability_of, share_of, threshold_of

Mask = npt.NDArray[np.bool_]


class Said(NamedTuple):
    """Is what the items say: how they were sampled before, and by which randomness they are to be now.

    *threshold* is `ALL` where nothing was said; *priority* is a percentage, NaN where there is none.
    *source* is the number of the policy that gave the randomness, -1 where there is none to be had.
    """

    threshold: Numbers
    randomness: Numbers
    source: npt.NDArray[np.int64]
    broken: Mask
    explicit: Mask
    priority: npt.NDArray[np.float64]


class Decision(NamedTuple):
    """Tells which items stay, and with which threshold; *failed* are those whose chance could not be told."""

    keep: Mask
    threshold: Numbers
    failed: Mask


class Sampler(NamedTuple):
    """Is the configuration as numbers."""

    mode: str
    percentage: float
    precision: int
    fail_closed: bool

    def decide(self, said: Said) -> Decision:
        """Return the decision about each item."""
        before = said.threshold
        has_before = before < ALL
        failed = (said.source < 0) | said.broken | (has_before & (before > said.randomness))
        if self.mode == "hash_seed":
            failed |= said.explicit
        threshold = self._thresholds(before, has_before)
        threshold[failed] = ALL if self.fail_closed else ALWAYS
        has_priority = ~np.isnan(said.priority)
        for percentage in np.unique(said.priority[has_priority]).tolist():
            asked = threshold_of(share_of(percentage), self.precision)
            threshold[said.priority == percentage] = asked
        keep = (threshold <= said.randomness) & (threshold < ALL) | (threshold == ALWAYS)
        # A sampler can only leave out more: what was said before stays where it is the smaller chance.
        said_now = np.where(has_before & ~failed, np.maximum(threshold, before), threshold)
        return Decision(keep, said_now, failed)

    def _thresholds(self, before: Numbers, has_before: Mask) -> Numbers:
        """Return the threshold for each item without regard to errors and priorities."""
        own = self._own()
        if self.mode != "proportional" or not has_before.any():
            return np.full(len(before), own, dtype=np.uint64)
        known: Mapping[int, int] = {
            one: threshold_of((probability_of(one) if one < ALL else 1.0) * share_of(self.percentage), self.precision)
            for one in np.unique(before).tolist()
        }
        return np.array([known[one] for one in before.tolist()], dtype=np.uint64)

    def _own(self) -> int:
        if self.mode == "hash_seed":
            # The Collector multiplies in 32 bits and rounds down; so that both decide alike, so is done here.
            buckets: int = int(np.float32(min(self.percentage, 100.0)) * np.float32(2**BUCKET_BITS / 100))
            return int(2**BUCKET_BITS - buckets) << (56 - BUCKET_BITS)
        return threshold_of(share_of(self.percentage), self.precision)
