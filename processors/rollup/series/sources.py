"""Which metrics and log events tell of model calls: what `sources.yaml` says."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Group(_Row):
    scope: str
    group: str


class Lossy(_Row):
    """Says which points count beside spans that lose failures."""

    scope: str
    below: str
    metrics: tuple[str, ...]
    provider: str
    unless: tuple[str, ...] = ()


class MetricRule(_Row):
    """Says what a metric feeds."""

    feeds: Literal["calls", "tokens", "cost"]
    rank: int = 1
    types: str = "inclusive"
    type: str = ""
    only: tuple[str, ...] = ()
    operation: str = "chat"
    provider: str = ""
    group: str = ""


class EventRule(_Row):
    """Says how a log event tells of a call."""

    rank: int
    group: str = ""
    operation: str
    provider: str = ""
    attributes: Mapping[str, str] = {}
    when: Mapping[str, tuple[str, ...]] = {}
    says: str = ""
    says_when: Mapping[str, tuple[str, ...]] = {}
    failed: bool = False
    failed_when: Mapping[str, tuple[str, ...]] = {}
    input_adds: tuple[str, ...] = ()
    output_adds: tuple[str, ...] = ()


class Sources(_Row):
    """Is what the file says."""

    groups: tuple[_Group, ...]
    nameless: tuple[str, ...]
    lossy: tuple[Lossy, ...]
    types: Mapping[str, Mapping[str, tuple[str, ...]]]
    type_keys: tuple[str, ...]
    metrics: Mapping[str, tuple[MetricRule, ...]]
    model_keys: tuple[str, ...]
    events: Mapping[str, EventRule]
    event_duration: str
    event_cost: str

    def group_of(self, scope: str) -> str:
        """Return the group of a scope: itself, if it goes by no other name."""
        if any(fnmatchcase(scope, one) for one in self.nameless):
            return ""
        return next((one.group for one in self.groups if fnmatchcase(scope, one.scope)), scope)

    def lossy_of(self, scope: str, version: str) -> Lossy | None:
        """Return what is known of a library whose spans lose failures; one without a version is not known."""
        return next((one for one in self.lossy if fnmatchcase(scope, one.scope) and _older(version, one.below)), None)


def _older(version: str, bound: str) -> bool:
    numbers, limit = ([int(number) for number in re.findall(r"\d+", text)[:3]] for text in (version, bound))
    return bool(numbers) and numbers < limit


@lru_cache(maxsize=1)
def sources() -> Sources:
    """Return what comes with the package."""
    text = Path(__file__).with_name("sources.yaml").read_text(encoding="utf-8")
    return Sources.model_validate(yaml.safe_load(text))
