"""An index finds what a dictionary would, whatever is forgotten, taken back or made anew."""

import numpy as np
import pytest

from processors.rollup.once.index import Index


class Told:
    """Is an index, and the dictionary that it should be like."""

    def __init__(self):
        self.log, self.rows, self.first, self.next = [], {}, 0, 0
        self.index = Index(self.log)

    def claim(self, keys):
        rows = np.arange(self.next, self.next + len(keys))
        owners = self.index.claim(keys, rows).tolist()
        for key, owner in zip(keys.tolist(), owners, strict=True):
            assert owner == self.rows[key] if key in self.rows else keys[owner - self.next] == key
        self.rows |= dict(zip(keys.tolist(), owners, strict=True))
        self.next += len(keys)

    def move(self, key):
        self.index.move(key, self.next)
        self.rows[key] = self.next
        self.next += 1

    def forget(self, most):
        self.first = max(self.first, self.next - most)
        self.index.forget(self.first)
        self.rows = {key: row for key, row in self.rows.items() if row >= self.first}

    def take_back(self):
        for action in reversed(self.log):
            action()

    def check(self, keys):
        found = self.index.find(keys)
        expected = [self.rows.get(key) for key in keys.tolist()]
        assert [None if row < 0 else row for row in found.tolist()] == expected
        assert [self.index.get(key) for key in keys.tolist()] == expected


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("many", [40, 400])
def test_whatever_comes_and_goes(seed, many):
    chance = np.random.default_rng(seed)
    told = Told()
    for _ in range(300):
        told.log.clear()
        if chance.random() < 0.3:
            told.forget(int(chance.integers(3000)))
        before, row = dict(told.rows), told.next
        spread = chance.choice([300, 2**62])
        keys = chance.integers(-spread, spread, chance.integers(1, many))
        told.claim(keys)
        told.check(keys)
        told.move(int(keys[0]))
        if chance.random() < 0.3:
            told.take_back()
            told.rows, told.next = before, row
        told.check(np.concatenate((keys, chance.integers(-400, 400, 50))))
        told.check(keys[:2])


def test_rows_far_from_the_first():
    log = []
    index = Index(log)
    for row in (0, 2**31 - 1, 2**40, 2**40 + 1):
        index.forget(row)
        index.claim(np.array([row + 7]), np.array([row]))

        assert index.get(row + 7) == row
    assert index.find(np.array([2**40 + 7, 2**40 + 8, 7, 1, 2, 3])).tolist() == [-1, 2**40 + 1, -1, -1, -1, -1]


def test_a_table_does_not_grow_with_what_is_forgotten():
    log = []
    index = Index(log)
    for number in range(200):
        log.clear()
        first = number * 1000
        index.forget(first - 3000)
        index.claim(np.arange(first, first + 1000) * 977, np.arange(first, first + 1000))

    assert len(index._rows) <= 2**14
