"""The grammar of a table of dialects, shipped or the user's own, and the words it translates."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fnmatch import translate
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from collector.component import ComponentConfig

_LONGEST = 512
"""Characters of the longest text whose translation is remembered."""


class Kind(StrEnum):
    """Names how an attribute's value is read."""

    COUNT = "count"
    """A whole number of zero or more: ints, whole doubles, numeric strings."""
    NUMBER = "number"
    """A number of zero or more."""
    COST = "cost"
    """A number of more than zero: who writes 0 does not know."""
    TEXT = "text"
    """A text that is not empty."""
    TEXTS = "texts"
    """Texts: an array, a JSON list of them, or one."""
    FLAG = "flag"
    """True or false, also written as text."""
    SECONDS = "seconds"
    """A number of zero or more, times ``factor``."""
    MOMENT = "moment"
    """A time of day in ISO 8601, as seconds since the start of the span."""
    HOST = "host"
    """The host of a URL, or of ``host:port``."""
    PORT = "port"
    """The port of a URL that has one."""
    MESSAGES = "messages"
    """A whole prompt or completion, JSON or plain."""


def _place(value: str) -> str:
    """Return *value* if it says where something stands: a key, or a key and steps into its JSON."""
    key, _, pointer = value.partition("#")
    if not key or (pointer and not pointer.startswith("/")):
        raise ValueError("is no key; write KEY or KEY#/a/b")
    return value


class _Row(ComponentConfig):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class Origin(_Row):
    """Is one place that may say an attribute's value."""

    key: str
    """The older attribute; ``KEY#/a/b`` is what stands under b under a in the JSON (or Python literal) it holds;
    ``KEY#/a*`` is what the numbers add up to whose names there begin with a."""
    scope: str = ""
    """Counts only in spans of this scope (a glob)."""
    where: Mapping[str, str] = {}
    """Counts only in spans that have these other attributes with these values, in any case."""
    unless: Mapping[str, str] = {}
    """Does not count in spans that have one of these other attributes with this value, in any case."""
    failed: bool | None = None
    """Counts only in spans that failed, or only in those that did not."""
    values: Mapping[str, str | None] = {}
    """Older value (any case, also a glob) to today's; others, and those of null, say nothing."""
    host: bool = False
    """The value is a URL, of which the host is looked up in ``values``."""
    failure: bool = False
    """The value is the text of an error, of which ``failures`` knows the type."""
    moment: bool = False
    """The value is a time of day; what counts is how long after the span's start it is."""
    factor: float = 1.0
    """What a number is multiplied by."""

    @cached_property
    def place(self) -> tuple[str, tuple[str, ...] | None]:
        """The key, and the steps into its JSON, None where it is none."""
        key, sharp, pointer = self.key.partition("#")
        if not sharp:
            return key, None
        return key, tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])

    @cached_property
    def scope_pattern(self) -> re.Pattern[str]:
        """The scope as a pattern."""
        return re.compile(translate(self.scope))

    @field_validator("key")
    @classmethod
    def _points(cls, value: str) -> str:
        return _place(value)


def origins_of(sources: Sequence[Origin | str]) -> tuple[Origin, ...]:
    """Return *sources*, all in the same form."""
    return tuple(Origin(key=source) if isinstance(source, str) else source for source in sources)


def _places(sources: tuple[Origin | str, ...]) -> tuple[Origin | str, ...]:
    for source in sources:
        _place(source if isinstance(source, str) else source.key)
    return sources


class EventOrigin(_Row):
    """Is an attribute of a span's events that says something about the span."""

    name: str
    """The name of the event."""
    key: str
    """The attribute of the event."""


