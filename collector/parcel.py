"""A parcel: neighbours of one signal that travel together, chosen while they wait and joined when they are sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from collector.batch import Batch, concat
from collector.journal import Entry

PARCEL_BYTES = 12 * 1024**2
"""Bytes of memory after which a parcel is full, whatever its number of items."""


@dataclass(slots=True)
class Queue:
    """Holds what waits of one signal, oldest first."""

    entries: list[Entry] = field(default_factory=list)
    rows: int = 0
    memory: int = 0
    since: float = 0.0

    def add(self, entry: Entry) -> None:
        """Put an entry last."""
        if not self.entries:
            self.since = monotonic()
        self.entries.append(entry)
        self.rows += entry.rows
        self.memory += entry.memory

    def first(self, max_rows: int) -> list[Entry]:
        """Return the oldest entries that make one parcel; they go on waiting until they are removed."""
        count = rows = memory = 0
        for entry in self.entries:
            many = max_rows and rows + entry.rows > max_rows
            if count and (many or memory + entry.memory > PARCEL_BYTES):
                break
            count, rows, memory = count + 1, rows + entry.rows, memory + entry.memory
        return self.entries[:count]

    def remove(self, entries: Sequence[Entry]) -> None:
        """Remove what `first` returned."""
        self.entries = self.entries[len(entries) :]
        self.rows -= sum(entry.rows for entry in entries)
        self.memory -= sum(entry.memory for entry in entries)
        self.since = monotonic()


def joined(name: str, members: Sequence[tuple[int, Batch]]) -> list[Batch]:
    """Return the batches of a parcel as one, or as one for each set of columns where they differ.

    They do when a version before or a processor left something out. The same members always give the same names:
    *name* where all are alike, else one made of the number of each first member. Then none is *name* alone, so that
    what is left should a member become unreadable never goes under a name that other rows went under.
    """
    groups: list[list[tuple[int, Batch]]] = []
    for number, batch in members:
        group = next((group for group in groups if _alike(group[0][1], batch)), None)
        if group is None:
            groups.append([(number, batch)])
        else:
            group.append((number, batch))
    names = [name] if len(groups) == 1 else [f"{name}-{group[0][0]}" for group in groups]
    return [concat(one, [batch for _, batch in group]) for one, group in zip(names, groups, strict=True)]


def _alike(one: Batch, other: Batch) -> bool:
    """Return whether two batches have the same tables with the same columns."""
    if one.tables.keys() != other.tables.keys():
        return False
    return all(table.schema.equals(other.tables[name].schema) for name, table in one.tables.items())
