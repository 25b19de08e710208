"""Calls that two libraries of one process report at the same time: found by model and time, paired by nearness.

Only libraries that may tell of the same calls are compared: two scopes of one process that name one model, where
outcomes agree and ids of responses, if both have them, are of different forms.
"""

from collections.abc import Iterable, Iterator

import numpy as np

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
    Hashes,
    form_of,
    mixed,
)
from processors.rollup.once.ledger import Ledger, Table
from processors.rollup.once.merging import Report, distance_of
from processors.rollup.once.pairs import Edge, Pairs, edge

_LINES = (PROCESS, CLASS, REQUESTED, ANSWERED, SCOPE, ERROR, FINISHED, OUTPUT, RESPONSE)
_UNKNOWN, _SUCCEEDED, _FAILED = range(3)
_OUTCOMES = 3
_SLOT_BITS = 29  # half a second of nanoseconds: more than may lie between the starts of what is one call

_NO_MODEL, _ANY_MODEL = 0, -1

_Slot = tuple[int, int, int, int]


class Rivals:
    """Knows which kinds of calls may be told of twice."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._groups: Table[int, tuple[int, int, int]] = ledger.table()
        self._members: Table[int, tuple[int, ...]] = ledger.table()
        self._rivals: Table[int, bool] = ledger.table()

    def learn(self, rows: range) -> set[int]:
        """Take in new calls and return the rows, old ones among them, that may be told of twice as is known now."""
        topics, groups, scopes, kinds = self._groups_of(rows.start)
        found: set[int] = set()
        fresh = set(groups.ravel().tolist()) - self._groups.keys() - {0}
        awoken: set[int] = set()
        for group in fresh:
            line, place = (int(where[0]) for where in np.nonzero(groups == group))
            awoken |= self._introduce(group, int(topics[line, place]), int(scopes[place]), int(kinds[place]), line == 2)
        if awoken - fresh:
            found |= self._rows_of(awoken - fresh, self._ledger.first)
        mine = self._rivals.keys() & set(groups.ravel().tolist()) if self._rivals else set()
        if mine:
            found |= {int(place) + rows.start for place in np.flatnonzero(np.isin(groups, list(mine)).any(axis=0))}
        return found

    def sweep(self) -> None:
        """Forget the groups that nobody is in any more."""
        live = set(self._groups_of(self._ledger.first)[1].ravel().tolist())
        for group in self._groups.keys() - live:
            topic = self._groups.pop(group)[0]
            self._rivals.pop(group, None)
            kept = tuple(other for other in self._members.get(topic, ()) if other != group)
            if kept:
                self._members[topic] = kept
            else:
                self._members.pop(topic, None)

    def _groups_of(self, first: int) -> tuple[Hashes, Hashes, Hashes, Hashes]:
        """Return topics (process, class, model), groups (topic, scope, kind), scopes and kinds.

        Topics and groups have a line for each model that a call may name, and one for any.
        """
        process, kind, requested, answered, scope, error, finished, output, response = self._ledger.lines(_LINES, first)
        sign = (finished > 0) | (output >= 0)
        outcome = np.where(error >= 0, _FAILED, np.where(sign, _SUCCEEDED, _UNKNOWN))
        nameless = (requested == 0) & (answered == 0)
        kinds = (form_of(response) * _OUTCOMES + outcome) * 2 + nameless
        place = mixed(process, kind & EMBEDDINGS)
        anything = np.full_like(requested, _ANY_MODEL)
        models = np.stack((requested, np.where(answered == requested, 0, answered), anything))
        topics = mixed(np.broadcast_to(place, models.shape).copy(), models)
        groups = mixed(topics, mixed(scope, kinds))
        groups[(models == 0) | ((kind & VIEW) != 0)] = 0
        return topics, groups, scope, kinds

    def _introduce(self, group: int, topic: int, scope: int, kind: int, any_model: bool) -> set[int]:
        """Remember *group*, and return all that it makes rivals of; where any model will do, one must have no name."""
        awoken = set()
        for other in self._members.get(topic, ()):
            _, their_scope, their_kind = self._groups[other]
            nameless = not any_model or (kind | their_kind) & 1
            if scope != their_scope and nameless and _may_agree(kind >> 1, their_kind >> 1):
                awoken |= {group, other} - self._rivals.keys()
        self._groups.put(group, (topic, scope, kind))
        self._members.put(topic, (*self._members.get(topic, ()), group))
        for each in awoken:
            self._rivals.put(each, value=True)
        return awoken

    def _rows_of(self, groups: set[int], first: int) -> set[int]:
        places = np.flatnonzero(np.isin(self._groups_of(first)[1], list(groups)).any(axis=0))
        return set((places + first).tolist())


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
        for anchor in self._reports.keys() & set(rows):
            for slot in _slots_of(self._reports.pop(anchor)):
                kept = tuple(other for other in self._slots.get(slot, ()) if other != anchor)
                if kept:
                    self._slots[slot] = kept
                else:
                    self._slots.pop(slot, None)
            self._pairs.forget(anchor)

    def _edges(self, anchor: int) -> Iterator[Edge]:
        mine = self._reports.get(anchor)
        if mine is None:
            return
        seen = {anchor}
        for process, model, kind, number in _around(mine):
            for near in (number - 1, number, number + 1):
                for other in self._slots.get((process, model, kind, near), ()):
                    if other in seen:
                        continue
                    seen.add(other)
                    theirs = self._reports[other]
                    distance = distance_of(mine, theirs)
                    if distance is not None:
                        yield edge(distance, (mine.fact.key, theirs.fact.key), other)


def _may_agree(kind: int, other: int) -> bool:
    """Tell whether calls of two kinds may be the same: outcomes do not contradict, and one has no id of that form."""
    (form, outcome), (their_form, their_outcome) = divmod(kind, _OUTCOMES), divmod(other, _OUTCOMES)
    return not (form and form == their_form) and {outcome, their_outcome} != {_SUCCEEDED, _FAILED}


def _slots_of(report: Report) -> list[_Slot]:
    """Return where *report* is found: by its models and under any model, or as one without."""
    models = report.fact.models
    return _slots(report, (*sorted(models), _ANY_MODEL) if models else (_NO_MODEL,))


def _around(report: Report) -> list[_Slot]:
    """Return where *report* finds others: a report without a model may mean any."""
    models = report.fact.models
    return _slots(report, (*sorted(models), _NO_MODEL) if models else (_NO_MODEL, _ANY_MODEL))


def _slots(report: Report, models: Iterable[int]) -> list[_Slot]:
    fact = report.fact
    return [(fact.process, model, fact.kind & EMBEDDINGS, fact.start >> _SLOT_BITS) for model in models]
