"""Writing prompts and completions as the JSON of `gen_ai.input.messages` and `gen_ai.output.messages`.

The form is that of OpenTelemetry's GenAI message schemas: a list of messages, each with a role and typed parts.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from collector.jsontext import dumped
from processors.genai.documents import parsed
from processors.genai.table import Piece

Message = dict[str, Any]

_ROLES = MappingProxyType({"human": "user", "ai": "assistant", "model": "assistant", "developer": "system"})
_CHOICE = "gen_ai.choice"


class Draft:
    """Is one message while its numbered attributes are gathered."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._calls: dict[int, dict[str, str]] = {}
        self._contents: dict[int, dict[str, str]] = {}

    def put(self, piece: Piece, text: str) -> None:
        """Keep the text of one attribute."""
        if piece.part.startswith("tool_call."):
            self._calls.setdefault(piece.call, {})[piece.part.removeprefix("tool_call.")] = text
        elif piece.part.startswith("contents."):
            self._contents.setdefault(piece.call, {})[piece.part.removeprefix("contents.")] = text
        else:
            self._texts[piece.part] = text

    def message(self, role: str) -> Message:
        """Return the message; *role* speaks where no attribute said who does."""
        parts = [] if "reasoning" not in self._texts else [{"type": "reasoning", "content": self._texts["reasoning"]}]
        if "tool_call_id" in self._texts:
            parts.append(_response(self._texts["tool_call_id"], self._texts.get("content", "")))
        elif "content" in self._texts:
            parts.extend(_parts(self._texts["content"]))
        else:
            parts.extend(_content(content) for _, content in sorted(self._contents.items()) if content.get("text"))
        for _, call in sorted(self._calls.items()):
            parts.append(_call(call.get("id"), call.get("name", ""), parsed(call.get("arguments", ""))))
        message: Message = {"role": self._texts.get("role") or role, "parts": parts}
        if "finish_reason" in self._texts:
            message["finish_reason"] = self._texts["finish_reason"]
        return message


def convert(text: str, role: str) -> str | None:
    """Return a whole prompt or completion (JSON in any form that is known, or plain text) as messages."""
    if not text:
        return None
    value = parsed(text)
    return dumped(_messages(value, role) or [{"role": role, "parts": [_text(text)]}])


def convert_value(value: Any, role: str) -> str | None:
    """Return what `convert` does, of a value that was read from JSON; None where it holds no message."""
    if isinstance(value, str):
        return convert(value, role)
    messages = _messages(value, role)
    return dumped(messages) if messages else None


def of_event(name: str, told: Mapping[str, str | None], role: str) -> str | None:
    """Return the message that the attributes of one of OpenTelemetry's events are, None where they say nothing."""
    values = {key: parsed(text) for key, text in told.items() if text}
    if not values.keys() & {"content", "message", "tool_calls"}:
        return None
    who = {"gen_ai.user.message": "user", "gen_ai.system.message": "system", "gen_ai.tool.message": "tool"}
    told_role = values.get("role") or who.get(name) or ("assistant" if name != _CHOICE else role)
    event = {**values, "role": told_role, "event.name": name}
    return dumped([_choice(event, role) if name == _CHOICE else _converted(event, role)])


def _messages(value: Any, role: str) -> list[Message] | None:
    """Return the messages that *value* holds, None when it is of no form that is known."""
    if isinstance(value, dict):
        return _of_object(value, role)
    return _of_list(value, role) if isinstance(value, list) and value else None


def _of_object(value: dict[str, Any], role: str) -> list[Message] | None:
    found = None
    match value:
        case {"messages": list(messages)}:
            found = _messages(messages, role)
        case {"choices": [*choices]} if role == "assistant":
            found = [_choice(choice, role) for choice in choices if isinstance(choice, dict)]
        case {"output": [{"type": str()}, *_] as items} if role == "assistant":
            found = _items(items, role)
        case {"prompt": str(prompt)} if role == "user":
            system = value.get("system")
            spoken = [{"role": "system", "parts": [_text(system)]}] if isinstance(system, str) and system else []
            found = [*spoken, {"role": "user", "parts": [_text(prompt)]}]
        case {"role": str()} | {"kwargs": {"content": _}} | {"type": str(), "data": {"content": _}}:
            found = [_converted(value, role)]
    return found


def _of_list(value: list[Any], role: str) -> list[Message] | None:
    if isinstance(value[0], list) and len(value) == 1:
        return _messages(value[0], role)
    if all(isinstance(item, str) for item in value):
        return [{"role": role, "parts": [_text(item)]} for item in value]
    if not all(isinstance(item, dict) for item in value):
        return None
    if "event.name" in value[0]:
        return _of_events(value, role)
    if all(_is_message(item) for item in value):
        return [_converted(item, role) for item in value]
    return _items(value, role) if all("type" in item or "role" in item for item in value) else None