class Target(_Row):
    """Says where one of today's attributes comes from when a span does not have it."""

    kind: Kind | None = None
    """How its value is read; may be left out where the table that is extended says it."""
    sources: tuple[Origin | str, ...] = Field((), alias="from")
    """Where to look, best first. The attribute's own name may be among them: what stands before it wins over it, and
    its own value is translated too. Otherwise what is there already stays."""
    account: tuple[str, ...] = ()
    """What names it, best first, in a provider's own account of a call's usage (``a/b`` is b under a); ``accounts``
    says where those stand. They are asked after ``from``."""
    events: tuple[EventOrigin, ...] = ()
    """Where to look in the span's events when no attribute says it."""
    values: Mapping[str, str | None] = {}
    """Older value (any case, also a glob) to today's; others stay as they are, those of null say nothing."""
    closed: bool = False
    """Values that are not among ``values`` say nothing."""
    ignored: frozenset[str] = frozenset()
    """Values that say nothing."""
    partial: bool = False
    """The older attribute holds more than the new one: ``remove_originals`` keeps it."""
    role: str = ""
    """Who speaks in ``messages`` where nothing says so."""
    of_calls: bool = False
    """Not on spans of other operations than ``calls``: what is around calls must not be added up with them."""
    unless_not: str = ""
    """Not on spans where this flag is false."""
    legacy: tuple[str, ...] = ()
    """The older names that ``emit: legacy`` and ``both`` write it as."""
    legacy_values: Mapping[str, str] = {}
    """Today's value to the older one; others stay as they are."""

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """The sources, all in the same form."""
        return origins_of(self.sources)

    @field_validator("sources")
    @classmethod
    def _point(cls, value: tuple[Origin | str, ...]) -> tuple[Origin | str, ...]:
        return _places(value)

    def over(self, other: "Target") -> "Target":
        """Return what both say; what this one says comes first."""
        told = {name: getattr(target, name) for target in (other, self) for name in target.model_fields_set}
        told["sources"] = self.sources + other.sources
        told["events"] = self.events + other.events
        told["account"] = self.account + other.account
        told["values"] = {**self.values, **{old: new for old, new in other.values.items() if old not in self.values}}
        told["ignored"] = self.ignored | other.ignored
        return Target(**told)


class SpanRule(_Row):
    """Names the operation of the spans that one scope gives one name, where no attribute says it rightly."""

    scope: str
    """The scope (a glob)."""
    name: str = "*"
    """The name of the span (a glob)."""
    operation: str
    """The operation."""
    having: str | tuple[str, ...] = ()
    """Counts only in spans that have this attribute, or one of these."""
    model: bool = False
    """What the ``*`` of the name stands for is the model asked for."""

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """The attributes of which a span must have one, if there are any."""
        return (self.having,) if isinstance(self.having, str) else self.having

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The name as a pattern, whose only group is what its first ``*`` stands for."""
        first, star, rest = self.name.partition("*")
        return re.compile(f"{re.escape(first)}(.*){translate(rest)}" if star else f"{re.escape(first)}\\Z", re.DOTALL)


class MessageRule(_Row):
    """Says which numbered attributes (PREFIX.N.FIELD) hold the messages of one attribute of today."""

    target: str
    """The attribute of today."""
    prefix: str
    """What stands before the number of the message."""
    role: str
    """Who speaks where nothing says so."""
    fields: Mapping[str, str]
    """What follows the number, ``#`` for a number in it, to the part of the message it holds."""


class ExclusiveRule(_Row):
    """Says whose input tokens leave out what came from or went to the cache."""

    scope: str = "*"
    """The scope (a glob)."""
    providers: frozenset[str] = frozenset()
    """Only of these providers; none: of all."""
    having: tuple[str, ...] = ()
    """Only spans with one of these attributes."""
    lacking: tuple[str, ...] = ()
    """Only spans with none of these attributes."""
    equal: str = ""
    """Where this place (``KEY#/a/b``) has a number, it decides: only if the input is that number."""


class FailureRule(_Row):
    """Says which word an error's text means, for errors that have no type."""

    pattern: re.Pattern[str]
    """What is looked for in the text."""
    error_type: str
    r"""The type; ``\1`` is what the first group found."""


class WatcherRule(_Row):
    """Says where the code of an instrumentation is: an exception raised there is no failure of the call."""

    scope: str
    """The scope of its spans (a glob)."""
    folder: str
    """A part of the path of its code."""


class ModelRule(_Row):
    """Takes something off a model's name that does not tell models apart."""

    pattern: re.Pattern[str]
    """What is replaced."""
    by: str = ""
    """What by."""


