"""What there is to do for a batch, told by the few words that many batches share: keys, and names of scopes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from processors.genai.grammar import ExclusiveRule, Kind, SpanRule
from processors.genai.shipped import shipped
from processors.genai.table import Dialects, Piece, Step

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
INPUT = "gen_ai.usage.input_tokens"
OUTPUT = "gen_ai.usage.output_tokens"
OUTPUT_MESSAGES = "gen_ai.output.messages"
REASONING = "gen_ai.usage.reasoning.output_tokens"
CACHE = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
KEPT = ("genai_collector.usage.cache_write_1h.input_tokens", "genai_collector.usage.cache_write_5m.input_tokens")
"""What was written to a cache, by how long it is kept there."""
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
STREAM = "gen_ai.request.stream"
ERROR_TYPE = "error.type"
HTTP_STATUS = "http.response.status_code"
REPORTED_INPUT = "genai_collector.reported.input_tokens"
"""What the reporter called its input where cached tokens had to be added; says too that they have been."""
REPORTED_OUTPUT = "genai_collector.reported.output_tokens"
"""What the reporter called its output where reasoning had to be added."""
CALL = "genai_collector.call"
"""Says that a span is a call of a model although it names none."""
OWN_ERROR = "genai_collector.instrumentation_error"
"""Says that what failed is not the call but who watched it."""

_NAMES = (OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, CALL)
_OTHERS = (*_NAMES, FINISH_REASONS, FIRST_CHUNK, STREAM, ERROR_TYPE, HTTP_STATUS, OWN_ERROR)
_CACHE_KEYS = frozenset({INPUT, REPORTED_INPUT, *CACHE, *KEPT})
_LONGEST = 16_384
"""Characters of the longest set of keys, or name of a scope, that is remembered."""


class Work(NamedTuple):
    """Is one of today's attributes and the places present that may say it, best first."""

    name: str
    kind: Kind
    steps: Sequence[Step]
    unless_not: str
    of_calls: bool


class Plan(NamedTuple):
    """Says what is to be done for items that have certain keys.

    *keys* are those present that matter. *silent* is the part of the *works* that is left for items of which none has
    an operation. *pieces* are what numbered keys hold, by the number of the key. *counts* are the numbers of tokens
    under today's names; *cached* tells whether some may have come from a cache.
    """

    keys: Sequence[str]
    works: Sequence[Work]
    silent: Sequence[Work]
    pieces: Mapping[int, Piece]
    counts: Sequence[str]
    cached: bool


class ScopeRule(NamedTuple):
    """Says what is known of one scope: what its spans are, whose input leaves cached tokens out, where its code is.

    *provider* is whose calls it writes, None where it may write anybody's.
    """

    spans: Sequence[SpanRule]
    exclusive: Sequence[ExclusiveRule]
    folders: Sequence[str]
    provider: str | None


class Planner:
    """Answers from the table of dialects, and remembers the answers."""

    def __init__(self, table: Dialects) -> None:
        self.table = table
        self._remembered_plan = lru_cache(maxsize=256)(self._plan)
        self._remembered_rule = lru_cache(maxsize=256)(self._rule)

    def plan(self, names: Sequence[str], *, messages: bool) -> Plan:
        """Return what to do for items that have the distinct keys *names*, *messages* wanted or not."""
        short = sum(map(len, names)) <= _LONGEST
        return (self._remembered_plan if short else self._plan)(tuple(names), messages)

    def rule(self, scope: str) -> ScopeRule:
        """Return what is known of *scope*."""
        return (self._remembered_rule if len(scope) <= _LONGEST else self._rule)(scope)

    def _plan(self, names: tuple[str, ...], messages: bool) -> Plan:
        present = frozenset(names)
        works = [
            self._work(name, present)
            for name, target in self.table.targets_of(self.table.keys & present).items()
            if messages or not target.role
        ]
        works.sort(key=lambda work: (work.name != OPERATION, bool(work.unless_not)))
        pieces = {code: piece for code, name in enumerate(names) if (piece := self.table.piece_of(name))}
        steps = [step for work in works for step in work.steps]
        wanted = {key for work in works for key in (work.name, *(step.key for step in work.steps))} | set(_OTHERS)
        wanted |= {key for step in steps for key in (*step.origin.where, *step.origin.unless)}
        wanted |= {key for rule in self.table.spans for key in rule.wanted} | self.table.event_targets
        cached = any(name in wanted or name in present for name in (*CACHE, *KEPT))
        if cached:
            wanted |= _CACHE_KEYS | {key for rule in self.table.exclusive for key in (*rule.having, *rule.lacking)}
            wanted |= {rule.equal.partition("#")[0] for rule in self.table.exclusive}
        wanted |= {step.key for step in self.table.totals}
        wanted |= set(self.table.message_targets) if pieces else frozenset()
        counts = sorted(self.table.counts & present)
        return Plan(sorted((wanted | self.table.counts) & present), works, _silent(works), pieces, counts, cached)

    def _work(self, name: str, present: frozenset[str]) -> Work:
        target = self.table.attributes[name]
        steps = [step for step in self.table.steps_of(name) if step.key in present]
        return Work(name, target.kind or Kind.TEXT, steps, target.unless_not, target.of_calls)

    def _rule(self, scope: str) -> ScopeRule:
        table = self.table
        exclusive, folders = table.exclusive_rules_of(scope), table.folders_of(scope)
        return ScopeRule(table.rules_of(scope), exclusive, folders, table.provider_of(scope))


def _silent(works: Sequence[Work]) -> Sequence[Work]:
    """Return what there is to do where no item has an operation: general keys say nothing there."""
    if works and works[0].name == OPERATION:
        return works
    left = [work._replace(steps=[step for step in work.steps if not step.general]) for work in works]
    return [work for work in left if work.steps]


@lru_cache(maxsize=1)
def shipped_planner() -> Planner:
    """Return the planner of the table that comes with the package."""
    return Planner(shipped())
