"""Repricing: past cost by other prices, from the quantities that rollups keep."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli import main
from collector.component import Host
from collector.prices import PriceBook, read_own
from exporters.clickhouse.client import Server
from exporters.clickhouse.reprice import Change, reprice
from processors.cost import CostConfig, CostProcessor
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup import RollupConfig, RollupProcessor
from tests.clickhouse_http import ClickhouseServer
from tests.exporters.clickhouse.conftest import MakeExporter, Store, configuration
from tests.exporters.clickhouse.samples import START
from tests.processors.spans import batch_from

DAY = datetime.fromtimestamp(START, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
END = DAY + timedelta(days=1)
ASKED, ANSWERED = "openai.request.service_tier", "openai.response.service_tier"
TIERS = ({}, {ASKED: "batch"}, {ASKED: "batch", ANSWERED: ""}, {ANSWERED: "priority"}, {ASKED: "flex", ANSWERED: 1})
COSTS = "SELECT sum(cost_nano_usd), sum(cost_nano_usd_calls), sum(calls), sum(input_tokens) FROM signoz_genai.rollup_1m"


def calls() -> Sequence[dict]:
    """Return spans of calls of every kind that prices tell apart."""
    return [
        {
            "startTimeUnixNano": str(START * 10**9),
            "endTimeUnixNano": str((START + 1) * 10**9),
            "attributes": {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.usage.input_tokens": number,
                "gen_ai.usage.cache_read.input_tokens": number // 3,
                "gen_ai.usage.cache_write.input_tokens": number // 9,
                "genai_collector.usage.cache_write_1h.input_tokens": number // 20,
                "gen_ai.usage.output_tokens": number // 7,
                "gen_ai.usage.reasoning.output_tokens": number // 11,
                **tiers,
            },
        }
        for number in (1, 33, 1001, 150_001, 210_001)
        for provider, model in (
            ("openai", "gpt-4o-mini"),
            ("anthropic", "claude-sonnet-4-5"),
            ("openai", "unheard-of"),
            ("gcp.gemini", "models/gemini-2.5-pro"),
            ("openrouter", "deepseek/deepseek-chat:free"),
        )
        for tiers in TIERS
    ]


def load(make_exporter: MakeExporter, store: Store, prices: tuple[Path, ...] = ()) -> int:
    """Store the calls, priced, and return the sum of their costs."""
    cost = CostProcessor(CostConfig(prices=prices), Host("cost"))
    cost.start()
    [priced] = cost.process(batch_from(*calls()))
    _, rollups = RollupProcessor(RollupConfig(), Host("rollup")).process(priced)
    make_exporter(store.dsn).export(rollups)
    return sum(rollups.main.column("cost_nano_usd").to_pylist())


def own(folder: Path, text: str) -> Path:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_same_prices_change_nothing(make_exporter: MakeExporter, store: Store) -> None:
    total = load(make_exporter, store)
    before = store.rows(COSTS)
    changes = reprice(store.connection, PriceBook(), DAY, END, dry_run=False)

    assert {change.before == change.after for change in changes.values()} == {True}
    assert store.rows(COSTS) == before
    assert before[0][0] == total > 0


def test_cache_writes_told_by_how_long_they_are_kept(make_exporter: MakeExporter, store: Store) -> None:
    hour, minutes = (f"anthropic.usage.cache_creation.ephemeral_{time}_input_tokens" for time in ("1h", "5m"))
    asked = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-20250514"}
    used = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 0, hour: 400}
    written = ({minutes: 100}, {"gen_ai.usage.cache_write.input_tokens": 300})
    spans = [{"startTimeUnixNano": str(START * 10**9), "attributes": {**asked, **used, **more}} for more in written]
    [translated] = GenaiProcessor(GenaiConfig(), Host("genai")).process(batch_from(*spans))
    cost = CostProcessor(CostConfig(), Host("cost"))
    [priced] = cost.process(translated)
    _, rollups = RollupProcessor(RollupConfig(), Host("rollup")).process(priced)
    make_exporter(store.dsn).export(rollups)
    [change] = reprice(store.connection, PriceBook(), DAY, END, dry_run=True).values()

    assert change == (2, 4_275_000 + 4_200_000, 4_275_000 + 4_200_000)


def test_other_prices_are_as_if_they_had_held_from_the_start(
    make_exporter: MakeExporter, store: Store, tmp_path: Path
) -> None:
    file = own(
        tmp_path,
        """
        prices:
          - {model: gpt-4o-mini, input: 4, output: 8}
          - {model: unheard-of, input: 1, output: 2}
          - {model: gemini-2.5-pro, provider: gcp.gemini, input: 3}
        """,
    )
    wanted = load(make_exporter, store, (file,))
    wanted_calls = store.rows(COSTS)[0][1]
    store.empty()
    before = load(make_exporter, store)
    book = PriceBook(read_own(file))
    dry = reprice(store.connection, book, DAY, END, dry_run=True)
    assert store.rows(COSTS)[0][0] == before
    changes = reprice(store.connection, book, DAY, END, dry_run=False)
    again = reprice(store.connection, book, DAY, END, dry_run=False)

    [(cost, counted, number, _)] = store.rows(COSTS)
    assert (abs(cost - wanted) <= number, counted) == (True, wanted_calls)
    assert dry == changes
    assert sum(change.difference for change in changes.values()) == cost - before
    assert changes["anthropic", "claude-sonnet-4-5"].before == changes["anthropic", "claude-sonnet-4-5"].after
    assert all(change.before == change.after for change in again.values())
    assert [name for (_, name), change in changes.items() if change.before is None] == ["unheard-of"]


@pytest.mark.parametrize("cost", [9, 600_000])
def test_calls_with_a_cost_and_no_tokens_leave_the_others_to_be_priced(
    make_exporter: MakeExporter, embedded: Store, tmp_path: Path, cost: int
) -> None:
    start, end = str(START * 10**9), str((START + 1) * 10**9)
    names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "zz", "gen_ai.request.model": "secret"}
    told = ({"gen_ai.usage.input_tokens": 1000}, {"gen_ai.usage.output_tokens": 100})
    reported = {"genai_collector.cost.nano_usd": cost}
    spans = [{"attributes": {**names, **more}} for more in (*told, reported, reported)]
    batch = batch_from(*({"startTimeUnixNano": start, "endTimeUnixNano": end, **span} for span in spans))
    _, rollups = RollupProcessor(RollupConfig(), Host("rollup")).process(batch)
    embedded.empty()
    make_exporter(embedded.dsn).export(rollups)
    asked = "SELECT cost_nano_usd, cost_coverage FROM signoz_genai.models"
    unpriced = "SELECT model, unpriced_calls FROM signoz_genai.unpriced_models"
    assert embedded.rows(asked) == [(2 * cost, 0.0)]
    assert embedded.rows(unpriced) == [("secret", 2)]

    book = PriceBook(read_own(own(tmp_path, "prices: [{model: secret, input: 1, output: 2}]")))
    for _ in range(2):
        reprice(embedded.connection, book, DAY, END, dry_run=False)

        assert embedded.rows(asked) == [(1_200_000, 1.0)]
        assert embedded.rows(unpriced) == []
    assert embedded.rows(COSTS)[0][1:3] == (2, 4)


def test_only_the_time_range_is_priced(make_exporter: MakeExporter, store: Store, tmp_path: Path) -> None:
    before = load(make_exporter, store)
    book = PriceBook(read_own(own(tmp_path, "prices: [{model: '*', input: 1000}]")))

    assert reprice(store.connection, book, END, END + timedelta(days=2), dry_run=False) == {}
    assert store.rows(COSTS)[0][0] == before


def test_changes_add_up() -> None:
    assert Change(1, 2, 3).plus(Change(10, 20, 30)) == (11, 22, 33)
    assert Change(1, None, 3).plus(Change(10, 20, None)) == (11, 20, 3)
    assert Change(1).plus(Change(1)) == (2, None, None)


def test_the_command_prints_the_difference_by_model(
    make_exporter: MakeExporter, server: ClickhouseServer, tmp_path: Path
) -> None:
    store = Store(server.dsn, Server(server.dsn, 60))
    store.empty()
    load(make_exporter, store)
    prices = own(tmp_path, "prices: [{model: gpt-4o-mini, input: 4}]")
    command = ["reprice", "--config", configuration(server.dsn), "--from", f"{DAY:%Y-%m-%d}", "--to", f"{END:%Y-%m-%d}"]
    runner = CliRunner()
    told = runner.invoke(main, [*command, "--prices", str(prices), "--dry-run"])

    assert told.exit_code == 0, told.output
    lines = [line.split() for line in told.output.splitlines()]
    assert "nothing was stored" in told.output
    assert lines[1][:3] == ["provider", "model", "calls"]
    assert lines[2][:3] == ["openai", "gpt-4o-mini", "25"]
    assert [line[-3:] for line in lines if "unheard-of" in line] == [["unknown", "unknown", "0.000000"]]
    assert lines[-1][:2] == ["all", "125"]


@pytest.mark.parametrize(
    ("file", "told"), [("none.yaml", "no such file"), ("bad.yaml", "prices::0::inptu: unknown key")]
)
def test_the_command_tells_what_is_wrong_with_prices(tmp_path: Path, file: str, told: str) -> None:
    own(tmp_path, "prices: [{model: a, inptu: 4}]").rename(tmp_path / "bad.yaml")
    config = Path(__file__).parents[3] / "config.yaml"
    command = ["reprice", "--config", str(config), "--from", "2023-11-14", "--prices", str(tmp_path / file)]
    answer = CliRunner().invoke(main, command)

    assert answer.exit_code == 2
    assert told in answer.output


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_time_that_is_none_is_told_with_how_to_write_one(option: str) -> None:
    result = CliRunner().invoke(main, ["report", "--config", "yaml:{}", option, "yesterday"])

    assert result.exit_code == 2
    assert "'yesterday' is neither a time like 2026-11-22T10:00 nor how long ago, like 90m" in result.output


@pytest.mark.parametrize("command", ["reprice", "report"])
@pytest.mark.parametrize(
    "period",
    [["--from", "2030-01-02", "--to", "2030-01-01"], ["--from", "2099-01-01"], ["--from", "1h", "--to", "90m"]],
)
def test_a_period_that_ends_before_it_begins_is_a_mistake(tmp_path: Path, command: str, period: list[str]) -> None:
    result = CliRunner().invoke(main, [command, "--config", configuration(f"chdb://{tmp_path}/none"), *period])

    assert result.exit_code == 2
    assert "must be before --to" in result.output
    assert not (tmp_path / "none").exists()
