"""JSON that programs write into texts: what guards its reading, and writing it so that every UTF-8 reader takes it."""

import json
import re
from itertools import accumulate
from typing import Any, NoReturn

_DEEPEST = 100


def is_deep(text: str) -> bool:
    """Tell whether brackets open deeper than is read: json recurses, and must not do so at a sender's will."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return False
    return max(accumulate(1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))) > _DEEPEST


def refuse(constant: str) -> NoReturn:
    """Raise ValueError: what json reads as NaN and Infinity is no JSON."""
    raise ValueError(f"{constant} is no JSON")


def is_unicode(text: str) -> bool:
    """Tell whether *text* can be written as UTF-8: JSON may spell half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def dumped(value: Any) -> str:
    """Return *value* as JSON, short and in its own letters where UTF-8 has them all."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if is_unicode(text) else json.dumps(value, separators=(",", ":"))
