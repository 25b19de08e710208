"""Editing what was said, part by part, whatever form it has: JSON, plain text, lists and maps.

    [{"role": "user", "parts": [{"type": "text", "content": "..."}, {"type": "blob", "content": "..."}]}]
       └ role of all below        └ kind of what is in it
    {"role": "assistant", "content": "...", "tool_calls": [{"function": {"name": "...", "arguments": "..."}}]}
                                              └ kind by the name of the key

What is not known as structure is content: no text slips through because it stands where nobody expected it.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from collector.jsontext import dumped, is_deep, refuse
from processors.redaction.config import MessagesConfig
from processors.redaction.content import ROLES, Spot

DROPPED = object()
"""Stands where nothing is left."""

_OTHER = "other"
"""The kind of parts whose type nobody knows."""

_STRENGTH = ("keep", "truncate", "mask", "drop")

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("text", "input_text", "output_text", "refusal"), "text"),
        **dict.fromkeys(("reasoning", "thinking", "redacted_thinking", "summary_text", "reasoning_text"), "reasoning"),
        **dict.fromkeys(("tool_call", "tool_use", "tool-call", "function_call", "function"), "tool_call"),
        **dict.fromkeys(
            ("tool_call_response", "tool_result", "tool-result", "function_call_output", "function_response"),
            "tool_call_response",
        ),
        **dict.fromkeys(("blob", "image", "audio", "video", "input_audio", "input_image", "document", "media"), "blob"),
        **dict.fromkeys(("uri", "file", "image_url", "file_uri", "input_file"), "uri"),
    }
)
"""The kind of a part by its type."""

_KEYS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("reasoning", "reasoning_content", "thinking"), "reasoning"),
        **dict.fromkeys(("tool_calls", "toolCalls", "function_call", "functionCall", "arguments", "args"), "tool_call"),
        **dict.fromkeys(("functionResponse", "tool_response"), "tool_call_response"),
        **dict.fromkeys(("image_url", "inlineData", "inline_data", "input_audio", "blob", "b64_json"), "blob"),
        **dict.fromkeys(("uri", "fileData", "file_data"), "uri"),
    }
)
"""The kind of what stands under a key."""

_STRUCTURE = frozenset(
    {
        *(
            "role",
            "type",
            "id",
            "name",
            "index",
            "finish_reason",
            "stop_reason",
            "status",
            "object",
            "model",
            "created",
        ),
        *("tool_call_id", "tool_use_id", "call_id", "toolCallId", "toolName", "tool_name"),
        *("mime_type", "mimeType", "media_type", "modality"),
    }
)
"""Keys whose short values, in what is known as structure, say how content is arranged, never what it is."""

_CONTAINERS = frozenset(
    {
        *("messages", "message", "choices", "candidates", "contents", "content", "parts", "system", "prompt"),
        *("tool_calls", "toolCalls", "function", "function_call", "functionCall", "functionResponse", "toolCallId"),
        *("arguments", "args", "finish_reason"),
    }
)
"""Keys by one of which a map is known as structure; any other map is content as a whole."""

_USAGE = frozenset({"usage", "usage_metadata", "usageMetadata", "token_usage"})
"""Keys of counts, which stay."""

_REQUEST: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("input", "messages", "prompt", "contents", "suffix", "query"), "user"),
        **dict.fromkeys(("instructions", "system", "system_instruction", "systemInstruction"), "system"),
    }
)
"""Keys of a call's parameters that hold content, and who speaks there."""

_SPEAKERS = frozenset({"human", "ai", "system", "user", "assistant", "tool"})
"""Words for roles that some write as the type of a message."""

_LONGEST_WORD = 256
_CUT = re.compile(r"\.\.\.\[truncated, [0-9]{1,12} characters\]\Z")


