"""What `calls.yaml` says: which spans are calls, what kind of failure each had, and what stays of a model's name."""

import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from collector.models import model_of

_LONGEST = 256  # characters of a name worth remembering: errors are few, what may be sent as one is not

_SEPARATORS = re.compile(r"[\s-]+")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class _Status(_Row):
    first: int = Field(alias="from")
    last: int = Field(alias="to")
    error_class: str = Field(alias="class")


class _Name(_Row):
    pattern: re.Pattern[str]
    error_class: str = Field(alias="class")


class CallTable(_Row):
    """Is what `calls.yaml` says."""

    operations: Mapping[str, str]
    statuses: tuple[_Status, ...]
    status_in_name: re.Pattern[str]
    names: tuple[_Name, ...]
    otherwise: str
    model_endings: tuple[re.Pattern[str], ...]
    summed: tuple[str, ...]

    def plain_model(self, name: str) -> str:
        """Return what stays of a model's name when any path and what a snapshot is told by are taken off."""
        plain = model_of(name.rpartition("/")[2] or name)
        for ending in self.model_endings:
            plain = ending.sub("", plain) or plain
        return plain

    def is_summed(self, key: str) -> bool:
        """Tell whether dashboards sum or count the attribute *key*."""
        return any(fnmatchcase(key, pattern) for pattern in self.summed)

    @cached_property
    def classes(self) -> list[str]:
        """Every class of error, in order."""
        by_status = {rule.error_class for rule in self.statuses}
        return sorted(by_status | {rule.error_class for rule in self.names} | {self.otherwise})

    def class_of(self, status: int | None, *names: str | None) -> str:
        """Return the class of a failure with this HTTP status, whose error goes by these names."""
        given = [name for name in names if name]
        spoken = (self.status_in_name.match(name.lower()) for name in given)
        codes = [int(found[1]) for found in spoken if found]
        told = (self._of_status(code) for code in (codes if status is None else [status, *codes]))
        called = (self._of_name(_SEPARATORS.sub("_", name.lower())) for name in given)
        return next((found for found in (*told, *called) if found), self.otherwise)

    def number_of(self, status: int, *names: str | None) -> int:
        """Return the number in `classes` of what `class_of` says; a negative status is none."""
        short = all(len(name) <= _LONGEST for name in names if name)
        return self._known(status, *names) if short else self._number(status, *names)

    @cached_property
    def _known(self) -> Callable[..., int]:
        return lru_cache(maxsize=1024)(self._number)

    def _number(self, status: int, *names: str | None) -> int:
        return self.classes.index(self.class_of(status if status >= 0 else None, *names))

    def _of_status(self, code: int) -> str | None:
        return next((rule.error_class for rule in self.statuses if rule.first <= code <= rule.last), None)

    def _of_name(self, name: str) -> str | None:
        return next((rule.error_class for rule in self.names if rule.pattern.search(name)), None)


@lru_cache(maxsize=1)
def call_table() -> CallTable:
    """Return the table that comes with the package."""
    text = Path(__file__).with_name("calls.yaml").read_text(encoding="utf-8")
    return CallTable.model_validate(yaml.safe_load(text))
