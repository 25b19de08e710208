"""Leaving out rows of a batch, with what no other row refers to any more; other values in its columns and lists."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import MAIN_TABLE, Batch
from collector.schema import TABLES

Mask = npt.NDArray[np.bool_]
"""One truth value a row."""


def is_understood(batch: Batch) -> bool:
    """Tell whether the batch has rows, in exactly the tables that `collector.schema` declares."""
    return batch.rows > 0 and all(
        name in TABLES and table.schema.equals(TABLES[name]) for name, table in batch.tables.items()
    )


def kept(batch: Batch, keep: Mask) -> list[Batch]:
    """Return the batch with only the items to *keep*: itself when these are all, nothing when they are none.

    Resources, scopes and metrics go with the last item that refers to them. The id stays: a request that is sent
    again loses the same items again.
    """
    if keep.all():
        return [batch]
    if not keep.any():
        return []
    return [trimmed(batch.with_main(batch.main.filter(pa.array(keep))))]


def trimmed(batch: Batch) -> Batch:
    """Return the batch without the rows that no item refers to."""
    main = batch.main
    tables: dict[str, Any] = {}
    for name, table in batch.tables.items():
        column = name.removesuffix("s")
        if column in main.schema.names:
            used, place = np.unique(np.asarray(main.column(column)), return_inverse=True)
            if len(used) < table.num_rows:
                tables[name] = table.take(pa.array(used))
                main = with_column(main, column, pa.array(place.astype(np.int32)))
    return Batch(batch.id, batch.signal, {**batch.tables, **tables, MAIN_TABLE[batch.signal]: main}, batch.members)


def with_column(table: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """Return the table with other values in one column."""
    number = table.schema.get_field_index(name)
    return table.set_column(number, table.schema.field(number), values)


def with_values(lists: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """Return the lists with other *values* in them, as many as `flatten` gives of theirs."""
    offsets = pc.subtract(lists.offsets, lists.offsets[0]) if len(lists) else lists.offsets
    return pa.ListArray.from_arrays(offsets, values, type=lists.type)
