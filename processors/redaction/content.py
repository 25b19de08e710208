"""Which attributes hold what models were told and what they said; `content.yaml` is the table."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict

ROLES: Mapping[str, str] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
"""The words for each role."""

_NUMBER = re.compile(r"(?<=\.)[0-9]{1,6}(?=\.|$)")


class Spot(NamedTuple):
    """Says who speaks and what it is, where the content itself does not; *message* tells where the role may stand."""

    role: str
    kind: str = "text"
    message: str = ""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Attribute(_Row):
    role: str
    kind: str = "text"


class _Numbered(_Row):
    role: str
    fields: Mapping[str, str]


class _Events(_Row):
    names: Mapping[str, str]
    attributes: frozenset[str]


class Table(_Row):
    """Is the whole table."""

    attributes: Mapping[str, _Attribute]
    numbered: Mapping[str, _Numbered]
    events: _Events

    def spot(self, key: str) -> Spot | None:
        """Return what an attribute called *key* holds, None when it is no content."""
        plain = _NUMBER.sub("#", key)
        found = self.attributes.get(key) or self.attributes.get(plain)
        if found is not None:
            return Spot(found.role, found.kind)
        for prefix, numbered in self.numbered.items():
            if plain.startswith(f"{prefix}.#."):
                kind = numbered.fields.get(plain.removeprefix(f"{prefix}.#."))
                number = key.removeprefix(f"{prefix}.").split(".", 1)[0]
                return Spot(numbered.role, kind, f"{prefix}.{number}") if kind else None
        return None


def roles_at(message: str) -> tuple[str, str]:
    """Return the attributes that may hold the role of a numbered message."""
    return f"{message}.role", f"{message}.message.role"


@lru_cache(maxsize=1)
def table() -> Table:
    """Return the table that comes with the package."""
    text = Path(__file__).with_name("content.yaml").read_text(encoding="utf-8")
    return Table.model_validate(yaml.safe_load(text))
