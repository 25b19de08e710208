"""Writing prompts and completions as the JSON of `gen_ai.input.messages` and `gen_ai.output.messages`.

The form is that of OpenTelemetry's GenAI message schemas: a list of messages, each with a role and typed parts.
"""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any, NoReturn

from processors.genai.table import Piece

Message = dict[str, Any]

_DEEPEST = 100


class Draft:
    """Is one message while its numbered attributes are gathered."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._calls: dict[int, dict[str, str]] = {}

    def put(self, piece: Piece, text: str) -> None:
        """Keep the text of one attribute."""
        if piece.part.startswith("tool_call."):
            self._calls.setdefault(piece.call, {})[piece.part.removeprefix("tool_call.")] = text
        else:
            self._texts[piece.part] = text

    def message(self, role: str) -> Message:
        """Return the message; *role* speaks where no attribute said who does."""
        parts = [] if "reasoning" not in self._texts else [{"type": "reasoning", "content": self._texts["reasoning"]}]
        if "tool_call_id" in self._texts:
            parts.append(_response(self._texts["tool_call_id"], self._texts.get("content", "")))
        elif "content" in self._texts:
            parts.extend(_parts(self._texts["content"]))
        for _, call in sorted(self._calls.items()):
            parts.append(_call(call.get("id"), call.get("name", ""), _parsed(call.get("arguments", ""))))
        message: Message = {"role": self._texts.get("role") or role, "parts": parts}
        if "finish_reason" in self._texts:
            message["finish_reason"] = self._texts["finish_reason"]
        return message


def dump(messages: Iterable[Message]) -> str:
    """Return the messages as JSON that every UTF-8 reader takes."""
    text = json.dumps(list(messages), ensure_ascii=False, separators=(",", ":"))
    if _is_unicode(text):
        return text
    return json.dumps(json.loads(text), separators=(",", ":"))


def convert(text: str, role: str) -> str | None:
    """Return a whole prompt or completion (a JSON list of role and content, or plain text) as messages."""
    if not text:
        return None
    value = _parsed(text)
    if isinstance(value, list) and value and all(isinstance(item, dict) and "role" in item for item in value):
        return dump(_converted(item, role) for item in value)
    return dump([{"role": role, "parts": [_text(text)]}])


def _converted(item: Mapping[str, Any], role: str) -> Message:
    if isinstance(item.get("parts"), list):
        return dict(item)
    content = item.get("content")
    parts = [_part(part) for part in content] if isinstance(content, list) else _parts(_plain(content))
    return {"role": item["role"] or role, "parts": parts}


def _parts(content: str) -> list[Any]:
    """Return the parts of a content that is plain text, or a JSON list of a provider's typed parts."""
    if content.startswith("[{"):
        value = _parsed(content)
        if isinstance(value, list) and all(isinstance(part, dict) and "type" in part for part in value):
            return [_part(part) for part in value]
    return [_text(content)] if content else []


def _part(part: Any) -> Any:
    """Return a provider's typed part as OpenTelemetry's; kinds it has no word for stay as they are."""
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return _text(text)
        case {"type": "tool_use", "name": str(name)}:
            return _call(part.get("id"), name, part.get("input"))
        case {"type": "tool_result", "tool_use_id": str(call)}:
            return _response(call, part.get("content"))
        case {"type": "thinking", "thinking": str(text)}:
            return {"type": "reasoning", "content": text}
        case dict():
            return part
    return _text(_plain(part))


def _text(content: str) -> Message:
    return {"type": "text", "content": content}


def _call(call: Any, name: str, arguments: Any) -> Message:
    return {"type": "tool_call", "id": call, "name": name, "arguments": arguments}


def _response(call: str, response: Any) -> Message:
    return {"type": "tool_call_response", "id": call, "response": response}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _parsed(text: str) -> Any:
    """Return what the JSON *text* says, or *text* itself when it is none."""
    if not text or text[0] not in "[{" or _is_deep(text):
        return text
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _is_deep(text: str) -> bool:
    """Tell whether brackets open deeper than is read: json recurses, and must not do so at a sender's will."""
    if text.count("[") + text.count("{") <= _DEEPEST:
        return False
    depths = accumulate(1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    return max(depths) > _DEEPEST


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _is_unicode(text: str) -> bool:
    """Tell whether *text* can be written as UTF-8: JSON may spell half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
