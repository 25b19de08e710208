"""The views of `signoz_genai`: SQL text made from the columns, so that no list of them is written twice."""

from collections.abc import Mapping
from importlib.resources import files

from collector.schema import ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS
from collector.sketch import GAMMA, ZERO

TOKENS = tuple(name for name in ROLLUP_SUMS if f"{name}_calls" in ROLLUP_SUMS)

COST = "cost_nano_usd"

HISTOGRAMS = {
    "duration": "duration_buckets",
    "success_duration": "mapSubtract(duration_buckets, error_duration_buckets)",
    "time_to_first_token": "time_to_first_token_buckets",
}
"""Histograms of seconds, by the name of what they measure."""

PERCENTILES = {
    f"{name}_p{percent}_seconds": f"percentile(buckets_of({histogram}), {percent / 100})"
    for name, histogram in HISTOGRAMS.items()
    for percent in (50, 95, 99)
}

_ARGUMENTS = "start = {start:DateTime('UTC')}, end = {end:DateTime('UTC')}, step = {step:UInt32}"


def view_statements() -> str:
    """Return the statements that make every view, separated as in the other ``.sql`` files."""
    return _filled("views.sql", _parts())


def _parts() -> Mapping[str, str]:
    return {
        "functions": _filled("functions.sql", {"zero": str(ZERO), "gamma": repr(GAMMA)}).rstrip(),
        "rows": "SELECT * FROM signoz_genai.rollup_1m",
        "arguments": _ARGUMENTS,
        "sums": _list(_sums()),
        "something": " OR ".join(f"{name} != 0" for name in ROLLUP_SUMS),
        "numbers": _list(_numbers()),
        "dimension_names": ", ".join(ROLLUP_DIMENSIONS),
        "quoted_dimensions": ", ".join(f"'{name}'" for name in ROLLUP_DIMENSIONS),
        "plain_dimensions": _list({name: f"r.{name}" for name in ROLLUP_DIMENSIONS}),
        "grouped_dimensions": _list(
            {name: f"if(has({{by:Array(String)}}, '{name}'), r.{name}, '')" for name in ROLLUP_DIMENSIONS}
        ),
        "percentile_names": ", ".join(PERCENTILES),
        "token_names": ", ".join(name for name in TOKENS if name != COST),
    }


def _sums() -> Mapping[str, str]:
    """Return the aggregates over rollup rows, by name."""
    return {
        **{name: f"sum(r.{name})" for name in ROLLUP_SUMS},
        **{name: f"sumMap(r.{name})" for name in ROLLUP_MAPS},
        "generations": "sumIf(r.calls - r.errors, r.operation != 'embeddings')",
    }


def _numbers() -> Mapping[str, str]:
    """Return what follows from the aggregates, by name; a ratio over nothing is NULL."""
    return {
        "calls": "calls",
        "errors": "errors",
        "error_rate": "errors / nullIf(calls, 0)",
        "errors_by_class": "mapFilter((class, number) -> number != 0, errors_by_class)",
        **{name: f"if({name}_calls = 0, NULL, {name})" for name in TOKENS},
        "cost_usd": "if(cost_nano_usd_calls = 0, NULL, cost_nano_usd / 1e9)",
        "cost_coverage": "priced_calls / nullIf(usage_calls, 0)",
        "cache_utilization": "cache_covered_read_tokens / nullIf(cache_covered_input_tokens, 0)",
        "cache_coverage": "cache_covered_calls / nullIf(generations, 0)",
        "duration_mean_seconds": "duration_nano / nullIf(timed_calls, 0) / 1e9",
        **PERCENTILES,
    }


def _list(columns: Mapping[str, str]) -> str:
    return ",\n    ".join(text if text == name else f"{text} AS {name}" for name, text in columns.items())


def _filled(name: str, parts: Mapping[str, str]) -> str:
    text = (files(__package__) / "sql" / name).read_text()
    for part, value in parts.items():
        text = text.replace(f"{{{part}}}", value)
    return text
