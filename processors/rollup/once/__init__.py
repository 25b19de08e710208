"""Counting a call once, whoever reports it and in whatever order its spans come.

    facts ──> ledger ──> trees, streams, responses, views, overlaps: what touches what was known
                                     │ only those
                                     v
                                resolution ──> what counts as it is, what is put right

`merging` holds the rules; all else finds where they apply. What a set of spans adds up to depends on the set alone.

An example: a framework's chat span W, its span T that is no call, and below that the span L of the client library, all
about one call, each in a request of its own.

    W comes    counts as it is, for all that is known         + W
    L comes    counts too: T is not known, nor whose it is    + W + L
    T comes    L is found to be below W, so W is a wrapper    + W + L - W

The words that are used throughout:

    fact       what one span says about a call; the ledger keeps it in a row
    link       a span that is no call: only its key and its parent's are kept
    leaf       an innermost call; the calls of its class around it are wrappers
    part       a span without length that tells the rest of a stream, whose first half is the request
    view       a call as who answered it saw it
    report     what one library says of a call: leaf, wrappers and parts; its anchor is the row that speaks for it
    cluster    the reports of one response
    mates      two reports of one moment, or two such twos
    record     what a call adds to sums
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from processors.rollup.once.blocks import CHANGING, ITSELF, LEAVES, MERGED, NEW, NOTHING, STATE
from processors.rollup.once.facts import CLASS, KEY, RESPONSE, VIEW, Facts, Hashes
from processors.rollup.once.ledger import Ledger
from processors.rollup.once.notes import Note, State
from processors.rollup.once.overlaps import Rivals
from processors.rollup.once.resolution import MOST_SHARING, Change, Counted, Resolution
from processors.rollup.once.trees import Trees

__all__ = ["Change", "Limits", "Once", "Verdict"]


class Limits(NamedTuple):
    """Says how much is remembered: for how many seconds, and how many calls and other spans at most."""

    window: float
    max_calls: int
    max_links: int


class Verdict(NamedTuple):
    """Says what became of the calls of a batch.

    *counts* tells which of them count as they are, *reasons* why others do not, by place. *changes* are what else
    is to be added or taken out. *note* is what to write down, None if nothing was learned.
    """

    counts: npt.NDArray[np.bool_]
    reasons: Mapping[int, str]
    changes: Sequence[Change]
    note: Note | None


class Once:
    """Remembers calls and tells which count."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ledger = Ledger()
        self._trees = Trees(self._ledger)
        self._rivals = Rivals(self._ledger)
        self._resolution = Resolution(self._ledger)

    def __len__(self) -> int:
        """Return how many calls are remembered."""
        return self._ledger.next - self._ledger.first

    @property
    def links(self) -> int:
        """How many spans that are no calls are remembered."""
        return len(self._ledger.links)

    def learn(self, facts: Facts, now: float) -> Verdict:
        """Take in the calls and links of a batch that came at the time *now*."""
        self._ledger.begin()
        self._expire(now)
        told = facts.matrix.shape[1]
        kept = self._claimed(facts.matrix[KEY])
        if len(kept) < told:
            facts = facts._replace(matrix=facts.matrix[:, kept])
        rows, touched = self._admit(facts, now)
        changes = self._resolution.settle(touched)
        states = self._default(rows)
        counts = np.zeros(told, dtype=bool)
        counts[kept] = states == ITSELF
        reasons = self._reasons(rows, states, kept)
        reasons |= dict.fromkeys(set(range(told)) - set(kept.tolist()), "repeated") if len(kept) < told else {}
        return Verdict(counts, reasons, changes, self._note(facts, rows, states, now))

    def _reasons(self, rows: range, states: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]) -> dict[int, str]:
        """Return why calls in *rows* count for nothing, by their places in the batch."""
        nothing = states == NOTHING
        if not nothing.any():
            return {}
        kinds, leaves = self._ledger.lines((CLASS, LEAVES), rows.start)
        wrappers = nothing & (leaves > 0) & (kinds & VIEW == 0)
        reasons = dict.fromkeys(kept[wrappers].tolist(), "wrapper")
        for place in np.flatnonzero(nothing & ~wrappers).tolist():
            reasons[int(kept[place])] = self._resolution.reason_of(rows[place])
        return reasons

    def undo(self) -> None:
        """Take back what was learned last."""
        self._ledger.rollback()

    def restore(self, notes: Sequence[Note]) -> None:
        """Learn again what was written down; what depends on more than that is final as it was."""
        recorded: dict[int, State] = {}
        for note in notes:
            self.learn(note.facts, note.now)
            states = enumerate(zip(note.facts.matrix[KEY].tolist(), note.states.tolist(), strict=True))
            mine = {key: (state, note.merged.get(place)) for place, (key, state) in states}
            for key, counted in {**mine, **note.others}.items():
                row = self._ledger.calls.get(key)
                if row is not None:
                    recorded[row] = counted
        for row, (state, record) in recorded.items():
            if self._ledger.alive(row):
                self._resolution.hold(row, state, record)
        self._ledger.begin()

    def _expire(self, now: float) -> None:
        gone = self._ledger.expire(now - self._limits.window, self._limits.max_calls, self._limits.max_links)
        if not gone:
            return
        self._resolution.forget(gone)
        self._rivals.sweep()

    def _claimed(self, keys: Hashes) -> npt.NDArray[np.int64]:
        """Let keys that are neither known nor there before stand for the next rows, and return their places."""
        ledger, rows = self._ledger, np.arange(len(keys)) + self._ledger.next
        if (ledger.calls.claim(keys, rows) == rows).all():
            return np.arange(len(keys))
        ledger.rollback()  # which took nothing but this: nothing else was learned yet
        unknown = np.flatnonzero(ledger.calls.find(keys) < 0)
        first = {key: place for key, place in zip(keys[unknown[::-1]].tolist(), unknown[::-1].tolist(), strict=True)}
        kept = np.array(sorted(first.values()), dtype=np.int64)
        ledger.calls.claim(keys[kept], rows[: len(kept)])
        return kept

    def _admit(self, facts: Facts, now: float) -> tuple[range, set[int]]:
        """Remember *facts* and return their rows, and all rows that what is learned touches."""
        ledger = self._ledger
        first, count = ledger.next, facts.matrix.shape[1]
        rows = range(first, first + count)
        touched = self._resolution.views.learn(facts, rows)
        above, leaves, sums = self._trees.within(facts, first)
        state = np.zeros((len(CHANGING), count), dtype=np.int64)
        state[:3], state[3] = (above, leaves, sums), NEW
        ledger.append(facts, state, now)
        keys, parents = facts.links
        inner = parents != 0
        ledger.links.add(keys[inner], parents[inner], now)
        touched |= self._trees.plant(facts, rows, above)
        wrappers = (leaves == 1).nonzero()[0]
        touched.update((wrappers + first).tolist(), sums[wrappers].tolist())
        if count:
            touched |= self._resolution.streams.learn(facts, rows) | self._rivals.learn(facts, rows)
            touched |= self._share(facts, rows)
        return rows, touched

    def _share(self, facts: Facts, rows: range) -> set[int]:
        """Remember the responses of new calls, and return all calls that have one in common."""
        named = np.flatnonzero(facts.matrix[RESPONSE])
        return self._ledger.share(facts.matrix[RESPONSE, named], named + rows.start, MOST_SHARING)

    def _default(self, rows: range) -> npt.NDArray[np.int64]:
        """Let new calls that nothing touches count as they are, wrappers for nothing; return the states of all."""
        states, leaves = self._ledger.lines((STATE, LEAVES), rows.start)
        states = np.where(states == NEW, np.where(leaves > 0, NOTHING, ITSELF), states)
        self._ledger.fill_states(rows.start, states)
        return states

    def _note(self, facts: Facts, rows: range, states: npt.NDArray[np.int64], now: float) -> Note | None:
        earlier = [row for row in self._resolution.settled if row < rows.start]
        others = {self._ledger.read(KEY, row): self._state_of(row) for row in earlier}
        if not (len(rows) or len(facts.links[0]) or others):
            return None
        merged = {
            place: self._resolution.counted[rows[place]].record for place in np.flatnonzero(states == MERGED).tolist()
        }
        return Note(now, facts, states.astype(np.int8), merged, others)

    def _state_of(self, row: int) -> State:
        counted: Counted | None = self._resolution.counted.get(row)
        return self._ledger.read(STATE, row), counted.record if counted else None
