"""The views against plain Python: the same sums, ratios and percentiles for any range and any grouping."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from collector.errors import Retryable
from collector.models import model_of
from collector.schema import ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS
from collector.sketch import bucket_of
from exporters.clickhouse.views import COST, TOKENS
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.samples import START, rollup, rollups_batch

PERCENTS = (50, 95, 99)


def calls(seed: int, number: int) -> list[dict]:
    """Return model calls made up at random: the truth that rollup rows are made from."""
    random = np.random.default_rng(seed)

    def pick(*values: object) -> object:
        return values[random.integers(len(values))]

    return [
        {
            "time": START + 60 * int(random.integers(0, 90)),
            "service_name": pick("chat", "search", ""),
            "language": pick("python", "go"),
            "environment": pick("prod", ""),
            "provider": pick("openai", "anthropic"),
            "operation": pick("chat", "chat", "embeddings"),
            "request_model": pick("gpt-4o", "claude"),
            "response_model": pick("gpt-4o-2024-08-06", "", ""),
            "service_tier": pick("", "batch"),
            "context_band": pick("", "200000"),
            "error": pick("", "", "", "timeout", "rate_limit"),
            "duration": pick(None, 0.0, *(round(float(lasted), 9) for lasted in random.lognormal(0, 1.5, 4))),
            "first_token": pick(None, float(random.lognormal(-1, 1))),
            "tokens": {name: pick(None, int(random.integers(0, 5000))) for name in TOKENS},
        }
        for _ in range(number)
    ]


def rollup_row(call: dict) -> dict:
    """Return the rollup row of one call."""
    tokens, failed = call["tokens"], bool(call["error"])
    covered, used, timed = is_covered(call), is_used(call), call["duration"] is not None
    bucket = {histogram(call["duration"]): 1} if timed else {}
    row = {name: call[name] for name in ROLLUP_DIMENSIONS if name != "model"}
    row["model"] = model_of(call["response_model"] or call["request_model"])
    for name, value in tokens.items():
        row[name] = value or 0
        row[f"{name}_calls"] = int(value is not None)
    return rollup(
        **row,
        time=call["time"],
        calls=1,
        errors=int(failed),
        errors_by_class={call["error"]: 1} if failed else {},
        usage_calls=int(used),
        priced_calls=int(used and tokens[COST] is not None),
        cache_covered_calls=int(covered and not failed),
        cache_covered_read_tokens=tokens["cache_read_tokens"] if covered else 0,
        cache_covered_input_tokens=tokens["input_tokens"] if covered else 0,
        duration_nano=round((call["duration"] or 0) * 1e9),
        timed_calls=int(timed),
        duration_buckets=bucket,
        error_duration_buckets=bucket if failed else {},
        time_to_first_token_buckets={} if call["first_token"] is None else {histogram(call["first_token"]): 1},
    )


def is_covered(call: dict) -> bool:
    tokens = call["tokens"]
    return bool(tokens["cache_read_tokens"] is not None and tokens["input_tokens"]) and call["operation"] == "chat"


def is_used(call: dict) -> bool:
    return any(call["tokens"][name] is not None for name in ("input_tokens", "output_tokens"))


def histogram(seconds: float) -> int:
    return int(bucket_of(np.array([seconds]))[0])


def merged(rows: Iterable[dict]) -> list[dict]:
    """Return the rows added up as a rollup of one batch would be."""
    groups: dict[tuple, dict] = {}
    for row in rows:
        key = tuple(row[name] for name in ("time", *ROLLUP_DIMENSIONS[:-1]))
        sums = groups.setdefault(key, {**row, **dict.fromkeys(ROLLUP_SUMS, 0), **{m: Counter() for m in ROLLUP_MAPS}})
        for name in ROLLUP_SUMS:
            sums[name] += row[name]
        for name in ROLLUP_MAPS:
            sums[name].update(dict(row[name]))
    return [{**row, **{name: list(row[name].items()) for name in ROLLUP_MAPS}} for row in groups.values()]


def truth(found: Sequence[dict]) -> dict[str, object]:
    """Return every number of the summary for these calls."""
    good = [call for call in found if not call["error"] and call["operation"] != "embeddings"]
    covered = [call for call in found if is_covered(call)]
    used = [call for call in found if is_used(call)]
    lasted = [call["duration"] for call in found if call["duration"] is not None]
    numbers: dict[str, object] = {
        "calls": len(found),
        "errors": sum(bool(call["error"]) for call in found),
        "error_rate": sum(bool(call["error"]) for call in found) / len(found),
        "errors_by_class": dict(Counter(call["error"] for call in found if call["error"])),
        "cache_coverage": sum(not call["error"] for call in covered) / len(good) if good else None,
        "cache_utilization": None,
        "duration_mean_seconds": float(np.mean(lasted)) if lasted else None,
    }
    if covered:
        read, total = (sum(call["tokens"][f"{name}_tokens"] for call in covered) for name in ("cache_read", "input"))
        numbers["cache_utilization"] = read / total
    for name in TOKENS:
        known = [call["tokens"][name] for call in found if call["tokens"][name] is not None]
        numbers[name] = sum(known) if known else None
    costs = [call["tokens"][COST] for call in found if call["tokens"][COST] is not None]
    numbers["cost_usd"] = sum(costs) / 1e9 if costs else None
    numbers["cost_coverage"] = sum(call["tokens"][COST] is not None for call in used) / len(used) if used else None
    seconds = {
        "duration": lasted,
        "success_duration": [call["duration"] for call in found if not call["error"] and call["duration"] is not None],
        "time_to_first_token": [call["first_token"] for call in found if call["first_token"] is not None],
    }
    for name, values in seconds.items():
        for percent in PERCENTS:
            value = float(np.percentile(values, percent)) if values else None
            numbers[f"{name}_p{percent}_seconds"] = value
    return numbers


def named(store: Store, query: str) -> list[dict[str, object]]:
    columns = [row[0] for row in store.rows(f"DESCRIBE ({query})")]
    return [dict(zip(columns, row, strict=True)) for row in store.rows(query)]


def same(found: dict[str, object], wanted: dict[str, object]) -> None:
    for name, value in wanted.items():
        if isinstance(value, float):
            tolerance = 0.01 if name.split("_")[-2].startswith("p") else 1e-9
            assert math.isclose(found[name], value, rel_tol=tolerance, abs_tol=1e-12), name
        else:
            assert found[name] == value, name


def summary(
    store: Store, start: int, end: int, step: int, by: Sequence[str], *, view: str = "summary"
) -> list[dict[str, object]]:
    names = ", ".join(f"'{name}'" for name in by)
    return named(store, f"SELECT * FROM signoz_genai.{view}(start={start}, end={end}, step={step}, by=[{names}])")


def grouped(found: Iterable[dict], step: int, by: Sequence[str], start: int) -> dict[tuple, list[dict]]:
    groups = defaultdict(list)
    for call in found:
        known = {**call, "model": model_of(call["response_model"] or call["request_model"])}
        time = call["time"] // step * step if step else start
        groups[(time, *(known[name] if name in by else "" for name in ROLLUP_DIMENSIONS))].append(call)
    return groups


@pytest.fixture(scope="module")
def history() -> list[dict]:
    return calls(seed=7, number=500)


def fill(store: Store, make_exporter: MakeExporter, history: list[dict]) -> Store:
    """Store the calls in rollup rows of three batches."""
    exporter = make_exporter(store.dsn)
    for part in range(3):
        exporter.export(rollups_batch(merged(rollup_row(call) for call in history[part::3])))
    return store


@pytest.fixture
def filled(embedded: Store, make_exporter: MakeExporter, history: list[dict]) -> Store:
    """An embedded ClickHouse with the calls."""
    embedded.empty()
    return fill(embedded, make_exporter, history)


@pytest.mark.parametrize(
    ("step", "by"),
    [
        (0, []),
        (3600, []),
        (300, ["model"]),
        (0, ["service_name", "language", "environment", "provider", "operation", "request_model"]),
        (60, list(ROLLUP_DIMENSIONS)),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, list) else str(value),
)
def test_every_number_of_a_range_and_a_grouping(filled: Store, history: list[dict], step: int, by: list[str]) -> None:
    start, end = START + 10 * 60, START + 70 * 60
    inside = [call for call in history if start <= call["time"] < end]
    wanted = grouped(inside, step, by, start)

    found = summary(filled, start, end, step, by)

    assert len(found) == len(wanted)
    for row in found:
        key = (int(row["time"].replace(tzinfo=UTC).timestamp()), *(row[name] for name in ROLLUP_DIMENSIONS))
        same(row, truth(wanted[key]))


def test_every_kind_of_clickhouse_answers_alike(store: Store, make_exporter: MakeExporter, history: list[dict]) -> None:
    fill(store, make_exporter, history)
    for row in summary(store, START, START + 5400, 0, ["model", "provider"]):
        wanted = grouped(history, 0, ["model", "provider"], START)
        same(row, truth(wanted[(START, *(row[name] for name in ROLLUP_DIMENSIONS))]))


def test_a_range_may_be_written_as_text_or_as_times(filled: Store, history: list[dict]) -> None:
    wanted = len([call for call in history if call["time"] < START + 3600])
    ranges = (
        "start='2026-11-21 18:00:00', end='2026-11-21 19:00:00'",
        f"start=toDateTime({START}), end=toDateTime({START}) + INTERVAL 1 HOUR",
    )
    for written in ranges:
        assert filled.value(f"SELECT calls FROM signoz_genai.error_rate({written}, step=0, by=[])") == wanted


def test_the_named_views_hold_parts_of_the_summary(filled: Store) -> None:
    fixed = {
        "error_rate": [], "cache_utilization": [], "latency": [], "tokens_by_model": ["model"],
        "calls_by_model": ["model"], "services_and_languages": ["service_name", "language"],
    }  # fmt: skip
    for view, always in fixed.items():
        rows = summary(filled, START, START + 5400, 3600, ["provider"], view=view)
        whole = summary(filled, START, START + 5400, 3600, [*always, "provider"])
        parts = [{name: row[name] for name in rows[0]} for row in whole]

        assert sorted(map(repr, rows)) == sorted(map(repr, parts)), view


def test_the_plain_views_cover_everything_that_is_kept(filled: Store, history: list[dict]) -> None:
    (total,) = named(filled, "SELECT * FROM signoz_genai.totals")
    same(total, truth(history))

    views = {"models": ["provider", "model"], "services": ["service_name", "language"]}
    for view, by in views.items():
        wanted = grouped(history, 0, by, 0)
        rows = named(filled, f"SELECT * FROM signoz_genai.{view}")
        assert len(rows) == len(wanted)
        assert [row["calls"] for row in rows] == sorted((row["calls"] for row in rows), reverse=True)
        for row in rows:
            same(row, truth(wanted[(0, *(row[name] if name in by else "" for name in ROLLUP_DIMENSIONS))]))

    minutes = grouped(history, 60, ROLLUP_DIMENSIONS, 0)
    rows = named(filled, "SELECT * FROM signoz_genai.calls_by_minute")
    assert len(rows) == len(minutes)
    for row in rows[:20]:
        key = (int(row["time"].replace(tzinfo=UTC).timestamp()), *(row[name] for name in ROLLUP_DIMENSIONS))
        same(row, truth(minutes[key]))


def test_how_rows_are_split_and_merged_makes_no_difference(
    embedded: Store, make_exporter: MakeExporter, history: list[dict]
) -> None:
    answers = []
    for parts in (1, 4):
        embedded.empty()
        exporter = make_exporter(embedded.dsn)
        for part in range(parts):
            rows = [rollup_row(call) for call in history[part::parts]]
            exporter.export(rollups_batch(merged(rows) if parts == 1 else rows))
        answers.append(embedded.rows("SELECT * FROM signoz_genai.services ORDER BY service_name, language"))
        embedded.connection.command("OPTIMIZE TABLE signoz_genai.rollup_1m FINAL")
        answers.append(embedded.rows("SELECT * FROM signoz_genai.services ORDER BY service_name, language"))

    assert answers[1:] == answers[:1] * 3


def test_a_correcting_row_takes_back_what_was_counted_twice(embedded: Store, make_exporter: MakeExporter) -> None:
    call = {"calls": 1, "errors": 1, "duration_buckets": {5: 1}, "errors_by_class": {"timeout": 1}, "input_tokens": 3}
    back = {"calls": -1, "errors": -1, "duration_buckets": {5: -1}, "errors_by_class": {"timeout": -1}}
    kept = {"calls": 1, "duration_buckets": {0: 1}}
    rows = [rollup(**row) for row in (call, {**back, "input_tokens": -3}, kept)]
    embedded.empty()
    make_exporter(embedded.dsn).export(rollups_batch(rows))

    (found,) = named(embedded, "SELECT * FROM signoz_genai.totals")
    assert (found["calls"], found["errors"], found["error_rate"], found["errors_by_class"]) == (1, 0, 0.0, {})
    assert found["input_tokens"] is None
    assert math.isclose(found["duration_p95_seconds"], 1, rel_tol=0.006)


def test_an_unknown_grouping_is_refused(filled: Store) -> None:
    with pytest.raises(Retryable, match="by: every name must be one of service_name, language"):
        summary(filled, START, START + 60, 0, ["servce"])


def test_an_empty_range_has_no_rows(filled: Store) -> None:
    assert summary(filled, START - 3600, START, 60, ["model"]) == []


def test_times_are_utc(filled: Store) -> None:
    row = filled.rows("SELECT min(time), toTypeName(min(time)) FROM signoz_genai.calls_by_minute")[0]

    assert row[1] == "DateTime('UTC')"
    assert row[0].replace(tzinfo=UTC) >= datetime.fromtimestamp(START, UTC)


def test_models_without_a_price_are_listed(make_exporter: MakeExporter, store: Store) -> None:
    used = {"input_tokens": 100, "input_tokens_calls": 2, "output_tokens": 7, "calls": 2, "time": START}
    used |= {"usage_calls": 2, "provider": "openai"}
    rows = [
        rollup(**used, model="gpt-4o", cost_nano_usd=5, cost_nano_usd_calls=2, priced_calls=2),
        rollup(**used, model="unheard-of"),
        rollup(**used, model="half", cost_nano_usd=5, cost_nano_usd_calls=1, priced_calls=1),
        rollup(provider="openai", model="silent", calls=3, time=START),
        rollup(provider="openai", model="unheard-of", calls=7, cost_nano_usd=9, cost_nano_usd_calls=7, time=START),
    ]
    make_exporter(store.dsn).export(rollups_batch(rows))
    found = store.rows(
        "SELECT model, unpriced_calls, calls, input_tokens FROM signoz_genai.unpriced_models ORDER BY model"
    )
    coverage = store.rows("SELECT model, cost_coverage FROM signoz_genai.models ORDER BY model")

    assert found == [("half", 1, 2, 100), ("unheard-of", 2, 9, 100)]
    assert coverage == [("gpt-4o", 1), ("half", 0.5), ("silent", None), ("unheard-of", 0)]


def test_what_was_taken_back_whole_is_not_shown(embedded: Store, make_exporter: MakeExporter) -> None:
    call = {"calls": 1, "input_tokens": 3, "input_tokens_calls": 1, "duration_buckets": {5: 1}, "timed_calls": 1}
    back = {"calls": -1, "input_tokens": -3, "input_tokens_calls": -1, "duration_buckets": {5: -1}, "timed_calls": -1}
    rows = [
        rollup(**call, service_name="server"),
        rollup(**back, service_name="server"),
        rollup(service_name="client", calls=1, time=START + 60),
        rollup(service_name="meter", input_tokens=3, input_tokens_calls=1, time=START + 60),
    ]
    embedded.empty()
    make_exporter(embedded.dsn).export(rollups_batch(rows))
    by_minute = summary(embedded, START, START + 120, 60, ["service_name"])

    assert sorted((row["service_name"], row["calls"]) for row in by_minute) == [("client", 1), ("meter", 0)]
    assert len(summary(embedded, START, START + 60, 0, [])) == 0
    for view in ("services", "calls_by_minute"):
        found = embedded.rows(f"SELECT service_name, calls, error_rate FROM signoz_genai.{view} ORDER BY service_name")
        assert found == [("client", 1, 0.0), ("meter", 0, None)], view
    assert embedded.rows("SELECT calls, input_tokens FROM signoz_genai.models") == [(1, 3)]
    embedded.empty()
    assert embedded.rows("SELECT calls, duration_mean_seconds FROM signoz_genai.totals") == [(0, None)]
