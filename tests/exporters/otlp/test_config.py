"""The options as users write them: what is a mistake, what is hidden, what both names mean."""

from collections.abc import Sequence

import pytest

from collector.batch import Signal
from collector.config import Configuration, load, render
from collector.errors import ConfigError
from exporters.otlp import OtlpExporter, OtlpHttpExporter
from exporters.otlp.config import OtlpHttpConfig, target

CONFIG = """
receivers: {otlp: {protocols: {grpc: }}}
exporters:
  %s
service: {pipelines: {traces: {receivers: [otlp], exporters: [%s]}}}
"""


def loaded(exporter: str, name: str = "otlp") -> Configuration:
    return load([f"yaml:{CONFIG % (exporter, name)}"], [])


def mistakes(exporter: str, name: str = "otlp") -> Sequence[str]:
    with pytest.raises(ConfigError) as error:
        loaded(exporter, name)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("otlp", OtlpExporter),
        ("otlp_grpc", OtlpExporter),
        ("otlphttp", OtlpHttpExporter),
        ("otlp_http", OtlpHttpExporter),
    ],
)
def test_both_names_of_the_collector_work(name: str, cls: type) -> None:
    configuration = loaded(f"{name}: {{endpoint: 'https://localhost:4317'}}", name)
    assert configuration.exporters[name].cls is cls
    assert not configuration.warnings


@pytest.mark.parametrize(
    ("endpoint", "insecure", "expected"),
    [
        ("host:4317", False, ("host:4317", False)),
        ("host:4317", True, ("host:4317", True)),
        ("http://host:4317", False, ("host:4317", True)),
        ("https://host:443/", True, ("host:443", False)),
        ("[::1]:4317", False, ("[::1]:4317", False)),
        ("dns:///host:4317", False, ("dns:///host:4317", False)),
        ("unix:///run/otlp.sock", True, ("unix:///run/otlp.sock", True)),
    ],
)
def test_grpc_endpoints_are_read_as_in_the_collector(endpoint: str, insecure: bool, expected: tuple[str, bool]) -> None:
    assert target(endpoint, insecure) == expected


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("{}", "endpoint"),
        ("{endpoint: host}", "not host:port"),
        ("{endpoint: 'ftp://host:1'}", "not host:port"),
        ("{endpoint: 'h:1', compression: snappy}", "compression"),
        ("{endpoint: 'h:1', headers: {'a b': x}}", "name of a header"),
        ("{endpoint: 'h:1', headers: {grpc-timeout: x}}", "name of a header"),
        ("{endpoint: 'h:1', headers: {Content-Type: x}}", "by the exporter itself"),
        ("{endpoint: 'h:1', tls: {cert_file: x}}", "go together"),
        ("{endpoint: 'h:1', max_request_size: 0}", "max_request_size"),
        ("{endpoint: 'h:1', endpont: x}", "endpont"),
    ],
)
def test_mistakes_are_told(options: str, told: str) -> None:
    [problem] = mistakes(f"otlp: {options}")
    assert told in problem


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("{}", "no endpoint is given"),
        ("{endpoint: 'host:4318'}", "is not a URL"),
        ("{endpoint: 'http://:4318'}", "is not a URL"),
        ("{endpoint: 'https://ho st:1'}", "is not a URL"),
        ("{endpoint: 'https://host:1/a b'}", "is not a URL"),
        ("{traces_endpoint: 'http://host:99999/'}", "is not a URL"),
    ],
)
def test_mistakes_over_http_are_told(options: str, told: str) -> None:
    [problem] = mistakes(f"otlphttp: {options}", "otlphttp")
    assert told in problem


def test_headers_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "0123")
    headers = "\n      ".join(("signoz-ingestion-key: ${env:KEY}", "other: '${env:KEY}'"))
    configuration = loaded(f"otlp:\n    endpoint: h:1\n    headers:\n      {headers}")
    hidden, shown = render(configuration), render(configuration, unredacted=True)
    assert hidden["exporters"]["otlp"]["headers"] == {"signoz-ingestion-key": "[REDACTED]", "other": "[REDACTED]"}
    assert shown["exporters"]["otlp"]["headers"] == {"signoz-ingestion-key": "0123", "other": "0123"}


def test_a_header_that_cannot_be_sent_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hidden\r\nX-Injected: 1")
    [problem] = mistakes('otlp: {endpoint: "h:1", headers: {key: "${env:KEY}"}}')
    assert "printable ASCII" in problem
    assert "hidden" not in problem
    assert "Injected" not in problem


def test_each_signal_has_its_path() -> None:
    config = OtlpHttpConfig(endpoint="https://host/otlp/", logs_endpoint="https://logs/in")
    assert [config.url(signal) for signal in (Signal.TRACES, Signal.METRICS, Signal.LOGS)] == [
        "https://host/otlp/v1/traces",
        "https://host/otlp/v1/metrics",
        "https://logs/in",
    ]
    assert OtlpHttpConfig(logs_endpoint="https://logs/in").url(Signal.TRACES) == ""
