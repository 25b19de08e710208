"""Hides what must not be printed: values under telling keys, passwords inside URLs, bearer tokens."""

import re
from typing import Any

from collector.units import REDACTED

_KEY = re.compile(
    r"(^|[_.-])(pass(word|wd|phrase)?|pwd|secrets?|token|credentials?|cookie|authorization|bearer|dsn_password"
    r"|(api|access|private|secret|signing|ingestion|license|encryption|account)[_-]?key|[a-z]*pem)$",
    re.IGNORECASE,
)
_HEADERS = re.compile(r"(^|_)headers$", re.IGNORECASE)
_HIDDEN = (
    (re.compile(r"((?:://|(?<![^\s'\"]))[^:/@\s'\"]*):(?!//)\S*@"), rf"\1:{REDACTED}@"),
    (
        re.compile(r"([?&][\w.-]*(?:password|passwd|pwd|token|secret|key|signature|auth)=)[^&#\s]+", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b(Bearer|Basic)\s+\S+", re.IGNORECASE), rf"\1 {REDACTED}"),
)
_LONGEST = 500


def sensitive(keys: tuple[str, ...]) -> bool:
    """Tell whether what stands under these keys, outermost first, must not be printed."""
    return any(_KEY.search(key) for key in keys) or any(_HEADERS.search(key) for key in keys[:-1])


def redact_text(text: str) -> str:
    """Return *text* without the passwords and tokens that stand in the middle of it."""
    for pattern, replacement in _HIDDEN:
        text = pattern.sub(replacement, text)
    return text


def loggable(text: str) -> str:
    """Return what another program said as a log line may hold it: one line, not long, without passwords and tokens."""
    # Hidden before it is cut, or half a password might stay; but not in megabytes of what a server was sent.
    line = redact_text(" ".join(text[: 10 * _LONGEST].split()))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def redact(value: Any, keys: tuple[str, ...] = ()) -> Any:
    """Return plain *value* (dicts, lists, scalars), found under *keys*, with every secret hidden."""
    if isinstance(value, dict):
        return {key: redact(below, (*keys, str(key))) for key, below in value.items()}
    if isinstance(value, list):
        return [redact(each, keys) for each in value]
    if value is None or value == "" or isinstance(value, bool):
        return value
    if sensitive(keys):
        return REDACTED
    return redact_text(value) if isinstance(value, str) else value
