"""Running the statements of `queries` over the corpus."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from exporters.clickhouse.client import Server
from tests.clickhouse_http import ClickhouseServer
from tests.exporters.clickhouse import corpus
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.signoz import LASTING, install

QUERIES = Path(__file__).parent / "queries"

Answer: TypeAlias = list[tuple[Any, ...]]


def names_of(signal: str) -> list[str]:
    """Return the names of a signal's statements."""
    return sorted(path.stem for path in (QUERIES / signal).glob("*.sql"))


def near(rows: Answer) -> Answer:
    """Return rows that are equal to others whose fractions differ by a rounding."""
    return [tuple(pytest.approx(value) if isinstance(value, float) else value for value in row) for row in rows]


class Corpus:
    """A ClickHouse that holds the corpus, stored by the exporter itself."""

    def __init__(self, store: Store, make_exporter: MakeExporter, **options: object) -> None:
        self.store = store
        if store.content != "corpus":
            store.empty()
            exporter = make_exporter(store.dsn, retention=20_000, **options)
            for signal in corpus.REQUESTS:
                exporter.export(corpus.batch(signal))
            store.content = "corpus"

    def answer(self, signal: str, name: str, twins: str) -> Answer:
        """Return the rows that a statement answers over the twins, or over the tables themselves."""
        text = (QUERIES / signal / f"{name}.sql").read_text()
        assert ".distributed_" in text
        return self.store.rows(text if twins == "distributed" else text.replace(".distributed_", "."))


@contextmanager
def installed(cluster: ClickhouseServer) -> Iterator[Store]:
    """Yield SigNoz's tables as SigNoz makes them: their twins are Distributed over the servers of a cluster."""
    store = Store(cluster.dsn, Server(cluster.dsn, 60))
    install(store, cluster="cluster", wanted=LASTING)
    yield store
    store.drop()
