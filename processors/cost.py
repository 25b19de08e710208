"""The `cost` processor: what each model call cost, by the day's prices."""

from collections.abc import Iterable, Sequence
from time import gmtime, strftime
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, attributes_of, first_rows
from collector.batch import Batch, Signal
from collector.bounds import MOST_NANODOLLARS, MOST_TOKENS
from collector.component import ComponentConfig, Host, Processor
from collector.config.files import looked_into
from collector.prices import PriceBook, Quantities, Rates, nanodollars, read_own
from collector.prices.book import Price
from collector.prices.tiers import ANSWERED_TIER, ASKED_TIER, tier_of
from collector.rewrite import Addition, with_rewritten
from collector.units import ReadablePath

COST = "genai_collector.cost.nano_usd"
REPORTED = "genai_collector.reported.cost_usd"

OPERATIONS = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
"""The values of `gen_ai.operation.name` that ask a model for something, as `genai` and `rollup` have them."""
_TEXTS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model")
_TIERS = (ANSWERED_TIER, ASKED_TIER)
_COUNTS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "genai_collector.usage.cache_write_1h.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.reasoning.output_tokens",
)
_KEYS = (*_TEXTS, *_TIERS, *_COUNTS, REPORTED)
_INPUT, _OUTPUT = 0, 4
_DAY = 86_400 * 10**9
_MOST_NUMBERS = 2**62

Numbers = npt.NDArray[np.int64]


class CostConfig(ComponentConfig):
    """Says which prices count."""

    prices: tuple[Annotated[ReadablePath, looked_into(read_own)], ...] = ()
    """Files with prices of your own, laid over the shipped ones; see docs/cost.md for their form."""
    reported: Literal["ignore", "fallback", "prefer"] = "ignore"
    """A cost that the application itself reported: not used, used where no price is known, or used before any price."""


