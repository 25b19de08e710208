"""Calls that two libraries of one process report at the same time: found by model and time, paired by nearness.

Only libraries that may tell of the same calls are compared: two scopes of one process that name one model, where
outcomes agree and ids of responses, if both have them, are of different forms. Of their calls only those are that begin
and end about together and read as many tokens, as far as they say. Where more have all this in common than anybody
could tell apart, nothing is compared.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from processors.rollup.once.facts import (
    ANSWERED,
    CLASS,
    EMBEDDINGS,
    ERROR,
    FINISHED,
    OUTPUT,
    PROCESS,
    REQUESTED,
    RESPONSE,
    SCOPE,
    VIEW,
    Fact,
    Facts,
    Hashes,
    form_of,
    mixed,
)
from processors.rollup.once.ledger import Ledger
from processors.rollup.once.merging import FARTHEST, SLACK, Report, distance_of, inputs_of, joined
from processors.rollup.once.pairs import Edge, Pairs, edge
from processors.rollup.once.tables import Groups, Table

_LINES = (PROCESS, CLASS, REQUESTED, ANSWERED, SCOPE, ERROR, FINISHED, OUTPUT, RESPONSE)
_UNKNOWN, _SUCCEEDED, _FAILED = range(3)
_SLOT_BITS = 29  # half a second of nanoseconds: about as far as starts and ends of what is one call may lie apart
_END_BITS = 26  # about as far as the ends alone may lie apart, where all tokens are the same

_MOST_GROUPS = 1024  # that are compared in one process
_MOST_AROUND = 256  # calls of one model with as many tokens that begin and end within half a second

_NONE, _ANY = 0, -1
"""Stand for a model that is not named, and for whichever is."""

_Topic = tuple[int, int, int]


class _Group(NamedTuple):
    """Is what calls, the first of them in the row *since*, have in common that may be told of by the same others."""

    since: int
    topics: tuple[_Topic, ...]
    around: tuple[_Topic, ...]
    scope: int
    form: int
    outcome: int

    def may_mean(self, other: "_Group") -> bool:
        """Tell whether calls of both may be the same: outcomes do not contradict, and one has no id of that form."""
        contrary = {self.outcome, other.outcome} == {_SUCCEEDED, _FAILED}
        return self.scope != other.scope and not contrary and not (self.form and self.form == other.form)


class Rivals:
    """Knows which groups of calls may be told of twice."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._groups: Table[int, _Group] = ledger.table()
        self._newest: Table[int, int] = ledger.table()
        self._members: Groups[_Topic] = ledger.groups()
        self._rivals: Table[int, bool] = ledger.table()

    def learn(self, facts: Facts, rows: range) -> set[int]:
        """Take in new calls and return all rows, old ones among them, that may be told of twice as is known now."""
        numbered = pa.array(_groups_of(facts.matrix[line] for line in _LINES)).dictionary_encode()
        groups, numbers = numbered.dictionary.to_pylist(), np.asarray(numbered.indices)
        fresh: set[int] = set()
        awoken: set[int] = set()
        for number, group in enumerate(groups):
            if group not in self._groups:
                fresh.add(group)
                awoken |= self._introduce(group, rows[int((numbers == number).argmax())])
            self._newest.put(group, rows[-1])
        found: set[int] = set()
        earlier = awoken - fresh
        if earlier:
            since = max(self._ledger.first, min(self._groups[group].since for group in earlier))
            groups_since = _groups_of(self._ledger.lines(_LINES, since))
            found = set((np.flatnonzero(np.isin(groups_since, list(earlier))) + since).tolist())
        if not self._rivals:
            return found
        rivals = np.array([group in self._rivals for group in groups])
        return found | set((np.flatnonzero(rivals[numbers]) + rows.start).tolist())

    def sweep(self) -> None:
        """Forget the groups that nobody is in any more."""
        first = self._ledger.first
        for group in [group for group, row in self._newest.items() if row < first]:
            self._rivals.pop(group, None)
            self._newest.pop(group)
            self._members.forget(self._groups.pop(group).topics, (group,))

    def _introduce(self, group: int, row: int) -> set[int]:
        """Remember the *group* of the call in *row*, and return all that it makes rivals of."""
        mine = self._group(self._ledger.fact(row))
        others = self._members.near(mine.around, _MOST_GROUPS)
        awoken = {other for other in others if mine.may_mean(self._groups[other])}
        if awoken:
            awoken.add(group)
        for topic in mine.topics:
            self._members.add(topic, group)
        self._groups.put(group, mine)
        awoken = {each for each in awoken if each not in self._rivals}
        for each in awoken:
            self._rivals.put(each, value=True)
        return awoken

    def _group(self, fact: Fact) -> _Group:
        told, around = ((), ()) if fact.kind & VIEW else (_places(fact.models), _sought(fact.models))
        topics, others = ([(fact.process, fact.kind & EMBEDDINGS, model) for model in each] for each in (told, around))
        sign = fact.finished or fact.tokens[1] >= 0
        outcome = _FAILED if fact.error >= 0 else _SUCCEEDED if sign else _UNKNOWN
        return _Group(fact.row, tuple(topics), tuple(others), fact.scope, form_of(fact.response), outcome)


