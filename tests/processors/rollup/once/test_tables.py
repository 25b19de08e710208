"""Groups of rows hold what plain sets would, and give back what they held."""

import random
from collections import defaultdict

import pytest

from processors.rollup.once.tables import Groups, Table


def held(groups):
    return {key: set(groups.of(key)) for key in groups}


@pytest.mark.parametrize("seed", range(10))
def test_groups_are_sets_whose_changes_can_be_taken_back(seed):
    chance, log = random.Random(seed), []
    groups, plain, before = Groups(log), defaultdict(set), {}
    for _ in range(400):
        key, row = chance.randrange(4), chance.randrange(6)
        match chance.randrange(8):
            case 0 | 1 | 2 | 3:
                groups.add(key, row)
                plain[key].add(row)
            case 4 | 5:
                groups.discard(key, row)
                plain[key].discard(row)
            case 6 if chance.random() < 0.3:
                groups.drop(key)
                plain[key].clear()
            case 7 if chance.random() < 0.2:
                log.clear()
                before = held(groups)
            case 7:
                for undo in reversed(log):
                    undo()
                log.clear()
                assert held(groups) == before
                plain = defaultdict(set, {key: set(rows) for key, rows in before.items()})

        assert held(groups) == {key: rows for key, rows in plain.items() if rows}
        assert [groups.size(key) for key in range(4)] == [len(plain[key]) for key in range(4)]
        assert [key in groups for key in range(4)] == [bool(plain[key]) for key in range(4)]


def test_what_groups_forget_does_not_come_back():
    log = []
    groups = Groups(log)
    for row in range(6):
        groups.add("a", row)
    groups.add("b", 1)
    log.clear()
    groups.forget(["a", "b", "c"], range(4))
    groups.add("a", 9)
    log.pop()()

    assert held(groups) == {"a": {4, 5}}


def test_a_table_gives_back_what_it_held():
    log = []
    table = Table(log)
    table.put("a", 1)
    log.clear()
    table.put("a", 2)
    table.put("b", 3)
    table.drop("a")
    table.drop("c")
    for undo in reversed(log):
        undo()

    assert table == {"a": 1}
