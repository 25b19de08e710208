"""Some thousands of calls in a row: what they said, as narrow as it allows once all are there, and what changes.

growing    64 bits a number, a line for each of `Fact`
full       the same lines, each less the least of it, in as many bytes as that needs: none, 1, 2, 4 or 8
           (hashes that many calls have in common are numbered first)
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors.rollup.once.facts import (
    ANSWERED,
    FACTS,
    PROCESS,
    PROMPT,
    REQUESTED,
    SCOPE,
    WORDS,
    Fact,
    Facts,
    fact_of,
    used_words,
)

ABOVE, LEAVES, LEAF_SUM, STATE, WAITS = CHANGING = range(FACTS, FACTS + 5)
"""Lines that change: the row of the next call above, -1 if there is none; how many innermost calls there are below,
and the sum of their rows; what the row counts for; the key of the span that is waited for above it."""
NEW, NOTHING, ITSELF, MERGED = range(-1, 3)
"""What a row may count for: not known yet, nothing, what its span said, or what several spans said together."""

Numbers = npt.NDArray[np.int64]

_BLANK = {ABOVE: -1, LEAVES: 0, LEAF_SUM: 0, STATE: NEW, WAITS: 0}
_WIDTH = {ABOVE: np.int64, LEAVES: np.int32, LEAF_SUM: np.int64, STATE: np.int8, WAITS: np.int64}
_COMMON = (PROCESS, SCOPE, REQUESTED, ANSWERED, PROMPT)
"""Lines of hashes that many calls have in common."""
_KINDS = (np.uint8, np.uint16, np.uint32)
_MOST = np.array([0, *(np.iinfo(kind).max for kind in _KINDS)], dtype=np.uint64)


class _Wide:
    """Is a matrix whose numbers are still coming."""

    def __init__(self, matrix: Numbers) -> None:
        self._matrix = matrix

    def read(self, line: int, place: int) -> int:
        return int(self._matrix[line, place])

    def line(self, line: int, part: slice) -> Numbers:
        return self._matrix[line, part]

    def column(self, place: int) -> Numbers:
        return self._matrix[:, place]


class _Narrow:
    """Is what `_Wide` is, with lines as wide as their numbers need."""

    def __init__(self, matrix: Numbers) -> None:
        self._distinct: dict[int, Numbers] = {}
        for line in _COMMON:
            numbered = pa.array(matrix[line]).dictionary_encode()
            if len(numbered.dictionary) <= matrix.shape[1] // 4:
                self._distinct[line] = np.asarray(numbered.dictionary)
                matrix[line] = numbered.indices
        least, most = matrix.min(axis=1), matrix.max(axis=1)
        widths = np.searchsorted(_MOST, most.view(np.uint64) - least.view(np.uint64))
        wide = widths == len(_MOST)
        least[wide] = 0
        self._least = least
        self._pieces = [(np.flatnonzero(wide), matrix[wide])]
        for width, kind in enumerate(_KINDS, 1):
            lines = np.flatnonzero(widths == width)
            self._pieces.append((lines, (matrix[lines] - least[lines, None]).astype(kind)))
        self._lines = {
            line: numbers for lines, piece in self._pieces for line, numbers in zip(lines.tolist(), piece, strict=True)
        }

    def read(self, line: int, place: int) -> int:
        number: int = self._least.item(line) + (self._lines[line].item(place) if line in self._lines else 0)
        return int(self._distinct[line][number]) if line in self._distinct else number

    def line(self, line: int, part: slice) -> Numbers:
        numbers = np.full(part.stop - part.start, self._least[line], dtype=np.int64)
        if line in self._lines:
            numbers += self._lines[line][part]
        decoded: Numbers = self._distinct[line][numbers] if line in self._distinct else numbers
        return decoded

    def column(self, place: int) -> Numbers:
        column: Numbers = self._least.copy()
        for lines, piece in self._pieces:
            column[lines] += piece[:, place]
        for line, values in self._distinct.items():
            column[line] = values[column[line]]
        return column


class Block:
    """Holds the calls of *size* rows; *arrived* is when the last of them came."""

    def __init__(self, size: int, arrived: float) -> None:
        self.arrived = arrived
        self._size = size
        self._words: list[str] = []
        self._codes: dict[str, int] = {}
        self._wide = np.zeros((FACTS, size), dtype=np.int64)
        self._facts: _Wide | _Narrow = _Wide(self._wide)
        # A line that changes is there as soon as one of its numbers differs from what all are at first.
        self._changing: dict[int, npt.NDArray[np.signedinteger]] = {}

    def put(self, place: int, facts: Facts, part: slice, state: Numbers) -> None:
        """Let the calls of this *part* of *facts* stand from *place* on, with *state* in the lines that change."""
        matrix = facts.matrix[:, part]
        target = self._wide[:, place : place + matrix.shape[1]]
        target[:WORDS] = matrix[:WORDS]
        used = used_words(facts)
        codes = np.zeros(len(facts.words), dtype=np.int64)
        codes[used] = [self._code_of(facts.words[word]) for word in used.tolist()]
        target[WORDS:] = codes[matrix[WORDS:]]
        for line, numbers in zip(CHANGING, state[:, part], strict=True):
            self.fill(line, place, numbers)

    def fill(self, line: int, place: int, numbers: Numbers) -> None:
        """Write *numbers* into a line that changes, from *place* on."""
        if line in self._changing or (numbers != _BLANK[line]).any():
            self._line_of(line)[place : place + len(numbers)] = numbers

    def narrow(self) -> None:
        """Hold the facts in as little room as they need: no more will come."""
        self._facts, self._wide = _Narrow(self._wide), self._wide[:, :0].copy()
        self._codes = {}

    def read(self, line: int, place: int) -> int:
        """Return one number of a call."""
        if line < FACTS:
            return self._facts.read(line, place)
        return self._changing[line].item(place) if line in self._changing else _BLANK[line]

    def write(self, line: int, place: int, number: int) -> None:
        """Change one number of a call."""
        self._line_of(line)[place] = number

    def line(self, line: int, part: slice) -> npt.NDArray[np.signedinteger]:
        """Return the numbers of several calls."""
        if line < FACTS:
            return self._facts.line(line, part)
        if line in self._changing:
            return self._changing[line][part]
        return np.full(part.stop - part.start, _BLANK[line], dtype=np.int64)

    def fact(self, row: int, place: int) -> Fact:
        """Return what the call in *row* said, which stands at *place*."""
        return fact_of(row, self._facts.column(place).tolist(), self._words)

    def _line_of(self, line: int) -> npt.NDArray[np.signedinteger]:
        if line not in self._changing:
            self._changing[line] = np.full(self._size, _BLANK[line], dtype=_WIDTH[line])
        return self._changing[line]

    def _code_of(self, word: str) -> int:
        code = self._codes.setdefault(word, len(self._words))
        if code == len(self._words):
            self._words.append(word)
        return code