class Dialect(_Row):
    """Is a table of dialects: all of it, or what is laid over the one that comes with the package."""

    attributes: Mapping[str, Target] = {}
    """Today's attributes by name, each with its older names."""
    spans: tuple[SpanRule, ...] = ()
    """What spans are that are known by scope and name only."""
    messages: tuple[MessageRule, ...] = ()
    """Prompts and completions that are spread over numbered attributes."""
    chunk_events: tuple[str, ...] = ()
    """Events that mark a piece of a streamed answer; the first ends the wait for the answer."""
    accounts: tuple[Origin | str, ...] = ()
    """Where a provider's own account of what a call used stands, in JSON."""
    totals: tuple[Origin | str, ...] = ()
    """Where the sum of input and output stands; it only serves to tell who leaves reasoning out of the output."""
    totals_in_accounts: tuple[str, ...] = ()
    """What names that sum in ``accounts``."""
    thinking_models: frozenset[str] = frozenset()
    """Models (globs) that thought what a total has more than input and output, where nobody says how much they did."""
    exclusive_input: tuple[ExclusiveRule, ...] = ()
    """Who leaves cached tokens out of the input tokens."""
    general: frozenset[str] = frozenset()
    """Keys that other telemetry uses too: they count only on spans with an operation."""
    calls: frozenset[str] = frozenset()
    """Operations that are calls of a model."""
    scopes: Mapping[str, str] = {}
    """Scopes (globs) that write calls of one provider, and which that is where no attribute says it."""
    failures: tuple[FailureRule, ...] = ()
    """Types for errors that only a text tells."""
    watchers: tuple[WatcherRule, ...] = ()
    """Instrumentations whose own failures look like those of the calls they watch."""
    abandoned: tuple[re.Pattern[str], ...] = ()
    """What a span says that failed since its reader left before the end of a stream: the call did not fail."""
    models: tuple[ModelRule, ...] = ()
    """What is taken off the names of models, in this order, before what `collector.models` takes off."""

    @field_validator("accounts", "totals")
    @classmethod
    def _point(cls, value: tuple[Origin | str, ...]) -> tuple[Origin | str, ...]:
        return _places(value)


class Words:
    """Gives today's word for a text, None where it says nothing."""

    def __init__(
        self, values: Mapping[str, str | None], ignored: frozenset[str], *, closed: bool, host: bool = False
    ) -> None:
        folded = {value.lower(): word for value, word in values.items()}
        self._exact = {value: word for value, word in folded.items() if "*" not in value}
        self._globs = [(re.compile(translate(value)), word) for value, word in folded.items() if "*" in value]
        self._ignored = frozenset(value.lower() for value in ignored)
        self._closed = closed
        self._host = host
        self._remembered = lru_cache(maxsize=4096)(self._word)

    def __call__(self, text: str) -> str | None:
        """Return the word."""
        return self._remembered(text) if len(text) <= _LONGEST else self._word(text)

    def speaks(self, text: str) -> bool:
        """Tell whether *text* says something."""
        return bool(text) and text.lower() not in self._ignored

    def _word(self, text: str) -> str | None:
        told = (address(text)[0] or "") if self._host else text
        if not self.speaks(told):
            return None
        folded = told.lower()
        if folded in self._exact:
            return self._exact[folded]
        for pattern, word in self._globs:
            if pattern.match(folded):
                return word
        return None if self._closed else told


class Failures(Words):
    """Gives the type of the error that a text tells of, None where it tells of none that is known."""

    def __init__(self, rules: Sequence[FailureRule]) -> None:
        super().__init__({}, frozenset(), closed=False)
        self._rules = rules

    def _word(self, text: str) -> str | None:
        for rule in self._rules:
            match = rule.pattern.search(text)
            if match:
                return match.expand(rule.error_type)
        return None


@lru_cache(maxsize=1024)
def address(url: str) -> tuple[str | None, int | None]:
    """Return the host and port that *url* (or ``host:port``) names, each None where it does not."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    return host or None, port
