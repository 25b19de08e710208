"""The user's own prices, in a YAML file that is laid over the shipped ones.

    prices:
      - {model: gpt-4o*, provider: openai, from: 2026-07-01, input: 2.00, cache_read: 1.00, output: 8.00}
      - {model: my-finetune, input: 3, output: 12}
      - {model: claude-*, tier: batch, input: 1.5, output: 7.5}

Numbers are USD per million tokens. Of several entries that fit, one for the name as reported goes before one for a
part of it (`collector.models.names_of`), then the one of the latest day holds, else the last one; what it does not
name stays as shipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from collector.config.files import read_as

NAMES = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
_PICO_PER_UNIT = 1_000_000  # USD per million tokens -> 10^-12 USD a token

Amount = Annotated[Decimal, Field(ge=0, le=1_000_000)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    model: str = Field(min_length=1)
    provider: str = "*"
    tier: str = ""
    since: date | None = Field(None, alias="from")
    input: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    output: Amount | None = None
    reasoning: Amount | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prices: tuple[_Entry, ...]


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """Is one entry: *model* and *provider* are patterns (``*`` and ``?``), *since* is a day or '' for always.

    *rates* are in 10^-12 USD a token, by the names of `NAMES`; of equal days the highest *number* counts.
    """

    model: str
    provider: str
    tier: str
    since: str
    number: int
    rates: Mapping[str, int]

    def applies(self, provider: str, model: str, tier: str, day: str) -> bool:
        """Tell whether the entry is for such a call on *day*."""
        return (
            self.since <= day
            and self.tier == tier.lower()
            and fnmatchcase(model.lower(), self.model)
            and fnmatchcase(provider.lower(), self.provider)
        )


def read_own(path: Path) -> list[OwnPrices]:
    """Return the entries of a file; raise `collector.errors.ConfigError` with every mistake in it."""
    return [_own(number, entry) for number, entry in enumerate(read_as(_File, path).prices)]


def _own(number: int, entry: _Entry) -> OwnPrices:
    given = {name: value for name in NAMES if (value := getattr(entry, name)) is not None}
    rates = {name: int((value * _PICO_PER_UNIT).to_integral_value()) for name, value in given.items()}
    since = entry.since.isoformat() if entry.since else ""
    return OwnPrices(entry.model.lower(), entry.provider.lower(), entry.tier.lower(), since, number, rates)