class Overlaps:
    """Pairs reports that lie inside each other."""

    def __init__(self, ledger: Ledger) -> None:
        self._reports: Table[int, Report] = ledger.table()
        self._slots: Groups[int] = ledger.groups()
        self._pairs = Pairs(ledger.table(), self._edges)

    def join(self, rows: set[int], reports: Mapping[int, Report]) -> tuple[dict[int, Report], set[int]]:
        """Let of *rows* only *reports* (by anchor) stand; return what they and all they touch say in twos, and whose.

        What was written by who answered is paired with nothing.
        """
        for row in rows - reports.keys():
            self._replace(row, None)
        for anchor, report in reports.items():
            self._replace(anchor, None if report.fact.kind & VIEW else report)
        moved = self._pairs.settle()
        whole = {**reports, **{anchor: self._reports[anchor] for anchor in moved if anchor in self._reports}}
        calls, done = {}, set()
        for anchor, report in whole.items():
            if anchor in done:
                continue
            mate = self._pairs.of(anchor)
            other = None if mate is None else self._reports.get(mate)
            done.add(mate)
            call = report if other is None else joined((report, other))
            calls[call.anchor] = call
        return calls, moved

    def _replace(self, anchor: int, report: Report | None) -> None:
        """Let *report* stand under *anchor* instead of what did; None is nothing."""
        old = self._reports.get(anchor)
        if old == report:
            return
        if old is not None:
            self._pairs.remove(anchor)
            self._reports.drop(anchor)
            for slot in _slots_of(old):
                self._slots.discard(slot, anchor)
        if report is not None:
            self._reports.put(anchor, report)
            for slot in _slots_of(report):
                self._slots.add(slot, anchor)
            self._pairs.add(anchor)

    def forget(self, rows: range) -> None:
        """Forget what stands under *rows*; their mates stay paired."""
        for anchor in self._reports.keys() & rows:
            self._slots.forget(_slots_of(self._reports.pop(anchor)), (anchor,))
            self._pairs.forget(anchor)

    def _edges(self, anchor: int) -> Iterator[Edge]:
        mine = self._reports.get(anchor)
        if mine is None:
            return
        for other in self._slots.near(_slots_around(mine), _MOST_AROUND) - {anchor}:
            theirs = self._reports[other]
            distance = distance_of(mine, theirs)
            if distance is not None:
                yield edge(distance, (mine.fact.key, theirs.fact.key), other)


def _groups_of(lines: Iterable[Hashes]) -> Hashes:
    """Return the group of each call of which *lines* tell."""
    process, kind, requested, answered, scope, error, finished, output, response = lines
    traits = (form_of(response) << 8) + (kind << 2) + _outcomes(error, finished, output)
    return mixed(mixed(process, scope), mixed(mixed(requested, answered), traits))


def _outcomes(error: Hashes, finished: Hashes, output: Hashes) -> Hashes:
    told = np.where((finished > 0) | (output >= 0), _SUCCEEDED, _UNKNOWN)
    return np.where(error >= 0, _FAILED, told)


def _places(told: Iterable[int]) -> tuple[int, ...]:
    """Return under what something stands that goes by what is *told* of it: that, and whichever; or as one untold."""
    known = sorted(told)
    return (*known, _ANY) if known else (_NONE,)


def _sought(told: Iterable[int]) -> tuple[int, ...]:
    """Return under what stands what may be the same: that, and those untold; who tells nothing may mean any."""
    known = sorted(told)
    return (*known, _NONE) if known else (_NONE, _ANY)


def _slots_of(report: Report) -> list[int]:
    """Return where *report* is found: by its models, by its tokens, and by when it began and ended, or only ended."""
    return _slots(report, _places, 0, 0)


def _slots_around(report: Report) -> list[int]:
    """Return where *report* finds others."""
    return _slots(report, _sought, FARTHEST, SLACK)


def _slots(report: Report, ways: Callable[[Iterable[int]], tuple[int, ...]], reach: int, slack: int) -> list[int]:
    fact = report.fact
    models, tokens = ways(fact.models), ways(inputs_of(fact))
    starts, ends = _numbers(fact.start, reach, _SLOT_BITS), _numbers(fact.end, reach, _SLOT_BITS)
    common = (fact.process, fact.kind & EMBEDDINGS)
    slots = [
        hash((common, model, count, start, end))
        for model in models
        for count in tokens
        for start in starts
        for end in ends
    ]
    if min(fact.tokens[:2]) > 0:
        slots += [hash((common, fact.tokens[:2], end)) for end in _numbers(fact.end, slack, _END_BITS)]
    return slots


def _numbers(moment: int, reach: int, bits: int) -> range:
    """Return the numbers of the slots of all moments that are no farther than *reach* from this one."""
    return range(moment - reach >> bits, (moment + reach >> bits) + 1)
