"""What the items of one batch get and lose, gathered until all of it is known."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch, Signal
from collector.rewrite import Addition, Rows, with_rewritten
from processors.genai.grammar import Origin
from processors.genai.plan import ERROR_TYPE, HTTP_STATUS, OPERATION, Plan
from processors.genai.table import Step
from processors.genai.values import Held, Reading, Source, Told

Mask = npt.NDArray[np.bool_]

_REPORTED = "genai_collector.reported."
_WORDS = frozenset({"string_value", "array_value"})
ERROR = 2  # StatusCode


class Translation:
    """Gathers what the items of one batch get and lose; only the keys of the *plan* can be asked for.

    *calls* are the operations that are calls of a model.
    *told* keeps, where wanted, which rule gave which rows which attribute.
    """

    def __init__(
        self, batch: Batch, plan: Plan, calls: frozenset[str], *, remove_originals: bool, explained: bool = False
    ) -> None:
        self.batch = batch
        self.calls = calls
        self.attributes: Attributes = attributes_of(batch)
        self.additions: dict[str, list[Addition]] = {}
        self.dropped: list[Positions] = []
        self.removes_originals = remove_originals
        self.told: list[tuple[Rows, str, str]] | None = [] if explained else None
        self._nowhere: Positions = np.full(self.attributes.count, -1, dtype=np.int64)
        self._lines = {key: line for line, key in enumerate(plan.keys)}
        self._found = self.attributes.locate(plan.keys)
        self._sources: dict[str, Source] = {}
        told = np.packbits(self.attributes.places(plan.keys) >= 0, axis=1)
        self._shapes_with = _numbers_of(tuple(plan.keys), told.tobytes())

    def has(self, key: str) -> bool:
        """Tell whether any item came with *key*."""
        return key in self._lines

    def meets(self, key: str, *others: str) -> bool:
        """Tell whether any item came with *key* and one of the *others*."""
        shapes = self._shapes_with.get(key, 0)
        return any(shapes & self._shapes_with.get(other, 0) for other in others)

    def positions(self, key: str) -> Positions:
        """Return where each row has *key*, -1 where it has not."""
        return self._found[self._lines[key]] if key in self._lines else self._nowhere

    def missing(self, key: str) -> Mask:
        """Tell which rows have no *key*, neither from the start nor added."""
        missing: Mask = self.positions(key) < 0
        for addition in self.additions.get(key, ()):
            missing[addition.rows] = False
        return missing

    def untold(self, key: str) -> Mask:
        """Tell which rows have no *key*, or one that says nothing."""
        untold: Mask = ~self.attributes.told(self.positions(key))
        for addition in self.additions.get(key, ()):
            untold[addition.rows] = False
        return untold

    def added(self, key: str) -> Mask:
        """Tell which rows were given *key*."""
        added: Mask = self.missing(key) != (self.positions(key) < 0)
        return added

    def source(self, key: str) -> Source:
        """Return where values of *key* are read."""
        if key not in self._sources:
            self._sources[key] = Source(self.attributes, self.positions(key))
        return self._sources[key]

    def add(self, key: str, member: str, rows: Rows, told: Reading, why: str = "") -> None:
        """Give *rows* the attribute *key*; rows of which nothing was read get nothing."""
        choice = told.choice
        if choice.min(initial=0) < 0:
            valid = choice >= 0
            rows, choice = rows[valid], choice[valid]
        if len(rows):
            self.additions.setdefault(key, []).append(Addition(key, rows, member, told.values, choice))
            if self.told is not None and why:
                self.told.append((rows, key, why))

    def add_each(self, key: str, member: str, rows: Rows, values: pa.Array, why: str = "") -> None:
        """Give each of *rows* its own of the *values* as the attribute *key*."""
        self.add(key, member, rows, Told(values, np.arange(len(rows))), why)

    def add_one(self, key: str, member: str, rows: Rows, value: Any, why: str = "") -> None:
        """Give all *rows* the same *value* as the attribute *key*."""
        self.add(key, member, rows, Told([value], np.zeros(len(rows), dtype=np.int64)), why)

    def replace(self, key: str, member: str, rows: Rows) -> None:
        """Take *key* off *rows*; words that were reported stay under another name, unless originals are removed."""
        if not len(rows):
            return
        positions = self.positions(key)[rows]
        self.dropped.append(positions)
        if not self.removes_originals and member in _WORDS:
            kept = np.asarray(self.attributes.member(member, positions).is_valid())
            self.add(reported(key), member, rows[kept], Held(positions[kept]))

    def words(self, addition: Addition) -> Told:
        """Return what an addition gives, in Python's words."""
        values, choice = addition.values, addition.choice
        if values is None:
            values, choice = self.attributes.member(addition.member, choice), np.arange(len(choice))
        return Told(values.to_pylist() if isinstance(values, pa.Array) else values, choice)

    def withdraw(self, key: str, rows: Rows) -> None:
        """Take back what was added to *rows* as *key*."""
        for addition in self.additions.pop(key, []):
            kept = ~np.isin(addition.rows, rows)
            rest = addition._replace(rows=addition.rows[kept], choice=addition.choice[kept])
            if len(rest.rows):
                self.additions.setdefault(key, []).append(rest)

    def of_scopes(self, wanted: Sequence[bool]) -> Mask | None:
        """Tell which rows are of the *wanted* scopes, None for every row."""
        if all(wanted):
            return None
        mask: Mask = np.array(wanted)[np.asarray(self.batch.column("scope"))]
        return mask

    @cached_property
    def scopes(self) -> list[str]:
        """The names of the batch's scopes."""
        names: list[str] = self.batch.tables["scopes"].column("name").to_pylist()
        return names

    def where(self, step: Step) -> Mask | None:
        """Tell in which rows *step* counts, None for in every row."""
        if step.always:
            return None
        origin = step.origin
        conditions = [self._where_other(key, value) for key, value in origin.where.items()]
        conditions += [~self._where_other(key, value) for key, value in origin.unless.items()]
        if step.general:
            conditions.append(~self.missing(OPERATION))
        if origin.scope:
            conditions.append(self._in_scope(origin))
        if origin.failed is not None:
            conditions.append(self.failed == origin.failed)
        return np.logical_and.reduce(conditions) if conditions else None

    def _in_scope(self, origin: Origin) -> Mask:
        pattern = origin.scope_pattern
        mask = self.of_scopes([bool(pattern.match(name)) for name in self.scopes])
        return np.ones(self.attributes.count, dtype=bool) if mask is None else mask

    def _where_other(self, key: str, value: str) -> Mask:
        positions = self.positions(key)
        found = np.zeros(len(positions), dtype=bool)
        rows = np.flatnonzero(positions >= 0)
        if len(rows):
            texts = self.source(key).texts
            found[rows] = texts.mapped(positions[rows], lambda text: text.lower() == value.lower() or None).choice >= 0
        return found

    def is_said(self, key: str, words: frozenset[str]) -> Mask:
        """Tell which rows have one of *words* as *key* now."""
        return self.fits(key, words.__contains__)

    def fits(self, key: str, fits: Callable[[str], bool]) -> Mask:
        """Tell which rows have a text as *key* now that *fits*."""
        said = np.zeros(self.attributes.count, dtype=bool)
        positions = self.positions(key)
        rows = np.flatnonzero(positions >= 0)
        if len(rows):
            told = self.source(key).texts.mapped(positions[rows], lambda text: fits(text) or None)
            said[rows] = told.choice >= 0
        for addition in self.additions.get(key, ()):
            told = self.words(addition)
            said[addition.rows] = np.array([fits(word) for word in told.values], bool)[told.choice]
        return said

    @cached_property
    def may_call(self) -> Mask:
        """Which rows may be calls, for all that is known of their operation; asked once that is settled."""
        return self.missing(OPERATION) | self.is_said(OPERATION, self.calls)

    @cached_property
    def suspect(self) -> Mask:
        """Which spans may have failed: a superset of `failed` that costs little to tell."""
        suspect: Mask = np.asarray(self.batch.column("status_code")) == ERROR
        suspect |= np.diff(np.asarray(self.batch.column("events").offsets)) > 0
        suspect |= self.positions(ERROR_TYPE) >= 0
        suspect |= self.positions(HTTP_STATUS) >= 0
        return suspect

    @cached_property
    def failed(self) -> Mask:
        """Which spans failed, as far as they say so in their own words."""
        if self.batch.signal is not Signal.TRACES:
            return np.zeros(self.attributes.count, dtype=bool)
        failed: Mask = np.asarray(self.batch.column("status_code")) == ERROR
        failed |= self.attributes.told(self.positions(ERROR_TYPE))
        statuses = self.positions(HTTP_STATUS)
        if statuses.max(initial=-1) >= 0:
            failed |= self.attributes.naturals(statuses) >= 400
        failed[self.raised[0]] = True
        return failed

    @cached_property
    def raised(self) -> tuple[Rows, Positions]:
        """Which spans recorded an exception, and which of all events the last one of each is."""
        events: pa.ListArray = self.batch.column("events")
        offsets = np.asarray(events.offsets)
        if offsets[-1] == offsets[0]:
            return self._nowhere[:0], self._nowhere[:0]
        hits = np.flatnonzero(pc.equal(events.flatten().field("name"), "exception"))
        last = np.full(self.attributes.count, -1, dtype=np.int64)
        last[np.searchsorted(offsets, hits + offsets[0], side="right") - 1] = hits
        rows = np.flatnonzero(last >= 0)
        return rows, last[rows]

    def result(self) -> Batch:
        """Return the batch with everything gathered."""
        dropped = np.concatenate([self._nowhere[:0], *self.dropped])
        additions = [addition for added in self.additions.values() for addition in added]
        if not additions and not len(dropped):
            return self.batch
        return with_rewritten(self.batch, additions=additions, dropped=dropped)


@lru_cache(maxsize=256)
def _numbers_of(keys: Sequence[str], bits: bytes) -> Mapping[str, int]:
    """Return the number that the bits of each key make; all have equally many."""
    size = len(bits) // max(len(keys), 1)
    return {key: int.from_bytes(bits[start * size : (start + 1) * size]) for start, key in enumerate(keys)}


def reported(key: str) -> str:
    """Return the name that what was reported as *key* keeps."""
    return _REPORTED + key.removeprefix("gen_ai.").removeprefix("usage.")
