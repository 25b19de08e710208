"""The configuration of `redaction`: the OpenTelemetry Collector's keys, and `messages` for what models were told."""

from typing import Literal

from pydantic import Field, model_validator

from collector.component import ComponentConfig
from collector.patterns import Pattern
from collector.units import Secret

Action = Literal["keep", "truncate", "mask", "drop"]
_SHORTEST_KEY = 32


class RolesConfig(ComponentConfig):
    """Says what happens to what each role said."""

    system: Action | None = None
    """Instructions of the application; also `developer`."""
    user: Action | None = None
    """Prompts."""
    assistant: Action | None = None
    """Answers."""
    tool: Action | None = None
    """Results of tools."""


class PartsConfig(ComponentConfig):
    """Says what happens to each kind of part, whoever said it."""

    text: Action | None = None
    """Plain text."""
    reasoning: Action | None = None
    """What a model thought."""
    tool_call: Action | None = None
    """Arguments of calls of tools; the names of the tools stay, but for `drop`."""
    tool_call_response: Action | None = None
    """What tools answered."""
    blob: Action | None = None
    """Images, sound and files that are in the message."""
    uri: Action | None = None
    """Addresses of images, sound and files elsewhere."""


class MessagesConfig(ComponentConfig):
    """Says what becomes of prompts and answers: the stronger of what is said for a part's role and for its kind.

    `drop` removes it, `mask` leaves `****`, `truncate` its beginning, `keep` all.
    """

    default: Action = "keep"
    """What happens where neither role nor kind says anything."""
    max_length: int = Field(default=1000, ge=0)
    """Characters that `truncate` leaves; behind them it says how many there were."""
    roles: RolesConfig = RolesConfig()
    """By who said it."""
    parts: PartsConfig = PartsConfig()
    """By what it is."""


class RedactionConfig(ComponentConfig):
    """Says which attributes are deleted, and which values are masked."""

    allow_all_keys: bool = False
    """Keep every attribute; otherwise all that are not in `allowed_keys` are deleted."""
    allowed_keys: frozenset[str] = frozenset()
    """Attributes that are kept, and whose values are then looked at."""
    ignored_keys: frozenset[str] = frozenset()
    """Attributes that are kept as they are, whatever is in them."""
    ignored_key_patterns: tuple[Pattern, ...] = ()
    """The same by patterns of their names."""
    redact_all_types: bool = False
    """Look also into numbers and booleans, as text; texts within lists and maps are always looked into."""
    blocked_key_patterns: tuple[Pattern, ...] = ()
    """Patterns of the names of attributes whose whole values are masked."""
    blocked_values: tuple[Pattern, ...] = ()
    """Patterns of what is masked within values."""
    allowed_values: tuple[Pattern, ...] = ()
    """Patterns of values that are kept whole even if something in them is blocked."""
    hash_function: Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"] = ""
    """Instead of `****` write this hash, in hexadecimal, of what is masked; `sha3` has 256 bits."""
    hmac_key: Secret = Secret("")
    """The key of the hashes that need one, 32 characters at least."""
    summary: Literal["debug", "info", "silent"] = "silent"
    """Tell beside the attributes how many were deleted and masked (`redaction.masked.count`, ...), and with `debug`
    their names too."""
    messages: MessagesConfig | None = None
    """What becomes of prompts and answers, in all the forms that instrumentations write them."""

    @model_validator(mode="after")
    def _has_a_key(self) -> "RedactionConfig":
        if self.hash_function.startswith("hmac") and len(self.hmac_key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(
                f"hash_function {self.hash_function} needs an hmac_key of {_SHORTEST_KEY} characters or more"
            )
        return self
