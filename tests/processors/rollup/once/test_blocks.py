"""A block gives back what was put into it, narrow or not."""

import numpy as np
import pytest

from processors.rollup.once.blocks import ABOVE, CHANGING, STATE, Block
from processors.rollup.once.facts import FACTS, FIRST_CHUNK, WORDS, Facts, fact_of

BOUNDS = [(0, 1), (-1, 255), (-1, 254), (-5, 70_000), (-(2**31), 2**31), (-(2**63), 2**63 - 1), (2**62, 2**62 + 2**32)]
WORDS_TOLD = ["", "chat", "gpt-4o", "openai"]


def facts_of_any_width(count, chance):
    matrix = np.empty((FACTS, count), dtype=np.int64)
    for line in range(FACTS):
        least, most = BOUNDS[chance.integers(len(BOUNDS))]
        matrix[line] = chance.integers(least, most, count)
        if chance.random() < 0.5:
            matrix[line] = chance.choice(matrix[line, :2], count)
    matrix[FIRST_CHUNK] = chance.choice([-1.0, 0.25, 1e9], count).view(np.int64)
    matrix[WORDS:] = chance.integers(0, len(WORDS_TOLD), matrix[WORDS:].shape)
    return Facts(matrix, WORDS_TOLD, (matrix[0, :0], matrix[0, :0]))


@pytest.mark.parametrize("count", [1, 2, 9, 300])
@pytest.mark.parametrize("seed", range(5))
def test_what_was_put_in(seed, count):
    chance = np.random.default_rng(seed)
    facts = facts_of_any_width(count, chance)
    block = Block(count, 0.0)
    state = np.repeat([[-1], [0], [0], [-1], [0]], count, axis=1)
    half = count // 2
    block.put(0, facts, slice(0, half), state)
    block.put(half, facts, slice(half, count), state)
    for narrow in (False, True):
        if narrow:
            block.narrow()
        for line in range(WORDS):
            assert block.line(line, slice(half, count)).tolist() == facts.matrix[line, half:].tolist()
            assert block.read(line, count - 1) == facts.matrix[line, -1]
        for place in range(0, count, 7):
            assert block.fact(5, place) == fact_of(5, facts.matrix[:, place].tolist(), WORDS_TOLD)


def test_lines_that_change():
    block = Block(4, 0.0)

    assert [block.line(line, slice(0, 2)).tolist() for line in CHANGING] == [[-1, -1], [0, 0], [0, 0], [-1, -1], [0, 0]]
    block.write(ABOVE, 1, 2**40)
    block.fill(STATE, 1, np.array([2, 1]))
    assert block.line(ABOVE, slice(0, 3)).tolist() == [-1, 2**40, -1]
    assert [block.read(STATE, place) for place in range(4)] == [-1, 2, 1, -1]
