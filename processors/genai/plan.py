"""What there is to do for a batch, told by the few words that many batches share: keys, and names of scopes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from processors.genai.table import TEXT_KINDS, Dialects, Piece, Target, shipped

OPERATION = "gen_ai.operation.name"
INPUT = "gen_ai.usage.input_tokens"
CACHE = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
STREAM = "gen_ai.request.stream"
REPORTED_INPUT = "genai_collector.reported.input_tokens"
"""What the reporter called its input where cached tokens had to be added; says too that they have been."""

_KEYS = frozenset({OPERATION, FINISH_REASONS, FIRST_CHUNK, STREAM})
_CACHE_KEYS = frozenset({INPUT, REPORTED_INPUT, *CACHE})
_LONGEST = 16_384
"""Characters of the longest set of keys, or name of a scope, that is remembered."""


class Work(NamedTuple):
    """Is one of today's attributes and those of its older names that are present, best first."""

    name: str
    target: Target
    aliases: Sequence[str]


class Plan(NamedTuple):
    """Says what is to be done for spans that have certain keys.

    *keys* are those present that matter, the first *texts* of them read as text; *pieces* are what numbered keys hold,
    by the number of the key; *cached* tells whether tokens may have come from a cache.
    """

    keys: Sequence[str]
    texts: int
    works: Sequence[Work]
    pieces: Mapping[int, Piece]
    cached: bool


class ScopeRule(NamedTuple):
    """Says what is known of one scope: operations by name of a span, and whether cached tokens are not in its input."""

    operations: Mapping[str, str]
    exclusive: bool


class Planner:
    """Answers from the table of dialects, and remembers the answers."""

    def __init__(self, table: Dialects) -> None:
        self.table = table
        self._remembered_plan = lru_cache(maxsize=256)(self._plan)
        self._remembered_rule = lru_cache(maxsize=256)(self._rule)

    def plan(self, names: Sequence[str], *, messages: bool) -> Plan:
        """Return what to do for spans that have the distinct keys *names*, *messages* wanted or not."""
        short = sum(map(len, names)) <= _LONGEST
        return (self._remembered_plan if short else self._plan)(tuple(names), messages)

    def rule(self, scope: str) -> ScopeRule:
        """Return what is known of *scope*."""
        return (self._remembered_rule if len(scope) <= _LONGEST else self._rule)(scope)

    def _plan(self, names: tuple[str, ...], messages: bool) -> Plan:
        present = frozenset(names)
        works = [
            Work(name, target, [alias for alias in target.aliases if alias in present])
            for name, target in self.table.targets_of(self.table.aliases & present).items()
            if messages or not target.role
        ]
        pieces = {code: piece for code, name in enumerate(names) if (piece := self.table.piece_of(name))}
        wanted = {key for work in works for key in (work.name, *work.aliases)} | _KEYS
        cached = any(name in wanted or name in present for name in CACHE)
        wanted |= _CACHE_KEYS if cached else frozenset()
        wanted |= self.table.messages.keys() if pieces else frozenset()
        told = {key for work in works if work.target.kind in TEXT_KINDS for key in (work.name, *work.aliases)} & present
        others = (wanted & present) - told
        return Plan([*sorted(told), *sorted(others)], len(told), works, pieces, cached)

    def _rule(self, scope: str) -> ScopeRule:
        return ScopeRule(self.table.rules_of(scope), self.table.is_exclusive(scope))


@lru_cache(maxsize=1)
def shipped_planner() -> Planner:
    """Return the planner of the table that comes with the package."""
    return Planner(shipped())
