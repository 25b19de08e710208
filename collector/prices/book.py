"""Looking a price up: by provider, model, tier and day.

The shipped list (`shipped.json`, its source and date are in it) says for each provider which names mean it, and for
each of its models which names mean that and what a token costs from which day on.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from collector.models import MAKERS, names_of
from collector.prices.own import NAMES, OwnPrices

_PROVIDERS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "aws.bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
}
"""Our names (OpenTelemetry's) of providers that the list calls otherwise."""

_GATEWAYS = frozenset({"openrouter", "litellm", ""})
"""Providers that pass calls on, and the unknown one: a model not named as in their list costs what its maker takes."""

_FREE = ":free"
"""Ends the names of models that OpenRouter takes nothing for."""

Document = Mapping[str, Any]


class Rates(NamedTuple):
    """What a token costs, each in 10^-12 USD."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    output: int
    reasoning: int


class Price(NamedTuple):
    """Is what calls of one model cost: ``rates[n]`` when the whole input has more than ``starts[n]`` tokens."""

    starts: Sequence[int]
    rates: Sequence[Rates]
    source: str

    def step(self, input_tokens: int) -> int:
        """Return which of the rates an input of this length has."""
        return max((number for number, start in enumerate(self.starts) if input_tokens > start), default=0)


class PriceBook:
    """Answers what a call costs; remembers its answers, so that it may be asked for every distinct model and day."""

    def __init__(self, own: Sequence[OwnPrices] = ()) -> None:
        self._own = own
        self.price = lru_cache(maxsize=4096)(self._price)

    @property
    def source(self) -> str:
        """Where the shipped prices are from, and of which day they are."""
        return f"{shipped()['source']}, as of {shipped()['as_of']}"

    def _price(self, provider: str, models: tuple[str, ...], tier: str, day: str) -> Price | None:
        """Return the price of the first of *models* that has one on *day* (``2026-11-22``), or None.

        *models* are names of the same model, the best first; *tier* is the service tier ('' the standard one): where
        a model has no price for it, the standard one holds. Each name is asked for as it is, then for less and less
        of it (`collector.models.names_of`), in the list and in the user's own prices, which go over the list's.
        """
        provider, tier = provider.lower(), tier.lower()
        for model in models:
            whole, *parts = names_of(model)
            names = dict.fromkeys((whole, whole.removeprefix(f"{provider}/"), *parts))
            found = next(filter(None, (self._listed(provider, name, tier, day) for name in names)), {})
            own = next(filter(None, (self._owned(provider, name, tier, day) for name in names)), {})
            if "input" in (found := {**found, **own}):
                return _completed(found, f"own prices over {shipped()['source']}" if own else shipped()["source"])
        return None

    def _owned(self, provider: str, model: str, tier: str, day: str) -> Mapping[str, int]:
        fitting = [one for one in self._own if one.applies(provider, model, tier, day)]
        return max(fitting, key=lambda one: (one.since, one.number)).rates if fitting else {}

    def _listed(self, provider: str, model: str, tier: str, day: str) -> dict[str, Any]:
        if _variant(model) == _FREE and (provider in _GATEWAYS or self._ids(provider, model)):
            return {"input": 0, "output": 0}
        for listed in self._models(provider, model):
            standard = _on(listed["prices"], day) or _named(listed["prices"][0])
            variant = _on([one for one in listed.get("tiers", ()) if one["tier"] == tier], day)
            return {**standard, **variant}
        return {}

    def _models(self, provider: str, model: str) -> Iterator[Document]:
        """Yield the list's entries for a model, the provider's own first.

        A gateway's variants, ``:batch`` or ``:extended``, have prices of their own: only entries that name them hold.
        """
        variant = _variant(model) if provider in _GATEWAYS else ""
        places = [self._providers[id_] for id_ in self._ids(provider, model)]
        places += [self._providers[id_] for place in places for id_ in place["fallback"] if id_ in self._providers]
        for name in (model, _dashed(model)):
            found = (listed for place in places for listed in place["models"] if _matches(listed["match"], name))
            yield from (listed for listed in found if not variant or _ends(listed["match"], variant))

    def _ids(self, provider: str, model: str) -> list[str]:
        makers = [id_ for id_, one in self._providers.items() if _matches(one["models_named"], model)][:1]
        if provider in _GATEWAYS:
            return [*([provider] if provider in self._providers else []), *makers]
        provider = _PROVIDERS.get(provider, provider)
        if provider in self._providers:
            return [provider]
        return [id_ for id_, one in self._providers.items() if _matches(one["names"], provider)][:1]

    @cached_property
    def _providers(self) -> Mapping[str, Document]:
        return {one["id"]: one for one in shipped()["providers"]}


@lru_cache(maxsize=1)
def shipped() -> Document:
    """Return the list of prices that comes with the package."""
    document: Document = json.loads(Path(__file__).with_name("shipped.json").read_text(encoding="utf-8"))
    return document


def _on(prices: Sequence[Document], day: str) -> Document:
    """Return the prices that hold on *day*: of equal beginnings the last; none before the first."""
    begun = [one for one in prices if one.get("from", "") <= day]
    return _named(max(reversed(begun), key=lambda one: one.get("from", ""), default={}))


def _named(prices: Document) -> Document:
    return {name: value for name, value in prices.items() if name in NAMES}


def _completed(found: Mapping[str, Any], source: str) -> Price:
    """Return the price with what it does not name: cached tokens cost what others do, reasoning what output does."""
    steps = {name: value if isinstance(value, list) else [[0, value]] for name, value in found.items()}
    starts = sorted({start for step in steps.values() for start, _ in step} | {0})

    def rate(start: int, name: str, *otherwise: str) -> int:
        for known in (name, *otherwise):
            if known in steps:
                return int(max(step for step in steps[known] if step[0] <= start)[1])
        return 0

    rates = [
        Rates(
            rate(start, "input"),
            rate(start, "cache_read", "input"),
            rate(start, "cache_write", "input"),
            rate(start, "cache_write_1h", "cache_write", "input"),
            rate(start, "output"),
            rate(start, "reasoning", "output"),
        )
        for start in starts
    ]
    return Price(starts, rates, source)


def _dashed(model: str) -> str:
    """Return ``model-20251211`` as ``model-2025-12-11``: both forms are in use."""
    return re.sub(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)", r"-\1-\2-\3", model)


def _variant(model: str) -> str:
    """Return ``:extended`` of ``maker/model:extended``, '' where it is none: ``:0``, ``:3b``, ``ft:...``.

    Neither is ``:beta``, which costs what the model does.
    """
    match = re.fullmatch(r"([^:]+)(:(?!beta$)[a-z][a-z-]*)", model)
    return match[2] if match and match[1] != "ft" and match[1] not in MAKERS else ""


def _ends(rule: Document, ending: str) -> bool:
    """Tell whether any of the texts that *rule* compares with has this ending."""
    [(_, value)] = rule.items()
    return any(_ends(one, ending) for one in value) if isinstance(value, list) else value.lower().endswith(ending)


def _matches(rule: Document | None, name: str) -> bool:
    if rule is None:
        return False
    [(kind, value)] = rule.items()
    return _TESTS[kind](value, name)


_TESTS: Mapping[str, Callable[[Any, str], bool]] = {
    "or": lambda rules, name: any(_matches(one, name) for one in rules),
    "and": lambda rules, name: all(_matches(one, name) for one in rules),
    "equals": lambda text, name: bool(name == text.lower()),
    "starts_with": lambda text, name: name.startswith(text.lower()),
    "ends_with": lambda text, name: name.endswith(text.lower()),
    "contains": lambda text, name: text.lower() in name,
    "regex": lambda pattern, name: re.search(pattern, name) is not None,
}
