"""Holds a tree against a config class and tells each mistake at the key or value that makes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from collector.config import message
from collector.config.annotation import child, choices_of, keys, models
from collector.config.tree import Entry, Items, Map, Node, Place, Plain, Report, Scalar, join, plain
from collector.units import LOOK, Secret

M = TypeVar("M", bound=BaseModel)
Keys = tuple[str | int, ...]

_TEXT_WANTED = {"string_type", "literal_error", "enum"}


class _Fix(Enum):
    """Says how a value that does not fit is given instead, before it counts as a mistake."""

    TEXT = "as the text it was written as"
    DEFAULT = "not at all, so that the default holds"


@dataclass(frozen=True, slots=True)
class _Spot:
    """Is what an error of pydantic speaks of: its keys in the tree, its node, and the place of its last key."""

    keys: Keys
    node: Node
    place: Place
    siblings: tuple[str, ...]
    """The keys that may stand where the last key stands."""
    secret: bool
    """Whether the value belongs into a field that never shows."""


def validate(model: type[M], entry: Entry, path: str, report: Report) -> M | None:
    """Return *entry* as a *model*, or None after telling *report* every mistake in it.

    As in the OpenTelemetry Collector null means the default, and a value from an environment variable that a
    text field gets stays the text it was (``0123``, ``true``).
    """
    fixes: dict[Keys, _Fix] = {}
    context = LOOK if report.look_at_files else None
    while True:
        try:
            return model.model_validate(_given(entry.node, model, fixes, ()), context=context)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        found = [(each, _spot(each["loc"], entry, model)) for each in errors]
        fixable = {spot.keys: fix for each, spot in found if (fix := _fix(each, spot, fixes)) is not None}
        if not fixable:
            break
        fixes |= fixable
    _tell(found, path, report)
    return None


def _given(node: Node, annotation: Any, fixes: dict[Keys, _Fix], at: Keys) -> Plain:
    """Return *node* as pydantic gets it: a null where a config class belongs is one with its defaults."""
    if fixes.get(at) is _Fix.TEXT:
        return node.text
    if isinstance(node, Map):
        return {
            key: _given(entry.node, child(annotation, key), fixes, (*at, key))
            for key, entry in node.entries.items()
            if fixes.get((*at, key)) is not _Fix.DEFAULT
        }
    if isinstance(node, Items):
        return [_given(each, child(annotation, i), fixes, (*at, i)) for i, each in enumerate(node.nodes)]
    if node.value is None and models(annotation):
        return {}
    return node.value


def _fix(error: ErrorDetails, spot: _Spot, fixes: dict[Keys, _Fix]) -> _Fix | None:
    node, tried = spot.node, fixes.get(spot.keys)
    if not spot.keys or error["type"] in {"missing", "extra_forbidden"}:
        return None
    if tried is None and error["type"] in _TEXT_WANTED and node.text is not None and node.text != plain(node):
        return _Fix.TEXT
    if not isinstance(node, Scalar):
        return None
    if tried is not _Fix.DEFAULT and node.value is None and isinstance(spot.keys[-1], str):
        return _Fix.DEFAULT
    return None


def _spot(loc: Sequence[str | int], entry: Entry, annotation: Any) -> _Spot:
    """Walk *loc* as far as the tree goes; steps that are no keys (the choices of a union) are left out."""
    node, place = entry.node, entry.place
    walked: list[str | int] = []
    siblings: tuple[str, ...] = ()
    secret = False
    for step in loc:
        below: Node
        if isinstance(node, Map) and step in node.entries:
            place, below = node.entries[str(step)].place, node.entries[str(step)].node
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            below = node.nodes[step]
            place = below.place
        else:
            continue
        siblings = keys(annotation)
        node, annotation = below, child(annotation, step)
        secret = secret or Secret in choices_of(annotation)
        walked.append(step)
    return _Spot(tuple(walked), node, place, siblings, secret)


def _tell(found: Iterable[tuple[ErrorDetails, _Spot]], path: str, report: Report) -> None:
    """Tell each error once for each value: a union that fits in none of its choices is one mistake."""
    told: dict[tuple[Place, str], list[message.Message]] = {}
    for error, spot in found:
        place, where = _place(error, spot), join(path, *spot.keys)
        if error["type"] == "missing" and not _is_null(error, spot):
            where = join(where, error["loc"][-1])
        if where not in report.spoiled:
            explained = message.explain(error, tuple(map(str, spot.keys)), spot.siblings, secret=spot.secret)
            told.setdefault((place, where), []).append(explained)
    for (place, where), messages in told.items():
        text, hint = message.together(messages)
        report.problem(place, where, text, hint)


def _is_null(error: ErrorDetails, spot: _Spot) -> bool:
    """Return whether the key that is missing is there, with nothing behind it."""
    return isinstance(spot.node, Scalar) and spot.keys[-1:] == error["loc"][-1:]


def _place(error: ErrorDetails, spot: _Spot) -> Place:
    """Return the key's place where the key is the mistake or the value is a block below it, else the value's."""
    if error["type"] in {"missing", "extra_forbidden"} or not isinstance(spot.node, Scalar):
        return spot.place
    return spot.node.place if spot.node.value is not None else spot.place