class CostProcessor(Processor):
    """Writes what a model call cost as ``genai_collector.cost.nano_usd``, an integer of 10^-9 USD.

    A call is known by its current attributes, so `genai` goes before, and `rollup`, which sums the cost, behind.
    Where the model has no price, or the call does not say how many tokens it used, nothing is written.
    """

    Config = CostConfig
    reads: ClassVar[frozenset[str]] = frozenset({"genai"})

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._book = PriceBook()

    def start(self) -> None:
        """Read the files of prices."""
        self._book = PriceBook([entry for path in self.config.prices for entry in read_own(self.host.base / path)])

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with the cost on its calls."""
        if batch.signal is not Signal.TRACES or not batch.rows:
            return [batch]
        attributes = attributes_of(batch)
        if _TEXTS[0] not in attributes.names:
            return [batch]
        calls = _calls_of(batch, attributes)
        if calls is None:
            return [batch]
        costs = _costs(calls, self._book)
        costs = _with_reported(costs, calls.reported, self.config.reported)
        known = np.flatnonzero(costs >= 0)
        if not len(known):
            return [batch]
        addition = Addition(COST, calls.rows[known], "int_value", pa.array(costs[known]), np.arange(len(known)))
        return [with_rewritten(batch, additions=[addition], dropped=calls.stale)]


class _Calls(NamedTuple):
    """Holds one entry per call in every array: *texts* are row numbers of *words*, unknown *tokens* are -1."""

    rows: Numbers
    words: Sequence[str]
    texts: Numbers
    tiers: Numbers
    day: Numbers
    tokens: Numbers
    reported: npt.NDArray[np.float64]
    stale: Numbers
    """Positions of costs that are there already: a batch that comes through twice is priced anew."""


def _calls_of(batch: Batch, attributes: Attributes) -> _Calls | None:
    found = attributes.locate((*_KEYS, COST))
    rows = np.flatnonzero(found[0] >= 0)
    told = found[: len(_TEXTS) + len(_TIERS), rows]
    strings = attributes.strings(told.ravel()).dictionary_encode(null_encoding="encode")
    words = [word or "" for word in strings.dictionary.to_pylist()]
    codes = np.asarray(strings.indices).astype(np.int64).reshape(told.shape)
    calls = np.flatnonzero(np.array([word in OPERATIONS for word in words])[codes[0]])
    if not len(calls):
        return None
    rows, codes = rows[calls], codes[:, calls]
    tokens = attributes.naturals(found[len(_TEXTS) + len(_TIERS) : -2, rows])
    tokens[tokens > MOST_TOKENS] = -1
    embeddings = np.array([word == "embeddings" for word in words])[codes[0]]
    tokens[_OUTPUT, embeddings] = -1
    start = np.asarray(batch.column("start_time_unix_nano"))[rows]
    stale = found[-1, rows]
    return _Calls(
        rows,
        words,
        codes[1 : len(_TEXTS)],
        _first_told(codes[len(_TEXTS) :], words),
        (start // np.uint64(_DAY)).astype(np.int64),
        tokens,
        _reported(attributes, found[-2, rows]),
        stale[stale >= 0],
    )


def _first_told(codes: Numbers, words: Sequence[str]) -> Numbers:
    """Return the first of several texts that is not empty, one per call."""
    blank = np.array([not word for word in words])
    chosen: Numbers = codes[-1]
    for line in codes[-2::-1]:
        chosen = np.where(blank[line], chosen, line)
    return chosen


def _reported(attributes: Attributes, positions: Numbers) -> npt.NDArray[np.float64]:
    if positions.max(initial=-1) < 0:
        return np.full(len(positions), -1.0)
    dollars = np.nan_to_num(np.asarray(attributes.numbers(positions).fill_null(-1.0)), nan=-1.0)
    return np.where((dollars >= 0) & (dollars * 1e9 <= MOST_NANODOLLARS), dollars, -1.0)


def _costs(calls: _Calls, book: PriceBook) -> Numbers:
    """Return what each call cost in 10^-9 USD, -1 where that is unknown."""
    costs = np.full(len(calls.rows), -1, dtype=np.int64)
    # What one of the two is not known to be is not known to cost anything: only so do sums cost what their calls do.
    counted = np.flatnonzero((calls.tokens[_INPUT] >= 0) | (calls.tokens[_OUTPUT] >= 0))
    if not len(counted):
        return costs
    lines = np.stack((*calls.texts, calls.tiers, calls.day))[:, counted]
    kind = np.asarray(pa.array(_numbered(lines)).dictionary_encode().indices)
    examples = lines[:, first_rows(kind)].T.tolist()
    prices = [_price(book, [calls.words[code] for code in column[:-1]], column[-1]) for column in examples]
    priced = np.array([price is not None for price in prices])[kind]
    counted, kind = counted[priced], kind[priced]
    if not len(counted):
        return costs
    tokens = np.maximum(calls.tokens[:, counted], 0)
    rates = _rates(prices, kind, tokens[_INPUT])
    costs[counted] = nanodollars(Quantities(*tokens), Rates(*rates.T))
    costs[costs > MOST_NANODOLLARS] = -1
    return costs


def _numbered(lines: Numbers) -> Numbers:
    """Return one number for each column; equal ones, equal columns."""
    lines = lines - lines.min(axis=1, keepdims=True)
    key: Numbers = lines[0]
    count = int(key.max()) + 1
    for line in lines[1:]:
        size = int(line.max()) + 1
        if count * size > _MOST_NUMBERS:
            key = np.unique(key, return_inverse=True)[1]
            count = len(key)
        key, count = key * size + line, count * size
    return key


def _price(book: PriceBook, words: Sequence[str], day: int) -> Price | None:
    provider, asked, answered, tier = words
    models = tuple(dict.fromkeys(word for word in (answered, asked) if word))
    return book.price(provider, models, tier_of(tier), strftime("%Y-%m-%d", gmtime(day * 86_400)))


def _rates(prices: Sequence[Price | None], kind: Numbers, inputs: Numbers) -> Numbers:
    """Return the rates of each call, shape (calls, rates)."""
    known = [price if price is not None else Price([0], [Rates(0, 0, 0, 0, 0, 0)], "") for price in prices]
    first = np.cumsum([0, *(len(price.rates) for price in known)])[kind]
    table = np.array([rates for price in known for rates in price.rates], dtype=np.int64)
    for number, price in enumerate(known):
        if len(price.starts) > 1:
            mine = np.flatnonzero(kind == number)
            first[mine] += np.maximum(np.searchsorted(price.starts, inputs[mine], side="left") - 1, 0)
    rates: Numbers = table[first]
    return rates


def _with_reported(costs: Numbers, reported: npt.NDArray[np.float64], rule: str) -> Numbers:
    if rule == "ignore":
        return costs
    told = reported >= 0 if rule == "prefer" else (reported >= 0) & (costs < 0)
    return np.where(told, np.rint(reported * 1e9).astype(np.int64), costs)
