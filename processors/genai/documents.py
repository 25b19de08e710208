"""Reading the JSON, and the Python literals, that some write into an attribute."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from collector.jsontext import is_deep, refuse

_LONGEST_LITERAL = 16_384
"""Characters of the longest Python literal that is read: reading one takes many times what JSON takes."""
_LONGEST = 4 * 2**20


def document(text: str) -> Any:
    """Return what *text* says as JSON or else as a Python literal, None when it is neither."""
    if len(text) > _LONGEST or is_deep(text):
        return None
    try:
        return json.loads(text, parse_constant=_nothing)
    except ValueError:
        return _literal(text) if text[:1] in ("{", "[") and len(text) <= _LONGEST_LITERAL else None


def parsed(text: str) -> Any:
    """Return what the JSON *text* (an object or a list) says, or *text* itself when it is none."""
    if not text or text[0] not in "[{" or is_deep(text):
        return text
    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError:
        return text


def at(value: Any, path: Sequence[str]) -> Any:
    """Return what stands at *path* in *value*, None where nothing does.

    In lists a step is a number; ``NAME*`` is the sum of the numbers whose names begin with NAME.
    """
    for step in path:
        if isinstance(value, dict):
            value = _sum(value, step[:-1]) if step.endswith("*") else value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _sum(members: Mapping[str, Any], start: str) -> float | None:
    """Return what the numbers among *members* add up to whose names begin with *start*, None where there is none."""
    numbers = [
        number
        for name, number in members.items()
        if name.startswith(start) and isinstance(number, int | float) and not isinstance(number, bool) and number >= 0
    ]
    return sum(numbers) if numbers else None


def _literal(text: str) -> Any:
    """Return what a Python literal says, as JSON would say it."""
    try:
        return json.loads(json.dumps(ast.literal_eval(text)), parse_constant=_nothing)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _nothing(_: str) -> None:
    """Return what NaN and Infinity say."""
