"""Values as users write them in a configuration: durations, files to read, and secrets that never show."""

import math
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")

_LONGEST_HOURS = 876_000
"""A hundred years: what is waited for is twice as long at most, and Python cannot wait for 293."""
_LONGEST_MS = 2**31 - 1

REDACTED = "[REDACTED]"


def parse_duration(value: object) -> float:
    """Return the seconds of a duration written as in Go (``200ms``, ``1m30s``, ``0``); raise ValueError otherwise."""
    text = str(value)
    if isinstance(value, float) and math.isfinite(value) and value >= 0:
        seconds = value
    elif text == "0":
        seconds = 0.0
    else:
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError(f"{text!r} is not a duration; write it like 200ms, 5s or 1m30s")
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST_HOURS * _UNITS["h"]:
        raise ValueError(f"{text!r} is longer than a hundred years ({_LONGEST_HOURS}h)")
    return seconds


def format_duration(seconds: float) -> str:
    """Return *seconds* as `parse_duration` reads them, exact to the nanosecond: ``1m30s``, ``200ms``, ``0s``."""
    left = round(seconds * 1e9)
    if 0 < left < 1_000_000_000:
        for size, unit in ((1_000_000, "ms"), (1_000, "us"), (1, "ns")):
            if left % size == 0:
                return f"{left // size}{unit}"
    hours, left = divmod(left, 3_600_000_000_000)
    minutes, left = divmod(left, 60_000_000_000)
    whole, fraction = divmod(left, 1_000_000_000)
    rest = f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")
    text = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    return text if text and left == 0 else f"{text}{rest}s"


def milliseconds(seconds: float) -> int:
    """Return a duration as gRPC takes it: in whole milliseconds, of which more than 24 days mean for ever."""
    return int(min(seconds * 1000, _LONGEST_MS))


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "example": "1m30s"}),
]
"""Seconds; written ``200ms``, ``5s``, ``1m30s``."""


def _more_than_nothing(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("must be longer than 0s")
    return seconds


PositiveDuration = Annotated[Duration, AfterValidator(_more_than_nothing)]
"""Seconds, more than none."""


F = TypeVar("F", str, Path)

LOOK = {"look_at_files": True}
"""The context in which pydantic looks whether files can be read."""


def _readable(path: F, info: ValidationInfo) -> F:
    if str(path) and info.context == LOOK:
        try:
            with Path(path).open("rb") as file:
                file.read(1)
        except OSError as error:
            raise ValueError(f"cannot read {path}: {error.strerror}; paths start from {Path.cwd()}") from error
    return path


ReadableFile = Annotated[str, AfterValidator(_readable)]
"""A file that the component reads when it starts, '' for none."""

ReadablePath = Annotated[Path, AfterValidator(_readable)]
"""The same as a path."""


class Secret(SecretStr):
    """Is a text that is printed as ``[REDACTED]`` everywhere; `get_secret_value` is the text itself."""

    def __str__(self) -> str:
        return REDACTED if self.get_secret_value() else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        shown = core_schema.plain_serializer_function_ser_schema(cls._show, info_arg=True, when_used="json")
        schema = super().__get_pydantic_core_schema__(source, handler)
        return cast(CoreSchema, {**schema, "serialization": shown})

    @staticmethod
    def _show(value: "Secret", info: core_schema.SerializationInfo[Any]) -> str:
        """Return the text itself only to who asks with ``context={"unredacted": True}``."""
        unredacted = isinstance(info.context, dict) and info.context.get("unredacted") is True
        return value.get_secret_value() if unredacted else str(value)
