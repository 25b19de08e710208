"""The table that comes with the package, alone or with the user's own laid over it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from collector.config.files import read_as
from processors.genai.grammar import Dialect
from processors.genai.table import Dialects

FOLDER = Path(__file__).with_name("dialects")


@lru_cache(maxsize=1)
def shipped() -> Dialects:
    """Return the table that comes with the package."""
    return Dialects(_parts())


def extended(own: Sequence[Dialect]) -> Dialects:
    """Return the shipped table with the user's *own* laid over it, the first of them on top."""
    return Dialects([*own, *_parts()]) if own else shipped()


@lru_cache(maxsize=1)
def _parts() -> Sequence[Dialect]:
    return [
        Dialect.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(FOLDER.glob("*.yaml"))
    ]


def read_own(path: Path) -> Dialect:
    """Return the table in a file of the user's; raise `ConfigError` with every mistake in it."""
    return read_as(Dialect, path)
