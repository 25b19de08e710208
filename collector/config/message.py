"""Says in plain words what is wrong with a value and what to do."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from pydantic_core import ErrorDetails

from collector.config.secrets import redact, redact_text
from collector.units import REDACTED

_WANTED: Mapping[str, str] = MappingProxyType(
    {
        "int_type": "a whole number",
        "int_parsing": "a whole number",
        "int_parsing_size": "a smaller whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "float_parsing": "a number",
        "finite_number": "a finite number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "string_type": "a text",
        "list_type": "a list",
        "tuple_type": "a list",
        "set_type": "a list",
        "frozen_set_type": "a list",
        "dict_type": "a map of keys",
        "mapping_type": "a map of keys",
        "model_type": "a map of keys",
        "model_attributes_type": "a map of keys",
        "none_required": "empty",
        "date_type": "a day like 2026-07-01",
        "date_parsing": "a day like 2026-07-01",
        "date_from_datetime_parsing": "a day like 2026-07-01",
        "date_from_datetime_inexact": "a day like 2026-07-01",
        "path_not_file": "an existing file",
        "path_not_directory": "an existing folder",
    }
)
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Message:
    """Is one mistake: either *wanted* and *given*, or a *text*; and a *hint*."""

    text: str = ""
    wanted: str = ""
    given: str = ""
    hint: str = ""


def explain(error: ErrorDetails, keys: tuple[str, ...], siblings: Sequence[str], *, secret: bool) -> Message:
    """Return the message for an error of pydantic in the value under *keys*, beside which *siblings* may stand."""
    kind, given = error["type"], REDACTED if secret else shown(error["input"], keys)
    if kind == "extra_forbidden":
        return Message("unknown key", hint=suggestion(keys[-1] if keys else "", siblings, "known keys"))
    if kind == "missing":
        return Message("is required", hint="add this key with a value")
    if kind in {"literal_error", "enum"}:
        choices = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
        hint = suggestion(str(error["input"]), choices, "")
        return Message(wanted=" or ".join(choices) or "something else", given=given, hint=hint)
    if kind in _WANTED:
        quote = "put it in quotes" if kind == "string_type" and isinstance(error["input"], int | float) else ""
        return Message(wanted=_WANTED[kind], given=given, hint=quote)
    if kind == "value_error":
        return Message(redact_text(str(error.get("ctx", {}).get("error", error["msg"]))))
    text = re.sub(r"^(Input|Value|String|List|Dictionary|URL) should", "must", error["msg"])
    return Message(f"{redact_text(text)}, not {given}" if text.startswith("must") else redact_text(text))


def together(messages: Iterable[Message]) -> tuple[str, str]:
    """Return one text and hint for everything that is wrong with one value."""
    parts = list(dict.fromkeys(messages))
    wanted = list(dict.fromkeys(part.wanted for part in parts if part.wanted))
    texts = [part.text for part in parts if part.text]
    if wanted:
        texts.append(f"must be {' or '.join(wanted)}, not {next(part.given for part in parts if part.wanted)}")
    return "; or ".join(texts), next((part.hint for part in parts if part.hint), "")


def suggestion(word: str, known: Sequence[str], label: str) -> str:
    """Return ``did you mean "x"?`` where a known word is near, and behind *label* all that are known."""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    asked = f'did you mean "{near[0]}"?' if near else ""
    listed = f"{label}: {', '.join(known) or 'none'}" if label and not near else ""
    return asked or listed


def shown(value: Any, keys: tuple[str, ...]) -> str:
    """Return *value* as YAML writes it in a line, short, without its secrets."""
    hidden = redact(value, keys)
    text = hidden if isinstance(hidden, str) and hidden.startswith("[") else json.dumps(hidden, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