class Editor:
    """Edits what was said as *config* says, and puts in place of each text what *masked* has for it."""

    def __init__(self, config: MessagesConfig | None, masked: Mapping[str, str]) -> None:
        self._masked = masked
        self._config = config or MessagesConfig()
        roles, parts = self._config.roles, self._config.parts
        self._roles = {role: getattr(roles, role) for role in type(roles).model_fields}
        self._parts = {kind: getattr(parts, kind) for kind in type(parts).model_fields}

    def edited(self, said: Any, spot: Spot) -> Any:
        """Return what is left of *said*: text, JSON as text, or plain Python; `DROPPED` when nothing is."""
        if not isinstance(said, str):
            return self._walk(said, spot.role, spot.kind)
        value = parsed(said)
        if isinstance(value, str):
            return self._apply(said, self._action(spot.role, spot.kind))
        if spot.kind == "request" and isinstance(value, dict):
            made = self._request(value)
        elif spot.kind in _PAYLOADS and not _is_message(value):
            made = self._payload(value, self._action(spot.role, spot.kind), said)
        else:
            made = self._walk(value, spot.role, spot.kind)
        if made is DROPPED or isinstance(made, str):
            return made
        return said if made == value else dumped(made)

    def _walk(self, value: Any, role: str, kind: str) -> Any:
        match value:
            case str():
                return self._apply(value, self._action(role, kind))
            case list():
                items = [self._walk(item, role, kind) for item in value]
                return [item for item in items if item is not DROPPED]
            case dict():
                return self._map(value, role, kind)
        return value

    def _request(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call without what was said in them."""
        made = {
            key: self._walk(under, _REQUEST[key], "text") if key in _REQUEST else under for key, under in value.items()
        }
        return {key: under for key, under in made.items() if under is not DROPPED}

    def _map(self, value: Mapping[str, Any], role: str, kind: str) -> Any:
        role, own = _told(value, role)
        kind = own or kind
        role = "tool" if kind == "tool_call_response" else role
        action = self._action(role, kind)
        if own is not None and "role" not in value and action == "drop":
            return DROPPED
        if own == _OTHER or not (own or "role" in value or _CONTAINERS & value.keys()):
            counts = _counts_in(value) if action in {"mask", "drop"} else None
            return self._payload(value, action) if counts is None else counts
        made = {key: self._under(key, under, (role, kind, action)) for key, under in value.items()}
        return {key: each for key, each in made.items() if each is not DROPPED}

    def _under(self, key: str, value: Any, told: tuple[str, str, str]) -> Any:
        """Return what is left of what stands under *key* in a map of the role, kind and action *told*."""
        role, kind, action = told
        if key in _STRUCTURE and (not isinstance(value, str | list | dict) or _is_word(value)):
            return value
        if key in _USAGE:
            return _each_text(value, lambda _: "****") if action != "keep" else value
        if key in _PAYLOADS.get(kind, ()) and isinstance(value, list | dict):
            return self._payload(value, action)
        return self._walk(value, role, kind if kind in {"blob", "uri"} else _KEYS.get(key, kind))

    def _payload(self, value: Any, action: str, written: str = "") -> Any:
        """Return a value that is content as a whole, *written* so: its structure says as much as its texts."""
        if action in {"mask", "drop"}:
            return self._apply(written or dumped(value), action)
        kept = _each_text(value, lambda text: self._masked.get(text, text))
        text = written or dumped(value)
        if action == "keep" or len(text) <= self._config.max_length:
            return kept
        return self._cut(text if kept == value else dumped(kept), len(text))

    def _apply(self, text: str, action: str) -> Any:
        if action == "drop":
            return DROPPED
        if action == "mask" and text:
            return "****"
        made = self._masked.get(text, text)
        return self._cut(made, len(text)) if action == "truncate" and len(text) > self._config.max_length else made

    def _cut(self, text: str, length: int) -> str:
        done = _CUT.search(text)
        if done is not None and done.start() <= self._config.max_length:
            return text  # by an earlier collector
        return f"{text[: self._config.max_length]}...[truncated, {length} characters]"

    def _action(self, role: str, kind: str) -> str:
        """Return the stronger of what the role and the kind say; what is unknown is treated as the worst there is."""
        said = [
            self._roles.get(role, _strongest(self._roles.values())),
            self._parts.get(kind, _strongest(self._parts.values())),
        ]
        return _strongest(said) or self._config.default


def parsed(text: str) -> Any:
    """Return the list or map that the JSON *text* is; *text* itself when it is none, too deep, or says a key twice."""
    if not text.lstrip().startswith(("[", "{")) or is_deep(text):
        return text
    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return text


def texts_of(value: Any) -> set[str]:
    """Return every text in a value, keys aside."""
    match value:
        case str():
            return {value}
        case list():
            return set().union(*map(texts_of, value))
        case dict():
            return set().union(*map(texts_of, value.values()))
    return set()


_PAYLOADS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "tool_call": ("arguments", "args", "input", "parameters"),
        "tool_call_response": ("response", "result", "output", "content"),
        "blob": ("data", "content", "source", "image_url", "input_audio"),
        "uri": ("uri", "file", "image_url"),
    }
)
"""Keys that hold the whole content of a part of each kind, whatever that is made of."""


class _Strength(NamedTuple):
    strength: int
    action: str


def _strongest(actions: Iterable[str | None]) -> str | None:
    said = [_Strength(_STRENGTH.index(action), action) for action in actions if action is not None]
    return max(said).action if said else None


def _told(value: Mapping[str, Any], role: str) -> tuple[str, str | None]:
    """Return who speaks in a map, and the kind that it says it is, None where it does not."""
    said, type_ = value.get("role"), value.get("type")
    if isinstance(said, str):
        own = "tool_call_response" if "tool_call_id" in value else None
        return ROLES.get(said.lower(), said), own
    if not isinstance(type_, str):
        return role, None
    if type_ in _SPEAKERS and "content" in value:
        return ROLES[type_], None
    own = _TYPES.get(type_, _OTHER)
    # An address may hold the thing itself.
    holds = own == "uri" and any(text.startswith("data:") for text in texts_of(dict(value)))
    return role, "blob" if holds else own


def _is_message(value: Any) -> bool:
    """Tell whether a value has the form of messages or parts, and is not just what a tool is given."""
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, dict) and ("role" in item or _has_type(item)) for item in items)


def _has_type(item: Mapping[str, Any]) -> bool:
    return str(item.get("type")) in _TYPES or "toolCallId" in item


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_WORD and not any(map(str.isspace, value))


def _each_text(value: Any, new: Callable[[str], str]) -> Any:
    match value:
        case str():
            return new(value)
        case list():
            return [_each_text(item, new) for item in value]
        case dict():
            return {key: _each_text(item, new) for key, item in value.items()}
    return value


def _counts_in(value: Any) -> Any:
    """Return what of a value leads to counts of usage, and these; None where there are none."""
    match value:
        case list():
            found = [_counts_in(item) for item in value]
            return found if any(each is not None for each in found) else None
        case dict():
            told = {
                key: _each_text(under, lambda _: "****") if key in _USAGE else _counts_in(under)
                for key, under in value.items()
            }
            told = {key: under for key, under in told.items() if under is not None}
            return told or None
    return None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key twice")
    return made
