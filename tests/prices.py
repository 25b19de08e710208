"""Writes collector/prices/shipped.json out of the installed genai-prices: ``python -m tests.prices 2026-11-10``.
And collector/makers.json, who makes the models that it lists.

genai-prices (MIT licence) is a list of public prices kept by its contributors. Its package takes 95 MB of memory when
imported, so only what is needed of its data is shipped: prices of tokens, in pico-dollars a token.
"""

import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from genai_prices import types
from genai_prices.data import providers

PATH = Path(__file__).parent.parent / "collector" / "prices" / "shipped.json"
MAKERS = Path(__file__).parent.parent / "collector" / "makers.json"
KEYS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
}
CLAUSES = {
    types.ClauseEquals: "equals",
    types.ClauseStartsWith: "starts_with",
    types.ClauseEndsWith: "ends_with",
    types.ClauseContains: "contains",
    types.ClauseRegex: "regex",
}


def clause(match: Any) -> Any:
    """Return a matching rule as JSON, ``{"starts_with": "gpt"}``."""
    if match is None:
        return None
    if isinstance(match, types.ClauseOr):
        return {"or": [clause(one) for one in match.or_]}
    if isinstance(match, types.ClauseAnd):
        return {"and": [clause(one) for one in match.and_]}
    name = CLAUSES[type(match)]
    return {name: getattr(match, name)}


def picodollars(per_million: Decimal) -> int:
    return int((per_million * 1_000_000).to_integral_value())


def prices(price: types.ModelPrice) -> dict[str, Any]:
    """Return ``{"input": 2500000}``, or ``{"input": [[0, 2500000], [200000, 5000000]]}`` where it depends on length."""
    found: dict[str, Any] = {}
    for theirs, ours in KEYS.items():
        value = price.__dict__.get(theirs)
        if isinstance(value, types.TieredPrices):
            found[ours] = [[0, picodollars(value.base)], *([one.start, picodollars(one.price)] for one in value.tiers)]
        elif value is not None:
            found[ours] = picodollars(value)
    return found


def dated(constraint: Any, price: types.ModelPrice) -> dict[str, Any] | None:
    """Return the prices with the day that they hold from; None for those of fewer than half of a day's hours."""
    if isinstance(constraint, types.TimeOfDateConstraint) and hours(constraint) < 12:
        return None
    start = {"from": constraint.start_date.isoformat()} if isinstance(constraint, types.StartDateConstraint) else {}
    return {**start, **prices(price)}


def hours(constraint: types.TimeOfDateConstraint) -> float:
    start, end = constraint.start_time, constraint.end_time
    return ((end.hour * 60 + end.minute) - (start.hour * 60 + start.minute)) % 1440 / 60


def model(info: types.ModelInfo) -> dict[str, Any] | None:
    alternatives = (
        [types.ConditionalPrice(prices=info.prices)] if isinstance(info.prices, types.ModelPrice) else info.prices
    )
    standard = [one for each in alternatives if (one := dated(each.constraint, each.prices))]
    if not any(set(one) - {"from"} for one in standard):
        return None
    found: dict[str, Any] = {"id": info.id, "match": clause(info.match), "prices": standard}
    tiers = list(variants(info))
    return {**found, "tiers": tiers} if tiers else found


def variants(info: types.ModelInfo) -> Iterator[dict[str, Any]]:
    for variant in info.price_variants or ():
        if len(variant.when) == 1 and next(iter(variant.when)) in ("service_tier", "processing", "speed"):
            price = dated(variant.constraint, variant.prices)
            if price and set(price) - {"from"}:
                yield {"tier": next(iter(variant.when.values())), **price}


def document(as_of: str) -> dict[str, Any]:
    package = distribution("genai-prices")
    return {
        "source": f"genai-prices {package.version}, MIT licence, https://github.com/pydantic/genai-prices",
        "as_of": as_of,
        "unit": "10^-12 USD a token",
        "providers": [
            {
                "id": one.id,
                "names": clause(one.provider_match),
                "models_named": clause(one.model_match),
                "fallback": one.fallback_model_providers or [],
                "models": [found for info in one.models if (found := model(info))],
            }
            for one in providers
        ],
    }


def text(as_of: str) -> str:
    """Return the file's text: a line for each model, so that a change of prices can be read."""
    whole = document(as_of)
    lines = ["{", *(f" {json.dumps(key)}: {json.dumps(whole[key])}," for key in ("source", "as_of", "unit"))]
    lines.append(' "providers": [')
    for number, one in enumerate(whole["providers"]):
        head = {key: value for key, value in one.items() if key != "models"}
        models = ",\n".join(f"   {json.dumps(each)}" for each in one["models"])
        end = "" if number == len(whole["providers"]) - 1 else ","
        lines.append(f'  {json.dumps(head)[:-1]}, "models": [\n{models}\n  ]}}{end}')
    return "\n".join([*lines, " ]", "}"]) + "\n"


def makers() -> Iterator[str]:
    """Yield who serves models, and who stands before their names: ``maker/model``, Bedrock's ``region.maker.model``."""
    for one in providers:
        yield one.id
        for info in one.models:
            named = re.match(r"([\w-]+)/[^/]+$", info.id)
            named = named or (re.match(r"(?:global\.|regional\.)?([a-z0-9]+)\.", info.id) if one.id == "aws" else None)
            if named:
                yield named[1].lower()


def makers_text() -> str:
    """Return the file's text: a line for each maker."""
    return json.dumps(sorted(set(makers())), indent=1) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.prices YYYY-MM-DD (the day genai-prices was released)")
    PATH.write_text(text(sys.argv[1]), encoding="utf-8")
    MAKERS.write_text(makers_text(), encoding="utf-8")
