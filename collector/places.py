"""Where attributes stand in a batch: of items, resources and scopes, and of what is nested in an item.

    Place("spans", "events")   spans ─events──> [[event event] [event]] ─attributes──> lists
    Place("spans")             spans ─attributes──> lists

A step reads the lists of one place, makes others of the same number, and gets a batch that shares all else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from collector.batch import MAIN_TABLE, Batch, Signal
from collector.rows import with_column, with_values


@dataclass(frozen=True, slots=True)
class Place:
    """Names attribute lists: those of the rows of *table*, or of the structs in its list column *nested*."""

    table: str
    nested: str = ""
    column: str = "attributes"

    def lists(self, batch: Batch) -> pa.ListArray:
        """Return the lists that stand here."""
        found = batch.tables[self.table]
        return self.structs(batch).field(self.column) if self.nested else found.column(self.column)

    def structs(self, batch: Batch) -> pa.StructArray:
        """Return the nested structs, one after the other, whichever row they belong to."""
        return batch.tables[self.table].column(self.nested).flatten()

    def put(self, batch: Batch, lists: pa.ListArray) -> Batch:
        """Return the batch with other *lists* here."""
        table = batch.tables[self.table]
        if not self.nested:
            return with_table(batch, self.table, with_column(table, self.column, lists))
        structs = self.structs(batch)
        fields = list(structs.type)
        members = [lists if field.name == self.column else structs.field(field.name) for field in fields]
        return self.put_structs(batch, pa.StructArray.from_arrays(members, fields=fields))

    def put_structs(self, batch: Batch, structs: pa.StructArray) -> Batch:
        """Return the batch with other nested structs, as many as there were."""
        table = batch.tables[self.table]
        lists = with_values(table.column(self.nested), structs)
        return with_table(batch, self.table, with_column(table, self.nested, lists))


_OWNERS = (Place("resources"), Place("scopes"))
EVERYWHERE: Mapping[Signal, Sequence[Place]] = MappingProxyType(
    {
        Signal.TRACES: (Place("spans"), Place("spans", "events"), Place("spans", "links"), *_OWNERS),
        Signal.METRICS: (
            Place("points"),
            Place("points", "exemplars", "filtered_attributes"),
            Place("metrics", column="metadata"),
            *_OWNERS,
        ),
        Signal.LOGS: (Place("records"), *_OWNERS),
    }
)
"""Every place of a signal that holds attributes, the items' own first."""

RESOURCES = Place("resources")


def of_items(signal: Signal) -> Place:
    """Return the place of the attributes of the items themselves."""
    return EVERYWHERE[signal][0]


def with_table(batch: Batch, name: str, table: pa.RecordBatch) -> Batch:
    """Return the batch with one other table; the id stays."""
    if name == MAIN_TABLE[batch.signal]:
        return batch.with_main(table)
    return Batch(batch.id, batch.signal, {**batch.tables, name: table}, batch.members)
