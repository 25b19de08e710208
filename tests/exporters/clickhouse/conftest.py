"""The ClickHouses that the exporter's tests run against: embedded, over HTTP, and a real server where Docker is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time

import pytest

from collector.component import Host
from exporters.clickhouse import ClickhouseConfig, ClickhouseExporter
from exporters.clickhouse.client import Connection, Embedded, Server
from tests.clickhouse_http import ClickhouseServer

DATABASES = ("signoz_genai", "signoz_traces", "signoz_metrics", "signoz_meter", "signoz_logs", "signoz_metadata")


class Store:
    """One ClickHouse under test: where it is, and what is in it."""

    content: str
    """The name of what it is known to hold, for tests that only read."""

    def __init__(self, dsn: str, connection: Connection) -> None:
        self.dsn = dsn
        self.connection = connection
        self.content = ""

    def rows(self, query: str) -> list[tuple]:
        return [tuple(row) for row in self.connection.rows(query)]

    def value(self, query: str) -> object:
        return self.rows(query)[0][0]

    def empty(self) -> None:
        """Forget every row, and the tokens of every insert."""
        self.content = ""
        for database, table in self.rows(
            f"SELECT database, name FROM system.tables WHERE database IN {DATABASES} AND engine LIKE '%MergeTree'"
        ):
            self.connection.command(f"TRUNCATE TABLE {database}.{table} SYNC")

    def drop(self) -> None:
        """Forget the tables too."""
        self.content = ""
        for database in DATABASES:
            self.connection.command(f"DROP DATABASE IF EXISTS {database} SYNC")


def configuration(dsn: str, schema: str = "create") -> str:
    """Return a configuration for a command, as ``--config`` takes it."""
    return f"""yaml:
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
exporters: {{clickhouse: {{dsn: "{dsn}", schema: {schema}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [clickhouse]}}}}}}
"""


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """chDB in the test's own process, which can open one folder only."""
    folder = tmp_path_factory.mktemp("chdb")
    connection = Embedded(folder)
    yield Store(f"chdb://{folder}", connection)
    connection.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickhouseServer]:
    """The test server as a process of its own."""
    started = ClickhouseServer(tmp_path_factory.mktemp("server")).start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickhouseServer]:
    """The only server of a cluster called "cluster", as SigNoz's installations name it."""
    started = ClickhouseServer(tmp_path_factory.mktemp("cluster") / "data", cluster="cluster").start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def container() -> Iterator[str]:
    """The dsn of a real server."""
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        pytest.skip("needs Docker, and there is none")
    from testcontainers.clickhouse import ClickHouseContainer  # noqa: PLC0415 - warns where there is no Docker

    with ClickHouseContainer("clickhouse/clickhouse-server:25.12", port=8123) as running:
        host, port = running.get_container_host_ip(), running.get_exposed_port(8123)
        yield f"clickhouse://{running.username}:{running.password}@{host}:{port}"


@pytest.fixture(params=["chdb", "http", pytest.param("container", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty ClickHouse, of each kind in turn."""
    if request.param == "chdb":
        found = request.getfixturevalue("embedded")
    else:
        dsn = request.getfixturevalue("server").dsn if request.param == "http" else request.getfixturevalue("container")
        found = Store(dsn, Server(dsn, 60))
    found.empty()
    return found


MakeExporter = Callable[..., ClickhouseExporter]


@pytest.fixture
def make_exporter() -> Iterator[MakeExporter]:
    """Makes started exporters and stops them after the test."""
    made: list[ClickhouseExporter] = []

    def make(dsn: str, clock: Callable[[], float] = time, **options: object) -> ClickhouseExporter:
        config = ClickhouseConfig.model_validate({"dsn": dsn, **options})
        exporter = ClickhouseExporter(config, Host("clickhouse", clock=clock, base=Path("/")))
        exporter.start()
        if exporter.greeting:
            exporter.greeting.join()
        made.append(exporter)
        return exporter

    yield make
    for exporter in made:
        exporter.stop()
