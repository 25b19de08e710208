"""What metrics are called and what they mean in SigNoz's tables, made once per distinct metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exporters.clickhouse.columns import Ints, coded
from exporters.clickhouse.metrics.parts import PARTS, PARTS_OF, SKETCH, Part

TEMPORALITIES = ("Unspecified", "Delta", "Cumulative")
"""SigNoz's words for the aggregation temporality, by OTLP's number."""

_UNSPECIFIED, _CUMULATIVE = TEMPORALITIES.index("Unspecified"), TEMPORALITIES.index("Cumulative")


@dataclass(frozen=True, slots=True)
class Definition:
    """What the tables say of one part of a metric; *metric_unit* is the unit of the whole."""

    name: str = ""
    description: str = ""
    unit: str = ""
    metric_unit: str = ""
    type: str = ""
    is_monotonic: bool = False
    temporality: str = ""


@dataclass(frozen=True, slots=True)
class Definitions:
    """The definitions of a batch's metrics: ``all[metric * len(PARTS) + part]``.

    ``numbers[row]`` is the number of a row of the metrics among the distinct ones, which have these *types*.
    """

    numbers: Ints
    types: Sequence[str]
    all: Sequence[Definition]

    def column(self, field: str, chosen: Ints) -> pa.DictionaryArray:
        """Return one text of the chosen definitions."""
        return coded(chosen, [getattr(one, field) for one in self.all])

    def monotonic(self, chosen: Ints) -> pa.BooleanArray:
        """Return whether the chosen definitions only grow."""
        return pa.array(np.array([one.is_monotonic for one in self.all], np.bool_)[chosen])


def definitions(metrics: pa.RecordBatch) -> Definitions:
    """Return what the rows of *metrics* mean."""
    texts = [pc.dictionary_encode(metrics.column(name)).indices for name in ("name", "description", "unit", "type")]
    flags = [metrics.column(name).cast(pa.int64()) for name in ("aggregation_temporality", "is_monotonic")]
    # A temporality that OTLP does not know is as good as none.
    known = pc.if_else(pc.is_in(flags[0], pa.array(range(len(TEMPORALITIES)))), flags[0], _UNSPECIFIED)
    numbers, first = numbered(*(np.asarray(column).astype(np.int64) for column in (*texts, known, flags[1])))
    rows = metrics.select(["name", "description", "unit", "type", "is_monotonic"]).take(pa.array(first)).to_pylist()
    temporalities = np.asarray(known)[first].tolist()
    found = [
        _definition(row, temporality, part)
        for row, temporality in zip(rows, temporalities, strict=True)
        for part in range(len(PARTS))
    ]
    return Definitions(numbers, [row["type"] for row in rows], found)


def numbered(*columns: npt.NDArray[np.int64]) -> tuple[Ints, Ints]:
    """Return the number of each row's values among the distinct ones, and the first row of each of these.

    The values are not negative, and no two columns have so many that their pairs could not be counted.
    """
    numbers = columns[0]
    for column in columns[1:]:
        numbers = _encoded(numbers * (int(column.max(initial=0)) + 1) + column)
    numbers = _encoded(numbers)
    first = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
    first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return numbers, first


def _encoded(numbers: Ints) -> Ints:
    return np.asarray(pc.dictionary_encode(pa.array(numbers)).indices).astype(np.int64)


def _definition(metric: dict[str, Any], temporality: int, number: int) -> Definition:
    """Return what the part called *number* of this metric means; an empty one for a part that its type lacks."""
    part: Part = PARTS[number]
    if number not in PARTS_OF.get(metric["type"], ()) and number != SKETCH:
        return Definition()
    temporality = _CUMULATIVE if metric["type"] == "summary" else temporality
    return Definition(
        name=metric["name"] + part.suffix,
        description=metric["description"],
        unit=metric["unit"] if part.unit is None else part.unit,
        metric_unit=metric["unit"],
        type=part.type,
        is_monotonic=metric["is_monotonic"] if part.monotonic is None else part.monotonic,
        temporality=TEMPORALITIES[temporality if part.temporal else _UNSPECIFIED],
    )
