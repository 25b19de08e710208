"""Writes docs/configuration.md out of the config classes: ``python -m tests.reference``."""

import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import entry_points
from inspect import getdoc
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from collector.component import Component, ComponentConfig
from collector.units import format_duration

PATH = Path(__file__).parent.parent / "docs" / "configuration.md"
KINDS = ("receivers", "processors", "exporters", "extensions")
_INTRODUCTION = """\
# Configuration

Written by `python -m tests.reference` out of the config classes; a test keeps it so.

The file has the OpenTelemetry Collector's grammar: `receivers`, `processors`, `exporters`, `extensions` and
`service.pipelines`; an id is `type` or `type/name`. Durations are written `200ms`, `5s`, `1m30s`. `${env:NAME}`,
`${env:NAME:-default}` and `${file:path}` are replaced, `$$` is a dollar sign. Several `--config` files are laid over
each other, maps merged, lists replaced; `--set a.b=v` wins.
"""


def text() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION]
    for kind in KINDS:
        parts.append(f"\n## {kind.capitalize()}\n")
        first: dict[type[Component], str] = {}
        for point in sorted(entry_points(group=f"genai_collector.{kind}"), key=lambda point: point.name):
            cls = point.load()
            if first.setdefault(cls, point.name) != point.name:
                parts.append(f"\n### `{point.name}`\n\nIs another name of `{first[cls]}`.\n")
                continue
            parts.append(f"\n### `{point.name}`\n\n{_paragraph(getdoc(cls))}\n")
            rows = list(_rows(cls.Config, ""))
            if rows:
                parts.append("\n| key | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


def _rows(config: type[ComponentConfig], prefix: str) -> Iterator[str]:
    for name, field in config.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = _nested(field)
        meaning = _cell(field.description or (getdoc(inner) if inner else ""))
        yield f"| `{key}` | {'' if inner else _default(field)} | {meaning} |"
        if inner:
            yield from _rows(inner, f"{key}.")


def _nested(field: FieldInfo) -> type[ComponentConfig] | None:
    kinds = (field.annotation, *get_args(field.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ComponentConfig)), None)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, float) and "duration" in str(field.metadata).lower():
        return f"`{format_duration(field.default)}`"
    if field.default in ("", {}):
        return ""
    value = "true" if field.default is True else "false" if field.default is False else field.default
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return f"`{value}`" + (f" of {', '.join(f'`{choice}`' for choice in choices)}" if len(choices) > 1 else "")


def _paragraph(doc: str | None) -> str:
    return textwrap.fill(_cell(doc), 120)


def _cell(doc: str | None) -> str:
    return " ".join((doc or "").replace("``", "`").split()).replace("|", "\\|")


if __name__ == "__main__":
    PATH.write_text(text())
    sys.exit(0)
