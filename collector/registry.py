"""Finds components and commands by the names that packages declare, ours and third parties' alike.

A component is known by one entry point in group ``genai_collector.receivers``, ``.processors``, ``.exporters`` or
``.extensions``, a command by one in ``genai_collector.commands``. Nothing is imported before it is asked for.
"""

import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

import click

from collector.component import Component, Exporter, Extension, Processor, Receiver


class Kind(StrEnum):
    """Names the four kinds of components, by their sections in the configuration."""

    RECEIVERS = "receivers"
    PROCESSORS = "processors"
    EXPORTERS = "exporters"
    EXTENSIONS = "extensions"

    @property
    def one(self) -> str:
        """The word for one of them: ``receiver``."""
        return self.value.removesuffix("s")


BASES: Mapping[Kind, type[Component]] = MappingProxyType(
    {
        Kind.RECEIVERS: Receiver,
        Kind.PROCESSORS: Processor,
        Kind.EXPORTERS: Exporter,
        Kind.EXTENSIONS: Extension,
    }
)
"""The class every component of a kind derives from."""


_COMMANDS = "commands"


class UnknownComponentError(Exception):
    """Says that no installed package has a component of this kind and type; `known` are those there are."""

    def __init__(self, kind: Kind, type_: str, known: tuple[str, ...]) -> None:
        super().__init__(f'unknown {kind.one} type "{type_}"')
        self.known = known


class BrokenComponentError(Exception):
    """Says that a component is declared and cannot be loaded; `hint` is what to do about it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(f"{text}; {hint}")
        self.text = text
        self.hint = hint


def names(kind: Kind) -> tuple[str, ...]:
    """Return the types of all installed components of *kind*, sorted; imports none of them."""
    return tuple(sorted({point.name for point in _declared(kind)}))


def module(kind: Kind, type_: str) -> str:
    """Return the name of the module that holds the component; imports nothing."""
    return _point(kind, type_).module


def find(kind: Kind, type_: str) -> type[Component]:
    """Return the class of a component; raise `UnknownComponentError` or `BrokenComponentError`."""
    point = _point(kind, type_)
    found = _load(kind.one, point)
    base = BASES[kind]
    if not (isinstance(found, type) and issubclass(found, base)):
        text = f'{kind.one} "{type_}" is no {base.__module__}.{base.__name__}: {point.value}'
        raise BrokenComponentError(text, _origin(point))
    return found


def command_names() -> tuple[str, ...]:
    """Return the words of all commands that packages add, sorted; imports none of them."""
    return tuple(sorted({point.name for point in _declared(_COMMANDS)}))


def command(name: str) -> click.Command:
    """Return a command that is among `command_names`, or raise `BrokenComponentError`."""
    point = _only("command", name, _declared(_COMMANDS))
    found = _load("command", point)
    if not isinstance(found, click.Command):
        raise BrokenComponentError(f'command "{name}" is no click.Command: {point.value}', _origin(point))
    return found


def _load(what: str, point: EntryPoint) -> object:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise BrokenComponentError(
            f'{what} "{point.name}" needs the module {error.name}', _cure(point, error)
        ) from error
    except Exception as error:
        text = f'{what} "{point.name}" cannot be loaded: {type(error).__name__}: {error}'
        raise BrokenComponentError(text, _origin(point)) from error


def _point(kind: Kind, type_: str) -> EntryPoint:
    if type_ not in names(kind):
        raise UnknownComponentError(kind, type_, names(kind))
    return _only(kind.one, type_, _declared(kind))


def _only(what: str, name: str, declared: tuple[EntryPoint, ...]) -> EntryPoint:
    points = {point.value: point for point in declared if point.name == name}
    if len(points) > 1:
        text = f'{what} "{name}" is declared more than once: {", ".join(sorted(points))}'
        raise BrokenComponentError(text, "uninstall all but one of these packages")
    return next(iter(points.values()))


def _declared(group: str) -> tuple[EntryPoint, ...]:
    return _scan(group, tuple(sys.path))


@lru_cache(maxsize=16)
def _scan(group: str, _path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Read what is installed, once for each search path."""
    return tuple(entry_points(group=f"genai_collector.{group}"))


def _cure(point: EntryPoint, error: ModuleNotFoundError) -> str:
    """Name what brings the missing module: an extra of the component's own package, where one says so."""
    missing = (error.name or "").partition(".")[0]
    package = point.dist.name if point.dist else ""
    requires = (point.dist.requires if point.dist else None) or []
    pattern = re.compile(rf"{re.escape(missing)}\b.*extra\s*==\s*['\"]([^'\"]+)", re.IGNORECASE)
    extras = [*point.extras, *(match[1] for match in map(pattern.match, requires) if match)]
    if missing != point.module.partition(".")[0] and package and extras:
        return f'run: pip install "{package}[{extras[0]}]"'
    if missing == point.module.partition(".")[0]:
        return _origin(point)
    return f"install the package that provides {missing}"


def _origin(point: EntryPoint) -> str:
    package = f"package {point.dist.name} {point.dist.version}" if point.dist else f"module {point.module}"
    return f"it comes from {package}; reinstall or upgrade that"
