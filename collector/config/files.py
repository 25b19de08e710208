"""Files that a configuration names, in a form of their own: read with every mistake told at its place."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import AfterValidator, BaseModel, ValidationInfo

from collector.config.source import read_file
from collector.config.text import parse
from collector.config.tree import Entry, Map, Place, Report
from collector.config.validate import validate
from collector.errors import ConfigError
from collector.units import LOOK

M = TypeVar("M", bound=BaseModel)


def read_as(model: type[M], path: Path) -> M:
    """Return what stands in a YAML file as a *model*; raise `ConfigError` with every mistake in it."""
    report, name = Report(), str(path)
    report.opened(name)
    text = read_file(name, Place(name), "", report)
    node = None if text is None else parse(text, name, report)
    found = None
    if isinstance(node, Map):
        found = validate(model, Entry(node.place, node), "", report)
    elif text is not None and not report.problems:
        place = node.place if node is not None else Place(name)
        report.problem(place, "", "must be a map of keys", f"known: {', '.join(model.model_fields)}")
    if found is None or report.problems:
        raise ConfigError(report.problems)
    return found


def looked_into(read: Callable[[Path], object]) -> AfterValidator:
    """Return what makes mistakes that *read* finds in a file mistakes of the configuration that names it."""

    def look(path: Path, info: ValidationInfo) -> Path:
        if info.context == LOOK:
            try:
                read(path)
            except ConfigError as error:
                raise ValueError("; ".join(map(str, error.problems))) from error
        return path

    return AfterValidator(look)
