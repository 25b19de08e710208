"""The table of dialects: what the YAML files beside it and the user's own say, laid out for looking up."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import NamedTuple

import pyarrow as pa

from collector.models import model_of
from processors.genai.grammar import (
    Dialect,
    ExclusiveRule,
    Failures,
    Kind,
    MessageRule,
    Origin,
    SpanRule,
    Target,
    Words,
    origins_of,
)

_Path = tuple[str, ...]


class Step(NamedTuple):
    """Is one place to look for the value of one attribute of today.

    *key* is the attribute, *path* where in its JSON (None: it is no JSON). *word* gives today's word for a text, None
    stands for the text itself. *own* tells that it is today's attribute itself; *general* that others than those who
    write of model calls use the key too; *spent* that nothing is left in the key once it was read;
    *always* that it counts in every item. *accounts* are where in the JSON accounts of usage stand, *names* where in
    these, best first; elsewhere there are none.
    """

    key: str
    path: _Path | None
    kind: Kind
    word: Words | None
    factor: float
    ignored: pa.StringArray | None
    role: str
    own: bool
    general: bool
    spent: bool
    always: bool
    origin: Origin
    accounts: tuple[_Path, ...] = ()
    names: tuple[_Path, ...] = ()

    def __str__(self) -> str:
        """Return the rule as a reader of the table would find it."""
        origin = self.origin
        told = [origin.key]
        if self.names:
            told = [f"{self.key}#{' or '.join(map(_pointer, self.accounts))}", " or ".join(map(_pointer, self.names))]
        told += [f"in scope {origin.scope}"] if origin.scope else []
        told += [f"where {key} is {value}" for key, value in origin.where.items()]
        told += [f"unless {key} is {value}" for key, value in origin.unless.items()]
        if origin.failed is not None:
            told.append("of spans that failed" if origin.failed else "of spans that did not fail")
        told += [f"times {origin.factor:g}"] if origin.factor != 1 else []
        return ", ".join(told)


def _pointer(path: Sequence[str]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)


class Piece(NamedTuple):
    """Is what one numbered key holds: message *message* of *target*, its *part* (*call* numbers what repeats in it).

    *rank* is that of its form: where a span has several, the first speaks.
    """

    target: str
    message: int
    part: str
    call: int
    rank: int = 0


class EventRule(NamedTuple):
    """Says that the events of one name hold in *key* what *target* wants."""

    target: str
    key: str


class Dialects:
    """Is the whole table, made of several files: earlier ones win."""

    def __init__(self, parts: Sequence[Dialect]) -> None:
        self.attributes: Mapping[str, Target] = _merged(parts)
        self.spans: Sequence[SpanRule] = [rule for part in parts for rule in part.spans]
        self.messages: Sequence[MessageRule] = [rule for part in parts for rule in part.messages]
        self.chunk_events = frozenset(name for part in parts for name in part.chunk_events)
        self.exclusive: Sequence[ExclusiveRule] = [rule for part in parts for rule in part.exclusive_input]
        self.general = frozenset(key for part in parts for key in part.general)
        self.calls = frozenset(name for part in parts for name in part.calls)
        self.provider_of = Words(_joined(part.scopes for part in parts), frozenset(), closed=True)
        self.failure_of = Failures([rule for part in parts for rule in part.failures])
        self.watchers = [rule for part in parts for rule in part.watchers]
        self.abandoned = [pattern for part in parts for pattern in part.abandoned]
        self.models = [rule for part in parts for rule in part.models]
        self._accounts = _by_key(origins_of([place for part in parts for place in part.accounts]))
        self._steps = {name: tuple(self._laid_out(name, target)) for name, target in self.attributes.items()}
        self.totals = tuple(self._laid_out("", _totals(parts)))
        thinking = {glob: glob for part in parts for glob in part.thinking_models}
        self._thinking = Words(thinking, frozenset(), closed=True)

    def steps_of(self, name: str) -> Sequence[Step]:
        """Return where to look for the attribute *name*, best first."""
        return self._steps[name]

    def _laid_out(self, name: str, target: Target) -> Iterable[Step]:
        yield from (self._step(name, target, origin) for origin in target.origins)
        names = tuple(tuple(steps.split("/")) for steps in target.account)
        if names:
            for origin, accounts in self._accounts:
                yield self._step(name, target, origin)._replace(accounts=accounts, names=names)

    def _step(self, name: str, target: Target, origin: Origin) -> Step:
        kind = Kind.MOMENT if origin.moment else target.kind or Kind.TEXT
        values = origin.values or target.values
        closed = bool(origin.values) or target.closed
        plain = not (values or closed or origin.host)
        word = None if plain else Words(values, target.ignored, closed=closed, host=origin.host)
        word = self.failure_of if origin.failure else word
        key, path = origin.place
        general = key in self.general
        spent = path is None and not (general or origin.host or origin.moment or origin.failure or target.partial)
        spent = spent and key not in self.attributes
        ignored = pa.array(sorted(target.ignored), pa.string()) if target.ignored else None
        own = key == name
        role, factor = target.role, origin.factor
        always = not (general or origin.scope or origin.where or origin.unless or origin.failed is not None)
        return Step(key, path, kind, word, factor, ignored, role, own, general, spent, always, origin)

    @cached_property
    def _targets(self) -> Mapping[str, Sequence[str]]:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, steps in self._steps.items():
            for key in dict.fromkeys(step.key for step in steps):
                names[key].append(name)
        return names

    @cached_property
    def keys(self) -> frozenset[str]:
        """Every name that something is read from."""
        return frozenset(self._targets)

    def targets_of(self, keys: Iterable[str]) -> dict[str, Target]:
        """Return those of today's attributes that are read from any of *keys*, in the order of the table."""
        found = {name for key in keys for name in self._targets.get(key, ())}
        return {name: target for name, target in self.attributes.items() if name in found}

    @cached_property
    def events(self) -> Mapping[str, Sequence[EventRule]]:
        """What events hold, by their name."""
        rules: defaultdict[str, list[EventRule]] = defaultdict(list)
        for name, target in self.attributes.items():
            for event in target.events:
                rules[event.name].append(EventRule(name, event.key))
        return rules

    @cached_property
    def counts(self) -> frozenset[str]:
        """Today's attributes that are numbers of tokens."""
        targets = self.attributes.items()
        return frozenset(name for name, target in targets if target.kind is Kind.COUNT and target.of_calls)

    @cached_property
    def event_targets(self) -> frozenset[str]:
        """Today's attributes that events may hold."""
        return frozenset(name for name, target in self.attributes.items() if target.events)

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return tuple(f"{rule.prefix}." for rule in self.messages)

    def piece_of(self, key: str) -> Piece | None:
        """Return what the numbered attribute *key* holds, or None when it is none."""
        if not key.startswith(self._prefixes):
            return None
        for rank, rule in enumerate(self.messages):
            numbered = _numbered(key, rule.prefix)
            part = numbered and rule.fields.get(numbered.path)
            if numbered and part:
                return Piece(rule.target, numbered.message, part, numbered.call, rank)
        return None

    def role_of(self, target: str) -> str:
        """Return who speaks in the messages of *target* where nothing says so."""
        return next(rule.role for rule in self.messages if rule.target == target)

    @cached_property
    def message_targets(self) -> Sequence[str]:
        """The attributes that numbered ones are put together in."""
        return list(dict.fromkeys(rule.target for rule in self.messages))

    def rules_of(self, scope: str) -> Sequence[SpanRule]:
        """Return the rules for the names of spans that *scope* is known for."""
        return [rule for rule in self.spans if fnmatchcase(scope, rule.scope)]

    def model_of(self, name: str) -> str:
        """Return the one name of the model that goes by *name*: by the user's rules first."""
        for rule in self.models:
            name = rule.pattern.sub(rule.by, name) or name
        return model_of(name)

    def thinks(self, model: str) -> bool:
        """Tell whether what the total of a call of *model* has more than input and output is what it thought."""
        return self._thinking(model) is not None

    def folders_of(self, scope: str) -> Sequence[str]:
        """Return the folders of the code that writes spans of *scope*, where its own failures look like a call's."""
        return [rule.folder for rule in self.watchers if fnmatchcase(scope, rule.scope)]

    def exclusive_rules_of(self, scope: str) -> Sequence[ExclusiveRule]:
        """Return the rules by which *scope* may leave cached tokens out of its input tokens."""
        return [rule for rule in self.exclusive if fnmatchcase(scope, rule.scope)]


