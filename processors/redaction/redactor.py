"""Redacting lists of attributes: which change, and what they say then.

fate of the name   IGNORE   DELETE   MASK       LOOK
becomes            itself   gone     ****       content: edited part by part (`editing`)
                                                other:   what is blocked in it masked (`masking`)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.attributes import Attributes
from collector.rewrite import Replacement, rewritten
from collector.values import MESSAGES, as_texts, each_distinct, to_python, typed
from processors.redaction.config import RedactionConfig
from processors.redaction.content import ROLES, Spot, roles_at, table
from processors.redaction.editing import DROPPED, Editor, parsed, texts_of
from processors.redaction.keys import Fate, Keys
from processors.redaction.masking import Masker, replace_within, texts_within

Positions = npt.NDArray[np.int64]


class Redacted(NamedTuple):
    """Is what became of some lists, and where what happened, by positions in the old ones."""

    lists: pa.ListArray
    attributes: Attributes
    deleted: Positions
    masked: Positions
    allowed: Positions


class _Job(NamedTuple):
    """Is content at *positions* of which nothing but *spot* is known."""

    positions: Positions
    spot: Spot


class Redactor:
    """Redacts as a configuration says."""

    def __init__(self, config: RedactionConfig) -> None:
        self.config = config
        self.keys = Keys(config)
        self.masker = Masker(config)

    def redacted(self, lists: pa.ListArray, events: Sequence[str | None] = ()) -> Redacted:
        """Return what becomes of the lists; *events* are the names of the events they belong to, where they do."""
        attributes = Attributes(lists)
        fates = self.keys.fates(attributes.names)[attributes.codes]
        looked = self._without_counts(attributes, np.flatnonzero(fates >= Fate.MASK))
        allowed = self._allowed(attributes, looked)
        looked = np.setdiff1d(looked, allowed, assume_unique=True) if len(allowed) else looked
        whole = looked[fates[looked] == Fate.MASK]
        looked = looked[fates[looked] == Fate.LOOK]
        jobs = list(self._jobs(attributes, looked, events))
        content = np.concatenate([looked[:0], *(job.positions for job in jobs)])
        plain = np.setdiff1d(looked, content, assume_unique=True)
        changes = [
            *self._masked_whole(attributes, whole),
            *self._masked_texts(attributes, plain, every=self.config.redact_all_types),
            *self._masked_within(attributes, plain),
        ]
        dropped, edits = self._edited(attributes, jobs)
        changes += edits
        deleted = np.flatnonzero(fates == Fate.DELETE)
        masked = np.concatenate([dropped, *(change.positions for change in changes)])
        gone = np.union1d(deleted, dropped)
        new = rewritten(attributes, replacements=changes, dropped=gone).lists if changes or len(gone) else lists
        return Redacted(new, attributes, deleted, masked, allowed)

    def bodies(self, bodies: pa.StructArray, events: Sequence[str | None]) -> tuple[pa.StructArray, Positions]:
        """Return the bodies of log records, and the rows that changed; what is dropped becomes an empty text."""
        count = len(bodies)
        pairs = pa.StructArray.from_arrays([pa.repeat(_BODY, count), bodies], fields=list(_pair_type(bodies.type)))
        kind = pa.list_(pa.field("item", pairs.type, nullable=False))
        attributes = Attributes(
            pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype=np.int32)), pairs, type=kind)
        )
        every = np.arange(count)
        jobs = [_Job(rows, Spot(role)) for role, rows in _speaking(events).items()] if self._looks_at_content else []
        spoken = np.concatenate([every[:0], *(job.positions for job in jobs)])
        plain = np.setdiff1d(every, spoken, assume_unique=True)
        changes = [
            *self._masked_texts(attributes, plain, every=True),
            *self._masked_within(attributes, plain, by_key=True),
        ]
        dropped, edits = self._edited(attributes, jobs)
        changes += edits
        if len(dropped):
            changes.append(Replacement(dropped, "string_value", [""], dropped * 0))
        rows = np.concatenate([every[:0], *(change.positions for change in changes)])
        new = rewritten(attributes, replacements=changes).values if changes else bodies
        return new, rows

    @property
    def _looks_at_content(self) -> bool:
        return self.config.messages is not None or not self.masker.is_idle

    def _without_counts(self, attributes: Attributes, positions: Positions) -> Positions:
        """Leave out the numbers of tokens: ``.*token.*`` is meant for secrets."""
        found = self.keys.counts(attributes.names)[attributes.codes[positions]]
        if not found.any():
            return positions
        counts = positions[found]
        return np.setdiff1d(positions, counts[np.asarray(attributes.numbers(counts).is_valid())], assume_unique=True)

    def _allowed(self, attributes: Attributes, positions: Positions) -> Positions:
        if not self.config.allowed_values:
            return positions[:0]
        texts = self._texts(attributes, positions, every=self.config.redact_all_types)
        return positions[self.masker.allowed(texts)]

    def _texts(self, attributes: Attributes, positions: Positions, *, every: bool) -> pa.Array:
        if not every:
            return attributes.strings(positions)
        members = {name: attributes.member(name, positions) for name in attributes.members}
        none = pa.nulls(len(positions), pa.binary())
        return as_texts({**members, **dict.fromkeys(MESSAGES, none)})

    def _jobs(self, attributes: Attributes, looked: Positions, events: Sequence[str | None]) -> Iterator[_Job]:
        """Yield where content stands among the positions that are looked into."""
        if not self._looks_at_content:
            return
        codes = attributes.codes[looked]
        spots = [table().spot(name) for name in attributes.names]
        taken = np.zeros(len(looked), dtype=bool)
        speaking = _speaking(events)
        if speaking:
            known = np.array([name in table().events.attributes for name in attributes.names], dtype=bool)
            for role, rows in speaking.items():
                here = known[codes] & np.isin(attributes.rows[looked], rows)
                taken |= here
                yield _Job(looked[here], Spot(role))
        for code, spot in enumerate(spots):
            here = (codes == code) & ~taken
            if spot is not None and here.any():
                yield from _by_role(attributes, looked[here], spot) if spot.message else [_Job(looked[here], spot)]

    def _masked_whole(self, attributes: Attributes, positions: Positions) -> Iterator[Replacement]:
        if len(positions):
            members = {name: attributes.member(name, positions) for name in attributes.members}
            texts = as_texts(members).fill_null("")
            values = each_distinct(texts, self.masker.whole, pa.string())
            yield Replacement(positions, "string_value", values, np.arange(len(positions)))

    def _masked_texts(self, attributes: Attributes, positions: Positions, *, every: bool) -> Iterator[Replacement]:
        """Yield what changes in single values."""
        if self.masker.is_idle or not len(positions):
            return
        texts = self._texts(attributes, positions, every=every).dictionary_encode()
        made = self.masker.texts(texts.dictionary)
        changed = np.append(~np.asarray(pa.compute.equal(texts.dictionary, made)), False)
        choice = np.asarray(texts.indices.fill_null(len(made)))
        hit = changed[choice]
        if hit.any():
            yield Replacement(positions[hit], "string_value", made, choice[hit].astype(np.int64))

    def _masked_within(
        self, attributes: Attributes, positions: Positions, *, by_key: bool = False
    ) -> Iterator[Replacement]:
        """Yield what changes within lists and maps; *by_key* their keys have fates too."""
        for member in MESSAGES:
            values = attributes.member(member, positions)
            if values.null_count == len(values) or (self.masker.is_idle and not by_key):
                continue
            encoded = values.dictionary_encode()
            trees = [_tree(member, data) for data in encoded.dictionary.to_pylist()]
            made = self.masker.lookup(set().union(*map(texts_within, trees)))
            for tree in trees:
                replace_within(tree, made)
                if by_key:
                    self._keys_within(tree)
            results = [getattr(tree, member).SerializeToString() for tree in trees]
            yield from _changed(positions, encoded, member, results)

    def _keys_within(self, value: AnyValue) -> None:
        for item in value.array_value.values if value.HasField("array_value") else ():
            self._keys_within(item)
        if not value.HasField("kvlist_value"):
            return
        pairs = list(value.kvlist_value.values)
        del value.kvlist_value.values[:]
        for pair in pairs:
            fate = self.keys.fate(pair.key)
            if fate is Fate.MASK:
                pair.value.string_value = self.masker.whole(str(to_python(pair.value)))
            elif fate is Fate.LOOK:
                self._keys_within(pair.value)
            if fate is not Fate.DELETE:
                value.kvlist_value.values.append(pair)

    def _edited(self, attributes: Attributes, jobs: Sequence[_Job]) -> tuple[Positions, list[Replacement]]:
        """Return which contents are dropped, and what the others become."""
        dropped: list[Positions] = [np.array([], dtype=np.int64)]
        changes: list[Replacement] = []
        for member, read in _FORMS.items() if jobs else ():
            encoded = attributes.member(member, np.concatenate([job.positions for job in jobs])).dictionary_encode()
            values = [read(data) for data in encoded.dictionary.to_pylist()]
            if not values:
                continue
            trees = [parsed(value) if isinstance(value, str) else value for value in values]
            editor = Editor(self.config.messages, self.masker.lookup(set().union(*map(texts_of, trees))))
            codes = np.asarray(encoded.indices.fill_null(-1))
            start = 0
            for job in jobs:
                own = codes[start : start + len(job.positions)]
                start += len(job.positions)
                for code in np.unique(own[own >= 0]).tolist():
                    made = editor.edited(values[code], job.spot)
                    here = job.positions[own == code]
                    if made is DROPPED:
                        dropped.append(here)
                    elif made != values[code]:
                        name, plain = typed(made)
                        changes.append(Replacement(here, name, [plain], here * 0))
        return np.concatenate(dropped), changes


def _speaking(events: Sequence[str | None]) -> dict[str, Positions]:
    """Return the rows whose events say what was said, by who said it."""
    names = table().events.names
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(events):
        if name is not None and name in names:
            rows.setdefault(names[name], []).append(row)
    return {role: np.array(found, dtype=np.int64) for role, found in rows.items()}


def _by_role(attributes: Attributes, positions: Positions, spot: Spot) -> Iterator[_Job]:
    """Yield the same content by the roles that stand beside it."""
    places = attributes.locate(roles_at(spot.message))[:, attributes.rows[positions]]
    told = pa.compute.coalesce(*(attributes.strings(line) for line in places)).dictionary_encode()
    codes = np.asarray(told.indices.fill_null(-1))
    for code, word in [(-1, spot.role), *enumerate(told.dictionary.to_pylist())]:
        here = codes == code
        if here.any():
            yield _Job(positions[here], spot._replace(role=ROLES.get(word.lower(), word)))


def _changed(
    positions: Positions, encoded: pa.DictionaryArray, member: str, results: Sequence[bytes]
) -> Iterator[Replacement]:
    changed = [old != new for old, new in zip(encoded.dictionary.to_pylist(), results, strict=True)]
    choice = np.asarray(encoded.indices.fill_null(len(results)))
    hit = np.array([*changed, False])[choice]
    if hit.any():
        yield Replacement(positions[hit], member, pa.array(results, pa.binary()), choice[hit].astype(np.int64))


def _tree(member: str, data: bytes) -> AnyValue:
    value = AnyValue()
    held = getattr(value, member)
    held.SetInParent()
    held.MergeFromString(data)
    return value


def _reader(member: str) -> Callable[[bytes], Any]:
    return lambda data: to_python(_tree(member, data))


def _text(value: str) -> Any:
    return value


_BODY = "body"
_FORMS: dict[str, Callable[[Any], Any]] = {"string_value": _text, **{member: _reader(member) for member in MESSAGES}}
"""The members that content stands in, and how it is read."""


def _pair_type(value: pa.DataType) -> pa.StructType:
    return pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", value)])
