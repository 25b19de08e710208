"""Rollup rows as ClickHouse stores them: the same columns, the same names."""

import numpy as np

from collector.batch import Batch
from exporters.clickhouse.insert import Insert

TABLE = "signoz_genai.distributed_rollup_1m"


def rollup_inserts(batch: Batch, _now: float) -> list[Insert]:
    """Return the one insert that stores a batch of signal ROLLUPS; its rows do not tell when that was."""
    return [Insert(TABLE, batch.main, np.arange(batch.rows))]