def _merged(parts: Sequence[Dialect]) -> dict[str, Target]:
    """Return the attributes of all *parts*; what earlier ones say comes before what later ones do."""
    found: dict[str, Target] = {}
    for part in reversed(parts):
        for name, target in part.attributes.items():
            found[name] = target.over(found[name]) if name in found else target
    return {name: target for name, target in found.items() if target.kind is not None}


def _by_key(origins: Sequence[Origin]) -> Sequence[tuple[Origin, tuple[_Path, ...]]]:
    """Return the places in JSON that *origins* are, those in the same JSON together."""
    found: dict[str, tuple[Origin, tuple[_Path, ...]]] = {}
    for origin in origins:
        key, path = origin.place
        same = f"{key} {origin.model_dump(exclude={'key'})}"
        first, paths = found.get(same, (origin, ()))
        found[same] = (first, (*paths, path or ()))
    return list(found.values())


def _joined(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return all *maps* in one, the first of them on top."""
    found: dict[str, str] = {}
    for one in maps:
        found |= {key: value for key, value in one.items() if key not in found}
    return found


def _totals(parts: Sequence[Dialect]) -> Target:
    places = [place for part in parts for place in part.totals]
    return Target.model_validate(
        {
            "kind": Kind.COUNT,
            "from": places,
            "account": [name for part in parts for name in part.totals_in_accounts],
        }
    )


class _Numbered(NamedTuple):
    message: int
    path: str
    call: int


@lru_cache(maxsize=8192)
def _numbered(key: str, prefix: str) -> _Numbered | None:
    """Return ``PREFIX.3.tool_calls.1.id`` as (3, ``tool_calls.#.id``, 1), None for keys of another form."""
    match = re.fullmatch(rf"{re.escape(prefix)}\.([0-9]{{1,5}})\.(.+)", key)
    if match is None:
        return None
    call = re.search(r"\.([0-9]{1,5})\.", match[2])
    return _Numbered(int(match[1]), re.sub(r"\.[0-9]+\.", ".#.", match[2]), int(call[1]) if call else 0)
