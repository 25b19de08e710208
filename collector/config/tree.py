"""A configuration as a tree in which every key and value knows where the user wrote it.

    Map ── key ─> Entry(place of the key, node)
    Items ──────> node, node, ...
    Scalar        null, true, 1, 1.5, text

Trees are never changed; merging and expanding make new ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from collector.errors import Problem

Value: TypeAlias = bool | int | float | str | None
Plain: TypeAlias = "Value | list[Plain] | dict[str, Plain]"


@dataclass(frozen=True, slots=True)
class Place:
    """Is where something stands: ``file:line:column``, or only the name of what has no lines."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Scalar:
    """Is one value; *text* is how it was written, where a field of type text shall get exactly that."""

    place: Place
    value: Value
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """Is a list; *text* is as in `Scalar`."""

    place: Place
    nodes: tuple["Node", ...] = ()
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """Is a map from keys to entries, in the order they were written; *text* is as in `Scalar`."""

    place: Place
    entries: Mapping[str, "Entry"] = field(default_factory=dict)
    text: str | None = None


Node: TypeAlias = Scalar | Items | Map


@dataclass(frozen=True, slots=True)
class Entry:
    """Is what stands under a key of a map, and where the key stands."""

    place: Place
    node: Node


def plain(node: Node) -> Plain:
    """Return *node* as dicts, lists and scalars."""
    if isinstance(node, Map):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(each) for each in node.nodes]
    return node.value


def join(path: str, *keys: object) -> str:
    """Return the place *keys* below *path*, as the OpenTelemetry Collector writes it: ``a::b::c``."""
    return "::".join(filter(None, [path, *map(str, keys)]))


class Report:
    """Gathers every mistake and warning of one configuration."""

    def __init__(self, *, look_at_files: bool = False) -> None:
        self.look_at_files = look_at_files
        """Whether a file that a component would read at its start has to be there."""
        self._sources: dict[str, int] = {}
        self._problems: list[tuple[Place, Problem]] = []
        self._warnings: list[tuple[Place, Problem]] = []
        self.spoiled: set[str] = set()
        """The paths whose value could not be found out; what follows from that is no further mistake."""

    def opened(self, source: str) -> None:
        """Note that *source* is read next: mistakes are told in the order of the sources."""
        self._sources.setdefault(source, len(self._sources))

    def problem(self, place: Place, path: str, text: str, hint: str = "") -> None:
        """Add a mistake."""
        self._problems.append((place, Problem(str(place), path, text, hint)))

    def warning(self, place: Place, path: str, text: str, hint: str = "") -> None:
        """Add what is no mistake and may surprise."""
        self._warnings.append((place, Problem(str(place), path, text, hint)))

    def take(self, other: "Report", source: str) -> None:
        """Add what *other* gathered while it read *source*."""
        self.opened(source)
        self._problems += other._problems
        self._warnings += other._warnings

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every mistake once, in the order of the sources."""
        return self._sorted(self._problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Every warning once, in the order of the sources."""
        return self._sorted(self._warnings)

    def _sorted(self, found: Sequence[tuple[Place, Problem]]) -> tuple[Problem, ...]:
        def position(item: tuple[Place, Problem]) -> tuple[int, int, int]:
            place = item[0]
            return self._sources.get(place.source, len(self._sources)), place.line, place.column

        return tuple(dict.fromkeys(problem for _, problem in sorted(found, key=position)))
