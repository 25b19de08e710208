"""The table of dialects: what `dialects.yaml` says, checked once and laid out for looking up."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """Names how an attribute's value is read; `dialects.yaml` explains each."""

    COUNT = "count"
    TEXT = "text"
    TEXTS = "texts"
    FLAG = "flag"
    SECONDS = "seconds"
    HOST = "host"
    PORT = "port"
    MESSAGES = "messages"


TEXT_KINDS = frozenset(Kind) - {Kind.COUNT, Kind.SECONDS}
"""The kinds that are read from text, at least where it is written so."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Target(_Row):
    """Says where one of today's attributes comes from when a span does not have it."""

    kind: Kind
    aliases: tuple[str, ...] = Field(alias="from")
    values: Mapping[str, str] = {}
    closed: bool = False
    ignored: frozenset[str] = frozenset()
    factor: float = 1.0
    partial: bool = False
    role: str = ""

    def speaks(self, text: str) -> bool:
        """Tell whether *text* says something."""
        return bool(text) and text.lower() not in self.ignored

    def value_of(self, text: str) -> str | None:
        """Return today's word for *text*, or None when it says nothing."""
        if not self.speaks(text):
            return None
        return self.values.get(text.lower(), None if self.closed else text)

    @cached_property
    def is_plain(self) -> bool:
        """Tell whether today's word is the old one, whatever it is."""
        return not (self.values or self.closed or self.ignored)


class SpanRule(_Row):
    """Names the operation of the spans that one scope (a glob) gives one name."""

    scope: str
    name: str
    operation: str


class MessageRule(_Row):
    """Says which numbered attributes hold the messages of one attribute of today."""

    prefix: str
    role: str
    fields: Mapping[str, str]


class Piece(NamedTuple):
    """Is what one numbered key holds: message *message* of *target*, its *part* (a tool call has a number)."""

    target: str
    message: int
    part: str
    call: int


class Dialects(_Row):
    """Is the whole table."""

    attributes: Mapping[str, Target]
    spans: tuple[SpanRule, ...]
    messages: Mapping[str, MessageRule]
    chunk_events: frozenset[str]
    exclusive_input_scopes: tuple[str, ...]

    @cached_property
    def aliases(self) -> frozenset[str]:
        """Every old name."""
        return frozenset(self._targets)

    @cached_property
    def _targets(self) -> Mapping[str, Sequence[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, target in self.attributes.items():
            for alias in target.aliases:
                names[alias].append(name)
        return names

    def targets_of(self, aliases: Iterable[str]) -> dict[str, Target]:
        """Return those of today's attributes that any of *aliases* stands for, in the order of the table."""
        found = {name for alias in aliases for name in self._targets[alias]}
        return {name: target for name, target in self.attributes.items() if name in found}

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(f"{prefix}." for prefix in self._pieces)

    @cached_property
    def _pieces(self) -> Mapping[str, tuple[str, MessageRule]]:
        return {rule.prefix: (name, rule) for name, rule in self.messages.items()}

    def piece_of(self, key: str) -> Piece | None:
        """Return what the numbered attribute *key* holds, or None when it is none."""
        if not key.startswith(self._prefixes):
            return None
        for prefix, (target, rule) in self._pieces.items():
            steps = _steps(key, prefix)
            part = steps and rule.fields.get(steps.path)
            if steps and part:
                return Piece(target, steps.message, part, steps.call)
        return None

    def rules_of(self, scope: str) -> Mapping[str, str]:
        """Return the operations of the span names that *scope* is known for."""
        return {rule.name: rule.operation for rule in self.spans if fnmatchcase(scope, rule.scope)}

    def is_exclusive(self, scope: str) -> bool:
        """Tell whether *scope* leaves cached tokens out of its input tokens."""
        return any(fnmatchcase(scope, pattern) for pattern in self.exclusive_input_scopes)


@lru_cache(maxsize=1)
def shipped() -> Dialects:
    """Return the table that comes with the package."""
    text = Path(__file__).with_name("dialects.yaml").read_text(encoding="utf-8")
    return Dialects.model_validate(yaml.safe_load(text))


class _Steps(NamedTuple):
    message: int
    path: str
    call: int


@lru_cache(maxsize=8192)
def _steps(key: str, prefix: str) -> _Steps | None:
    """Return ``PREFIX.3.tool_calls.1.id`` as (3, ``tool_calls.#.id``, 1), None for keys of another form."""
    match = re.fullmatch(rf"{re.escape(prefix)}\.([0-9]{{1,5}})\.(.+)", key)
    if match is None:
        return None
    call = re.search(r"\.([0-9]{1,5})\.", match[2])
    return _Steps(int(match[1]), re.sub(r"\.[0-9]+\.", ".#.", match[2]), int(call[1]) if call else 0)