def _is_message(item: Mapping[str, Any]) -> bool:
    return "role" in item or "kwargs" in item or ("type" in item and "data" in item)


def _items(items: Sequence[Any], role: str) -> list[Message]:
    """Return a list of typed parts, or of such and messages as OpenAI's Responses have them, as messages."""
    messages: list[Message] = []
    for item in items:
        if "role" in item:
            messages.append(_converted(item, role))
        elif messages and messages[-1].get("loose"):
            messages[-1]["parts"].append(_part(item))
        else:
            messages.append({"role": role, "parts": [_part(item)], "loose": True})
    return [{key: value for key, value in message.items() if key != "loose"} for message in messages]


def _of_events(events: Sequence[Any], role: str) -> list[Message] | None:
    """Return the messages of a list of OpenTelemetry's events: the choices for an answer, the others for a prompt."""
    told = [event for event in events if isinstance(event, dict)]
    if role == "assistant":
        answers = [event for event in told if event.get("event.name") == _CHOICE]
        return [_choice(event, role) for event in answers] or None
    return [_converted(event, role) for event in told if event.get("event.name") != _CHOICE] or None


def _choice(choice: Mapping[str, Any], role: str) -> Message:
    told = choice.get("message")
    message = _converted(told, role) if isinstance(told, dict) else {"role": role, "parts": []}
    if not message["parts"]:
        message["parts"] = _parts(
            _plain(told if isinstance(told, str) else choice.get("text") or choice.get("content"))
        )
    if isinstance(choice.get("finish_reason"), str):
        message["finish_reason"] = choice["finish_reason"]
    return message


def _converted(item: Mapping[str, Any], role: str) -> Message:
    if isinstance(item.get("parts"), list) and "role" in item:
        return dict(item)
    inner = item.get("kwargs") or item.get("data")
    told = {**inner, "role": inner.get("type") or item.get("type")} if isinstance(inner, dict) else item
    who = str(told.get("role") or "")
    content = told.get("content") if told.get("content") is not None else told.get("parts")
    answered = told.get("tool_call_id") or (told.get("id") if who == "tool" else None)
    if isinstance(answered, str):
        parts = [_response(answered, content)]
    else:
        parts = [_part(part) for part in content] if isinstance(content, list) else _parts(_plain(content))
    if isinstance(told.get("tool_calls"), list):
        parts += [_called(call) for call in told["tool_calls"] if isinstance(call, dict)]
    return {"role": _ROLES.get(who, who) or role, "parts": parts}


def _called(call: Mapping[str, Any]) -> Message:
    """Return a tool call as OpenAI, LangChain or Vercel write it."""
    told = call["function"] if isinstance(call.get("function"), dict) else call
    name = next((told[key] for key in ("name", "toolName") if isinstance(told.get(key), str)), "")
    arguments = next((told[key] for key in ("arguments", "args", "input") if told.get(key) is not None), None)
    return _call(
        call.get("id") or call.get("toolCallId") or call.get("call_id"),
        name,
        parsed(arguments) if isinstance(arguments, str) else arguments,
    )


def _parts(content: str) -> list[Any]:
    """Return the parts of a content that is plain text, or a JSON list of a provider's typed parts."""
    if content.startswith("[{"):
        value = parsed(content)
        if isinstance(value, list) and all(isinstance(part, dict) and "type" in part for part in value):
            return [_part(part) for part in value]
    return [_text(content)] if content else []


def _part(part: Any) -> Any:
    """Return a provider's typed part as OpenTelemetry's; kinds it has no word for stay as they are."""
    found = part if isinstance(part, dict) else _text(_plain(part))
    match part:
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            found = _text(text)
        case {"type": "tool_use" | "tool-call" | "function_call" | "tool_call"}:
            found = _called(part)
        case {"type": "tool_result", "tool_use_id": str(call)}:
            found = _response(call, part.get("content"))
        case {"type": "tool-result", "toolCallId": str(call)}:
            found = _response(call, part.get("output", part.get("result")))
        case {"type": "function_call_output", "call_id": str(call)}:
            found = _response(call, part.get("output"))
        case {"type": "thinking", "thinking": str(text)} | {"type": "reasoning", "text": str(text)}:
            found = {"type": "reasoning", "content": text}
    return found


def _content(content: Mapping[str, str]) -> Message:
    kind = "reasoning" if content.get("type") in {"reasoning", "thinking"} else "text"
    return {"type": kind, "content": content["text"]}


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
