"""Pairs are those that the nearest-first rule gives for the whole set, whatever came and went before."""

from collections import defaultdict

import numpy as np
import pytest

from processors.rollup.once.ledger import Ledger
from processors.rollup.once.pairs import Pairs, edge


def nearest_first(present, distances):
    mates = {}
    for _, one, other in sorted((d, *pair) for pair, d in distances.items()):
        if {one, other} <= present and one not in mates and other not in mates:
            mates[one], mates[other] = other, one
    return mates


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes(seed):
    chance = np.random.default_rng(seed)
    around, distances, present = defaultdict(set), {}, set()
    for one in range(12):
        for other in range(one + 1, 12):
            if chance.random() < 0.4:
                distances[one, other] = int(chance.integers(5))
                around[one].add(other)
                around[other].add(one)

    def edges(one):
        near = present & around[one] if one in present else ()
        return [edge(distances[min(one, other), max(one, other)], (one, other), other) for other in near]

    pairs = Pairs(Ledger().table(), edges)
    for one in chance.integers(0, 12, 60).tolist():
        if one in present:
            pairs.remove(one)
            present.discard(one)
        else:
            present.add(one)
            pairs.add(one)
        if chance.random() < 0.6:
            pairs.settle()
            expected = nearest_first(present, distances)

            assert expected == {one: pairs.of(one) for one in present if pairs.of(one) is not None}


def test_settling_tells_whose_mate_changed():
    present = {1, 2}
    pairs = Pairs(Ledger().table(), lambda one: [edge(abs(one - o), (one, o), o) for o in present - {one}])
    pairs.add(1)
    pairs.add(2)

    assert pairs.settle() == {1, 2}
    assert pairs.settle() == set()
