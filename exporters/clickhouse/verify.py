"""Whether a ClickHouse is as this version wants it: everything that is wrong, and what to do about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporters.clickhouse import schema
from exporters.clickhouse.attach import Installation, look
from exporters.clickhouse.catalog import Catalog
from exporters.clickhouse.client import INSERT_SETTINGS, Connection
from exporters.clickhouse.ddl import Table, squeezed
from exporters.clickhouse.schema import Outlook, Tables

_APPLY = "run `genai-collector schema apply`"
_MIGRATE = "run SigNoz's schema migrator"


@dataclass(frozen=True, slots=True)
class Fault:
    """Is one thing that is not as it should be."""

    text: str
    hint: str
    serious: bool = True
    """False where data is stored all the same, only less well."""

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}"


def verify_created(connection: Connection, tables: Tables) -> list[Fault]:
    """Return what is wrong in a ClickHouse whose tables are ours."""
    found = schema.outlook(connection, tables)
    return [*_own_faults(found), *_setting_faults(connection)]


def verify_attached(connection: Connection, tables: Tables) -> list[Fault]:
    """Return what is wrong in a SigNoz installation, and with our own database in it."""
    found = look(connection, tables)
    return [
        *(Fault(f"{what} is missing", _MIGRATE) for what in found.lacks),
        *(
            Fault(f"{what} is not in this version of SigNoz", "what belongs there is left out", serious=False)
            for what in found.absent
            if f"table {what}" not in found.lacks
        ),
        *_type_faults(found.tables, found.catalog, _MIGRATE),
        *_forgetful_faults(found),
        *_own_faults(found.own),
        *_setting_faults(connection),
    ]


def _own_faults(found: Outlook) -> Iterator[Fault]:
    for conflict in found.conflicts:
        yield Fault(conflict, schema.CURE)
    for step in found.steps:
        yield Fault(step.why, _APPLY)
    yield from _type_faults(found.wanted.tables, found.catalog, "copy its rows into a new table, or drop it")


def _type_faults(tables: Sequence[Table], catalog: Catalog, hint: str) -> Iterator[Fault]:
    for table in tables:
        for name, column in table.columns.items():
            type_ = catalog.column(table.name, name)
            if type_ is not None and squeezed(type_) != squeezed(column.type):
                yield Fault(f"table {table.name}: column {name} is {type_}, not {column.type}", hint, serious=False)


def _forgetful_faults(found: Installation) -> Iterator[Fault]:
    for table in found.forgetful:
        setting, value = found.own.wanted.spread.window(table)
        yield Fault(
            f"table {table.name} forgets deliveries: one that comes again is stored twice",
            f"for exactly once run: ALTER TABLE {table.name} MODIFY SETTING {setting} = {value}",
            serious=False,
        )


def _setting_faults(connection: Connection) -> Iterator[Fault]:
    """Yield the settings of inserts that the user may not choose."""
    chosen = ", ".join(f"'{name}'" for name in INSERT_SETTINGS)
    found = {
        name: (value, bool(fixed))
        for name, value, fixed in connection.rows(
            f"SELECT name, value, readonly FROM system.settings WHERE name IN ({chosen})"
        )
    }
    for name, wanted in INSERT_SETTINGS.items():
        value, fixed = found.get(name, (None, False))
        if value is None:
            yield Fault(f"setting {name} is not known to this ClickHouse", "upgrade it")
        elif fixed and value != wanted:
            yield Fault(f"setting {name} is {value} and fixed", f"let the user set it to {wanted}")
