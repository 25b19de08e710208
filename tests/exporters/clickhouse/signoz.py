"""SigNoz installations of several ages, made out of our own definitions by taking away what they did not have yet."""

import re
from collections.abc import Iterator

from exporters.clickhouse import schema
from exporters.clickhouse.attach import OWN
from exporters.clickhouse.ddl import Database, Seed, Table, View, database_of
from exporters.clickhouse.spread import Spread
from tests.exporters.clickhouse.conftest import Store

TABLES = schema.Tables(15, 30, 400, ngram_indexes=False)
LASTING = schema.Tables(20_000, 20_000, 20_000, ngram_indexes=False)
"""Tables in which nothing expires."""
_NEWEST = {"inserted_at", "created_at"}
_BODIES = {"body_v2", "body_promoted"} | _NEWEST
_YEAR_2026 = {"column_evolution_metadata", "inserted_at_unix_milli", "scope", "attributes"} | _BODIES
VERSIONS = {
    "v0.111.16": {"resource", "flags", "__normalized", "signoz_meter", "samples_agg_1d"} | _YEAR_2026,
    "v0.129.3": _YEAR_2026,
    "v0.129.13": {"scope", "attributes"} | _BODIES,
    "v0.144.4": {"attributes"} | _BODIES,
    "v0.144.6": _BODIES,
    "v0.144.7": _NEWEST,
    "HEAD": set(),
}
"""What each release lacks of the newest one."""


def install(
    store: Store,
    version: str = "HEAD",
    cluster: str = "",
    lost: tuple[str, ...] = (),
    wanted: schema.Tables = TABLES,
) -> None:
    """Make SigNoz's tables as *version* has them, without the *lost* ones (``db.table`` or ``db.table.column``)."""
    store.drop()
    lacks = VERSIONS[version]
    spread = Spread(cluster)
    definitions = [one for one in schema.definitions(wanted) if database_of(one.name) != OWN]
    tables = [one for one in definitions if isinstance(one, Table)]
    for one in definitions:
        if one.name in lost or one.name.split(".")[-1] in lacks:
            continue
        if isinstance(one, Database):
            store.connection.command(spread.database(one))
        elif isinstance(one, Table):
            store.connection.command("\n".join(_lines(one, lacks, lost)))
            twin = spread.twin(one)
            if cluster and one.name.endswith("_keys"):  # the twin that never got the newer column
                columns = ", ".join(column.text for column in one.columns.values() if column.name != "timestamp")
                twin = twin.replace(f"AS {one.name}", f"({columns})")
            if one.twin not in lost:
                store.connection.command(twin)
        elif isinstance(one, View) and _target(one) not in lost and not _mentions(one, lacks):
            store.connection.command(spread.view(one, tables))
        elif isinstance(one, Seed):
            store.connection.command(one.text)
    store.connection.command(
        "CREATE TABLE signoz_traces.schema_migrations_v2 (migration_id UInt64) ENGINE = MergeTree ORDER BY migration_id"
    )


def _lines(table: Table, lacks: set[str], lost: tuple[str, ...]) -> Iterator[str]:
    """Yield the table's statement without the columns that are not there, with SigNoz's own settings."""
    gone = lacks | {name.split(".")[2] for name in lost if name.startswith(f"{table.name}.")}
    if not table.name.startswith("signoz_metrics."):
        gone = gone - {"flags"}  # spans always had them
    text = re.sub(r",? ?non_replicated_deduplication_window = \d+", "", table.text).replace("SETTINGS \n", "\n")
    if "scope" in lacks:
        text = text.replace(", 'scope' = 3", "")
    kept = [line for line in text.removesuffix("SETTINGS").split("\n") if not _is_gone(line.strip(), gone)]
    for line, following in zip(kept, [*kept[1:], ""], strict=True):
        yield line.removesuffix(",") if following == ")" else line


def _is_gone(line: str, gone: set[str]) -> bool:
    named = re.match(r"(?:INDEX \w+ \w+\()?`?([\w$]+)`?", line)
    return bool(named and named[1] in gone)


def _mentions(view: View, lacks: set[str]) -> bool:
    return not lacks.isdisjoint(re.findall(r"\w+", view.text))


def _target(view: View) -> str:
    return re.search(r" TO ([\w.]+)", view.text)[1] if view.materialized else ""
