"""Doing the actions to lists of attributes, all rows at once.

Each action reads what the one before it left. A name that occurs twice in a row is read where it stands last and
changed wherever it stands: nothing that was to be deleted or hashed stays.
"""

import hashlib
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes
from collector.patterns import group_names, matching
from collector.rewrite import Addition, Replacement, rewritten
from collector.rows import Mask
from collector.schema import ANY_VALUE
from collector.values import as_texts, each_distinct, typed
from processors.attribute_actions.actions import ActionConfig

Numbers = npt.NDArray[np.int64]


class _New(NamedTuple):
    """Is what some rows get: ``values[choice]`` as *member*."""

    rows: Numbers
    member: str
    values: pa.Array | Sequence[Any]
    choice: Numbers


class _Changes(NamedTuple):
    additions: Sequence[Addition] = ()
    replacements: Sequence[Replacement] = ()
    dropped: Numbers = np.array([], dtype=np.int64)


def applied(lists: pa.ListArray, actions: Sequence[ActionConfig], rows: Mask) -> pa.ListArray:
    """Return the lists after all actions were done to the chosen *rows*; the same object when nothing changed."""
    attributes = Attributes(lists)
    for action in actions:
        changes = _DEEDS[action.action](attributes, action, rows)
        if changes.additions or changes.replacements or len(changes.dropped):
            attributes = rewritten(
                attributes,
                additions=changes.additions,
                replacements=changes.replacements,
                dropped=changes.dropped,
            )
    return attributes.lists


def _put(attributes: Attributes, action: ActionConfig, rows: Mask) -> _Changes:
    """Insert, update or upsert."""
    changes = [_upsert(attributes, action.key, new, action.action) for new in _sources(attributes, action, rows)]
    return _together(changes)


def _sources(attributes: Attributes, action: ActionConfig, rows: Mask) -> Iterator[_New]:
    """Yield what the rows get that get something; no row twice."""
    if action.value is not None:
        yield _constant(np.flatnonzero(rows), action.value)
        return
    places = attributes.locate([action.from_attribute])[0] if action.from_attribute else np.full(len(rows), -1)
    left = rows.copy()
    for member, values in _held(attributes, places):
        held = np.asarray(values.is_valid()) & left
        if held.any():
            left &= ~held
            yield _New(np.flatnonzero(held), member, None, places[held])
    if action.default_value is not None and left.any():
        yield _constant(np.flatnonzero(left), action.default_value)


def _constant(rows: Numbers, value: Any) -> _New:
    member, plain = typed(value)
    return _New(rows, member, [plain], np.zeros(len(rows), dtype=np.int64))


def _upsert(attributes: Attributes, key: str, new: _New, how: str = "upsert") -> _Changes:
    """Return the changes that write *new* under *key*: everywhere, or only where it is missing or there."""
    choice = np.full(attributes.count, -1, dtype=np.int64)
    choice[new.rows] = new.choice
    places = _positions(attributes, lambda name: name == key)
    owners = attributes.rows[places]
    has = np.zeros(attributes.count, dtype=bool)
    has[owners] = True
    additions, replacements = [], []
    if how != "update":
        missing = new.rows[~has[new.rows]]
        additions = [Addition(key, missing, new.member, new.values, choice[missing])] if len(missing) else []
    if how != "insert":
        there = choice[owners] >= 0
        if there.any():
            replacements = [Replacement(places[there], new.member, new.values, choice[owners[there]])]
    return _Changes(additions, replacements)


def _delete(attributes: Attributes, action: ActionConfig, rows: Mask) -> _Changes:
    return _Changes(dropped=_named(attributes, action, rows))


def _hash(attributes: Attributes, action: ActionConfig, rows: Mask) -> _Changes:
    places = _named(attributes, action, rows)
    replacements = []
    for member, values in _held(attributes, places):
        hashed = each_distinct(values.drop_null(), _DIGESTS.get(member, _digest), pa.string())
        replacements.append(_replace(places, values, "string_value", hashed))
    return _Changes(replacements=replacements)


