"""The table of dialects: what `dialects.yaml` says, checked once and laid out for looking up."""

from collections.abc import Mapping
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

    def value_of(self, text: str) -> str | None:
        """Return today's word for *text*, or None when it says nothing."""
        folded = text.lower()
        if not text or folded in self.ignored:
            return None
        return self.values.get(folded, None if self.closed else text)


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
        return frozenset(alias for target in self.attributes.values() for alias in target.aliases)

    @cached_property
    def _pieces(self) -> Mapping[str, tuple[str, MessageRule]]:
        return {rule.prefix: (name, rule) for name, rule in self.messages.items()}

    def piece_of(self, key: str) -> Piece | None:
        """Return what the numbered attribute *key* holds, or None when it is none."""
        head = next((prefix for prefix in self._pieces if key.startswith(prefix + ".")), None)
        if head is None:
            return None
        target, rule = self._pieces[head]
        message, *path = key[len(head) + 1 :].split(".")
        numbers = [int(step) for step in (message, *path) if _is_number(step)]
        part = rule.fields.get(".".join("#" if _is_number(step) else step for step in path))
        if part is None or not _is_number(message):
            return None
        return Piece(target, numbers[0], part, numbers[1] if len(numbers) > 1 else 0)

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


def _is_number(step: str) -> bool:
    return step.isascii() and step.isdigit() and len(step) < 6
