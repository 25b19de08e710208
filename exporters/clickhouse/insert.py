"""Rows for one ClickHouse table: what a batch becomes before it is sent.

Columns of ClickHouse type JSON (``resource``, ``scope``) are strings of JSON text here. They must not go straight into
the table in Arrow form: ClickHouse then converts them with its default settings, so that texts like ``2024-01-02``
become dates and repeated paths are refused. ``INSERT INTO t (...) SELECT ... FROM input('..., resource String, ...')``
(``FROM Python(...)`` in chDB) converts them under the settings of the query. Columns of aggregate states, which are
the bytes of the state here, take the same way.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for one table.

    *table* is the full name, ``signoz_traces.distributed_signoz_index_v3`` for example; *rows* has exactly the
    columns of the insert. *sources* holds for each row the number of the row of ``batch.main`` that it was made
    from; it is None for side tables, whose rows may be repeated without harm. They are *lasting* if they say the same
    whenever they are stored; such rows are left out while they were stored lately. *content* names what the rows of a
    side table say, where that is not all that they hold.
    """

    table: str
    rows: pa.RecordBatch
    sources: npt.NDArray[np.int64] | None
    lasting: bool = False
    content: str = ""


@dataclass(frozen=True, slots=True)
class Unstorable:
    """Rows of ``batch.main`` for which no table has a place, and why."""

    sources: npt.NDArray[np.int64]
    reason: str