def _extract(attributes: Attributes, action: ActionConfig, rows: Mask) -> _Changes:
    [places] = attributes.locate([action.key])
    found = pc.extract_regex(attributes.strings(np.where(rows, places, -1)), action.pattern)
    hit = np.flatnonzero(np.asarray(found.is_valid()))
    if not len(hit):
        return _Changes()
    names = group_names(action.pattern)
    return _together([_upsert(attributes, name, _New(hit, "string_value", found.field(name), hit)) for name in names])


def _convert(attributes: Attributes, action: ActionConfig, rows: Mask) -> _Changes:
    places = _named(attributes, action, rows)
    member = {"int": "int_value", "double": "double_value", "string": "string_value"}[action.converted_type]
    replacements = []
    for own, values in _held(attributes, places):
        if own != member:
            made = _converted(own, values, member)
            if made.null_count < len(made):
                replacements.append(_replace(places, made, member, made.drop_null()))
    return _Changes(replacements=replacements)


def _converted(own: str, values: pa.Array, member: str) -> pa.Array:
    """Return the values that can be converted, null for the rest."""
    kind = {"int_value": pa.int64(), "double_value": pa.float64(), "string_value": pa.string()}[member]
    if member == "string_value":
        return as_texts({name: values if name == own else pa.nulls(len(values), kind) for name in _MEMBERS})
    if own == "string_value":
        return each_distinct(values, _int if member == "int_value" else _float, kind)
    if own == "double_value":
        return each_distinct(values, _whole, kind)
    return values.cast(kind) if own in {"bool_value", "int_value"} else pa.nulls(len(values), kind)


def _named(attributes: Attributes, action: ActionConfig, rows: Mask) -> Numbers:
    """Return where, in the chosen rows, the attributes stand that the action names."""
    names = pa.array(attributes.names, pa.string())
    found = matching(names, [action.pattern] if action.pattern else [])
    wanted = {name for name, hit in zip(attributes.names, found.tolist(), strict=True) if hit or name == action.key}
    places = _positions(attributes, wanted.__contains__)
    return places[rows[attributes.rows[places]]]


def _positions(attributes: Attributes, wanted: Callable[[str], bool]) -> Numbers:
    """Return the positions of all attributes with a name that is *wanted*."""
    chosen = np.array([wanted(name) for name in attributes.names], dtype=bool)
    return np.flatnonzero(chosen[attributes.codes]) if chosen.any() else np.array([], dtype=np.int64)


def _held(attributes: Attributes, places: Numbers) -> Iterator[tuple[str, pa.Array]]:
    """Yield the members that some values at *places* have, null at the other places."""
    for member in ANY_VALUE.names if len(places) else ():
        values = attributes.member(member, places)
        if values.null_count < len(values):
            yield member, values


def _replace(places: Numbers, said: pa.Array, member: str, values: pa.Array) -> Replacement:
    """Return the replacement by *values*, one for each place where *said* is not null."""
    valid = np.asarray(said.is_valid())
    return Replacement(places[valid], member, values, np.arange(len(values)))


def _together(changes: Sequence[_Changes]) -> _Changes:
    return _Changes(
        [addition for each in changes for addition in each.additions],
        [replacement for each in changes for replacement in each.replacements],
    )


def _digest(value: Any) -> str:
    data = value.encode() if isinstance(value, str) else value
    return hashlib.sha256(data).hexdigest() if data else ""


def _int(text: str) -> int | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def _float(text: str) -> float | None:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return None
    return float(text)


def _whole(value: float) -> int | None:
    return int(value) if abs(value) < 2.0**63 else None


_MEMBERS = ("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value")
_DIGESTS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "bool_value": lambda value: _digest(b"\x01" if value else b"\x00"),
        "int_value": lambda value: _digest(struct.pack("<q", value)),
        "double_value": lambda value: _digest(struct.pack("<d", value)),
    }
)
"""How the OpenTelemetry Collector hashes what is no text: the bytes in memory, lowest first."""

_DEEDS: Mapping[str, Callable[[Attributes, ActionConfig, Mask], _Changes]] = MappingProxyType(
    {
        "insert": _put,
        "update": _put,
        "upsert": _put,
        "delete": _delete,
        "hash": _hash,
        "extract": _extract,
        "convert": _convert,
    }
)
