"""What can be done to attributes: the configuration of one action, checked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator

from collector.component import ComponentConfig
from collector.patterns import check, group_names
from collector.values import typed

_SOURCES = ("value", "from_attribute", "from_context", "default_value")
_ALLOWED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "insert": frozenset({"key", *_SOURCES}),
        "update": frozenset({"key", *_SOURCES}),
        "upsert": frozenset({"key", *_SOURCES}),
        "delete": frozenset({"key", "pattern"}),
        "hash": frozenset({"key", "pattern"}),
        "extract": frozenset({"key", "pattern"}),
        "convert": frozenset({"key", "converted_type"}),
    }
)
"""The keys that each action has a use for."""


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class ActionConfig(ComponentConfig):
    """Says what happens to one attribute."""

    key: str = ""
    """The attribute's name."""
    action: Annotated[
        Literal["insert", "update", "upsert", "delete", "hash", "extract", "convert"], BeforeValidator(_lower)
    ]
    """`insert` where it is missing, `update` where it is there, `upsert` both; `delete`; `hash` (SHA-256, hexadecimal);
    `extract` the named groups of `pattern` from its text into attributes of those names; `convert` its type."""
    value: Any = None
    """What is written: text, number, boolean, list or map."""
    from_attribute: str = ""
    """The attribute of the same item whose value is written; nothing happens where it is missing."""
    from_context: str = ""
    """Is refused: what a client sent beside its data (headers, addresses) does not travel with a batch."""
    default_value: Any = None
    """What is written where `from_attribute` is missing."""
    pattern: str = ""
    """For `delete` and `hash` the names of further attributes, for `extract` what is taken out of the value; RE2."""
    converted_type: Literal["", "int", "double", "string"] = ""
    """For `convert`; a value that cannot be converted stays as it is."""

    @model_validator(mode="after")
    def _fits_the_action(self) -> "ActionConfig":
        given = {name for name in self.model_fields_set - {"action"} if getattr(self, name) not in ("", None)}
        useless = sorted(given - _ALLOWED[self.action])
        if useless:
            raise ValueError(f"action {self.action} does not use {useless[0]}; leave it out")
        if "from_context" in given:
            raise ValueError(
                "from_context is not supported: headers and addresses do not travel with the data; "
                "use value or from_attribute"
            )
        if not self.key and not (self.action in {"delete", "hash"} and self.pattern):
            raise ValueError(f"action {self.action} needs a key{self._or_pattern()}")
        getattr(self, f"_check_{self.action}", self._check_pattern)()
        return self

    def _or_pattern(self) -> str:
        return " or a pattern" if self.action in {"delete", "hash"} else ""

    def _check_insert(self) -> None:
        sources = [name for name in ("value", "from_attribute") if getattr(self, name) not in ("", None)]
        # An empty text is a value like any other.
        sources = ["value"] if self.value == "" and not sources else sources
        if len(sources) > 1:
            raise ValueError("value and from_attribute are both given; leave one out")
        if not sources and self.default_value is None:
            raise ValueError(f"action {self.action} needs a value or from_attribute")
        for value in (self.value, self.default_value):
            if value is not None:
                typed(value)

    _check_update = _check_insert
    _check_upsert = _check_insert

    def _check_extract(self) -> None:
        if not self.pattern:
            raise ValueError("action extract needs a pattern with named groups, as (?P<name>...)")
        check(self.pattern)
        group_names(self.pattern)

    def _check_convert(self) -> None:
        if not self.converted_type:
            raise ValueError("action convert needs converted_type: int, double or string")

    def _check_pattern(self) -> None:
        check(self.pattern)


def _not_empty(actions: tuple[ActionConfig, ...]) -> tuple[ActionConfig, ...]:
    if not actions:
        raise ValueError("no action; write what is to be done, as {key: a, action: delete}")
    return actions


Actions = Annotated[tuple[ActionConfig, ...], AfterValidator(_not_empty)]
