"""The report card: what is missing in what libraries report, found in real rows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from collector.cli import main
from collector.component import Host
from exporters.clickhouse.client import Server
from exporters.clickhouse.report import Reporter, report_card
from processors.rollup import RollupConfig, RollupProcessor
from processors.rollup.calls import RUNTIMES
from tests.clickhouse_http import ClickhouseServer
from tests.exporters.clickhouse.conftest import MakeExporter, Store, configuration
from tests.exporters.clickhouse.samples import START
from tests.processors.spans import batch_from

FIRST = datetime.fromtimestamp(START - 3600, UTC)
LAST = datetime.fromtimestamp(START + 3600, UTC)
LIBRARY = "opentelemetry.instrumentation.openai.v1"


def call(failed: bool = False, **more: Any) -> dict[str, Any]:
    """Return a complete call; ``a__b`` stands for ``a.b``, and None takes an attribute away."""
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "genai_collector.cost.nano_usd": 5,
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return {
        "startTimeUnixNano": str(START * 10**9),
        "endTimeUnixNano": str(START * 10**9 + 1),
        "status": {"code": 2 if failed else 0},
        "attributes": {key: value for key, value in told.items() if value is not None},
    }


def card(make_exporter: MakeExporter, store: Store, *calls: dict[str, Any], service: str = "shop") -> list[Reporter]:
    resource = {"service.name": service, "telemetry.sdk.language": "python"}
    make_exporter(store.dsn).export(batch_from(*calls, scope=LIBRARY, resource=resource))
    return report_card(store.connection, FIRST, LAST)


def test_nothing_is_said_of_who_reports_everything(make_exporter: MakeExporter, store: Store) -> None:
    [reporter] = card(make_exporter, store, call(), call(failed=True))

    assert reporter == (f"shop (python): {LIBRARY}", ["OpenTelemetry 1.37 or later"], 2, ())


SILENT = {"gen_ai__usage__input_tokens": None, "genai_collector__cost__nano_usd": None}


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        ([call(), call(gen_ai__request__stream=True, **SILENT)], "usage missing on streams: 1 of 2 calls"),
        ([call(), call(**SILENT)], "usage missing: 1 of 2 calls"),
        ([call(gen_ai__usage__cache_read__input_tokens=None)], "cache tokens never reported: 1 of 1 calls"),
        ([call() for _ in range(50)], "errors may be invisible: 50 of 50 calls"),
        ([call(), call(genai_collector__uncounted__reason="same_response")], "instrumented twice: 1 of 1 calls"),
        ([call(), call(genai_collector__cost__nano_usd=None)], "model without a price: 1 of 2 calls"),
        ([call(), call(gen_ai__request__model=None)], "model unknown: 1 of 1 calls"),
    ],
)
def test_each_finding_is_found_alone(
    make_exporter: MakeExporter, embedded: Store, calls: list[dict[str, Any]], text: str
) -> None:
    embedded.empty()
    [reporter] = card(make_exporter, embedded, *calls)

    [finding] = reporter.findings
    assert finding.text == text
    assert len(finding.advice) > 20


def test_an_empty_type_of_error_is_no_error(make_exporter: MakeExporter, embedded: Store) -> None:
    embedded.empty()
    [reporter] = card(make_exporter, embedded, *(call(error__type="") for _ in range(50)))

    assert [finding.text for finding in reporter.findings] == ["errors may be invisible: 50 of 50 calls"]


def test_failed_calls_and_wrappers_are_no_findings(make_exporter: MakeExporter, embedded: Store) -> None:
    embedded.empty()
    wrapper = call(genai_collector__uncounted__reason="wrapper", **SILENT)
    [reporter] = card(make_exporter, embedded, call(), call(failed=True, **SILENT), wrapper)

    assert (reporter.calls, reporter.findings) == (2, ())


def test_a_service_without_a_name_is_told(make_exporter: MakeExporter, embedded: Store) -> None:
    embedded.empty()
    [reporter] = card(make_exporter, embedded, call(), service="unknown_service:python")

    assert reporter.findings[0].text == "service unnamed: 1 of 1 calls"
    assert "OTEL_SERVICE_NAME" in reporter.findings[0].advice


def test_the_language_is_the_one_of_the_rollups(make_exporter: MakeExporter, embedded: Store) -> None:
    embedded.empty()
    runtimes = [{"process.runtime.name": name} for name in (*RUNTIMES, "CPython", "graphite")]
    for number, told in enumerate([{}, {"telemetry.sdk.language": "rust", "process.runtime.name": "go"}, *runtimes]):
        batch = batch_from(call(), scope=LIBRARY, resource={"service.name": f"s{number}", **told})
        _, rollups = RollupProcessor(RollupConfig(), Host("rollup")).process(batch)
        for each in (batch, rollups):
            make_exporter(embedded.dsn).export(each)
    counted = embedded.rows("SELECT service_name, language FROM signoz_genai.rollup_1m ORDER BY ALL")
    ends = f"start = '{FIRST:%Y-%m-%d %H:%M:%S}', end = '{LAST:%Y-%m-%d %H:%M:%S}'"

    assert embedded.rows(f"SELECT service_name, language FROM signoz_genai.report_card({ends}) ORDER BY ALL") == counted
    assert {"rust", "unknown", "python", "java"} <= {language for _, language in counted}


@pytest.mark.parametrize(
    ("marks", "convention"),
    [
        ({"gen_ai__system": "openai"}, "OpenTelemetry 1.27 to 1.36"),
        ({"llm__request__type": "chat", "gen_ai__system": "openai"}, "OpenLLMetry"),
        ({"openinference__span__kind": "LLM"}, "OpenInference"),
        ({"gen_ai__usage__prompt_tokens": 3}, "OpenTelemetry 1.26"),
    ],
)
def test_the_convention_is_seen(
    make_exporter: MakeExporter, embedded: Store, marks: dict[str, Any], convention: str
) -> None:
    embedded.empty()
    [reporter] = card(make_exporter, embedded, call(**marks))

    assert reporter.conventions == [convention]


def test_the_command_prints_the_card(make_exporter: MakeExporter, server: ClickhouseServer) -> None:
    store = Store(server.dsn, Server(server.dsn, 60))
    store.empty()
    card(make_exporter, store, call(**SILENT))
    card(make_exporter, store, call(), service="bakery")
    period = ["--from", f"{FIRST:%Y-%m-%d %H:%M:%S}", "--to", f"{LAST:%Y-%m-%d %H:%M:%S}"]
    told = CliRunner().invoke(main, ["report", "--config", configuration(server.dsn), *period])
    earlier = ["--from", "2020-01-01", "--to", "2020-01-02"]
    before = CliRunner().invoke(main, ["report", "--config", configuration(server.dsn), *earlier])

    assert told.exit_code == before.exit_code == 0, told.output + before.output
    assert f"shop (python): {LIBRARY}\n  1 call, written as OpenTelemetry 1.37 or later" in told.output
    assert "  - usage missing: 1 of 1 calls\n    upgrade the library" in told.output
    assert f"bakery (python): {LIBRARY}\n  1 call, written as OpenTelemetry 1.37 or later\n  nothing is" in told.output
    assert "no model calls" in before.output
