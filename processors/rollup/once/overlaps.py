"""Calls that two libraries of one process report at the same time: found by model and time, paired by nearness.

Only libraries that may tell of the same calls are compared: two scopes of one process that name one model, where
outcomes agree and ids of responses, if both have them, are of different forms.
"""

from collections.abc import Iterable, Iterator
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
from processors.rollup.once.ledger import Ledger, Table, forget_members
from processors.rollup.once.merging import FARTHEST, Report, distance_of
from processors.rollup.once.pairs import Edge, Pairs, edge

_LINES = (PROCESS, CLASS, REQUESTED, ANSWERED, SCOPE, ERROR, FINISHED, OUTPUT, RESPONSE)
_UNKNOWN, _SUCCEEDED, _FAILED = range(3)
_SLOT_BITS = 29  # half a second of nanoseconds: about as far as starts and ends of what is one call may lie apart

_NO_MODEL, _ANY_MODEL = 0, -1

_Topic = tuple[int, int, int]
_Slot = tuple[int, int, int, int, int]


class _Group(NamedTuple):
    """Is what calls, the first of them in the row *since*, have in common that may be told of by the same others."""

    since: int
    topics: tuple[_Topic, ...]
    scope: int
    form: int
    outcome: int
    nameless: bool

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
        self._members: Table[_Topic, tuple[int, ...]] = ledger.table()
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
            forget_members(self._members, self._groups.pop(group).topics, (group,))

    def _introduce(self, group: int, row: int) -> set[int]:
        """Remember the *group* of the call in *row*, and return all that it makes rivals of."""
        mine = self._group(self._ledger.fact(row))
        awoken = set()
        for topic in mine.topics:
            for other in self._members.get(topic, ()):
                theirs = self._groups[other]
                named = topic[2] != _ANY_MODEL or mine.nameless or theirs.nameless
                if named and mine.may_mean(theirs):
                    awoken |= {group, other} - self._rivals.keys()
            self._members.put(topic, (*self._members.get(topic, ()), group))
        self._groups.put(group, mine)
        for each in awoken:
            self._rivals.put(each, value=True)
        return awoken

    def _group(self, fact: Fact) -> _Group:
        models = () if fact.kind & VIEW else (*sorted(fact.models), _ANY_MODEL)
        topics = tuple((fact.process, fact.kind & EMBEDDINGS, model) for model in models)
        sign = fact.finished or fact.tokens[1] >= 0
        outcome = _FAILED if fact.error >= 0 else _SUCCEEDED if sign else _UNKNOWN
        return _Group(fact.row, topics, fact.scope, form_of(fact.response), outcome, not fact.models)


class Overlaps:
    """Pairs reports that lie inside each other."""

    def __init__(self, ledger: Ledger) -> None:
        self._reports: Table[int, Report] = ledger.table()
        self._slots: Table[_Slot, tuple[int, ...]] = ledger.table()
        self._pairs = Pairs(ledger.table(), self._edges)

    def replace(self, anchor: int, report: Report | None) -> None:
        """Let *report* stand under *anchor* instead of what did; None is nothing."""
        old = self._reports.get(anchor)
        if old == report:
            return
        if old is not None:
            self._pairs.remove(anchor)
            self._reports.drop(anchor)
            for slot in _slots_of(old):
                kept = tuple(other for other in self._slots[slot] if other != anchor)
                self._slots.put(slot, kept) if kept else self._slots.drop(slot)
        if report is not None:
            self._reports.put(anchor, report)
            for slot in _slots_of(report):
                self._slots.put(slot, (*self._slots.get(slot, ()), anchor))
            self._pairs.add(anchor)

    def settle(self) -> set[int]:
        """Pair what changed, and return the anchors whose mate is another now."""
        return self._pairs.settle()

    def mate_of(self, anchor: int) -> int | None:
        """Return the anchor of the report that tells of the same call."""
        return self._pairs.of(anchor)

    def report(self, anchor: int) -> Report:
        """Return the report that stands under *anchor*."""
        return self._reports[anchor]

    def __contains__(self, anchor: int) -> bool:
        return anchor in self._reports

    def forget(self, rows: range) -> None:
        """Forget what stands under *rows*; their mates stay paired."""
        for anchor in self._reports.keys() & rows:
            forget_members(self._slots, _slots_of(self._reports.pop(anchor)), (anchor,))
            self._pairs.forget(anchor)

    def _edges(self, anchor: int) -> Iterator[Edge]:
        mine = self._reports.get(anchor)
        if mine is None:
            return
        seen = {anchor}
        for slot in _around(mine):
            for other in self._slots.get(slot, ()):
                if other in seen:
                    continue
                seen.add(other)
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


def _slots_of(report: Report) -> list[_Slot]:
    """Return where *report* is found: by its models and under any model, or as one without."""
    models = report.fact.models
    return _slots(report, (*sorted(models), _ANY_MODEL) if models else (_NO_MODEL,), 0)


def _around(report: Report) -> list[_Slot]:
    """Return where *report* finds others: a report without a model may mean any."""
    models = report.fact.models
    return _slots(report, (*sorted(models), _NO_MODEL) if models else (_NO_MODEL, _ANY_MODEL), FARTHEST)


def _slots(report: Report, models: Iterable[int], reach: int) -> list[_Slot]:
    fact = report.fact
    process, kind = fact.process, fact.kind & EMBEDDINGS
    starts, ends = _numbers(fact.start, reach), _numbers(fact.end, reach)
    return [(process, model, kind, start, end) for model in models for start in starts for end in ends]


def _numbers(moment: int, reach: int) -> range:
    """Return the numbers of the slots of all moments that are no farther than *reach* from this one."""
    return range(moment - reach >> _SLOT_BITS, (moment + reach >> _SLOT_BITS) + 1)
