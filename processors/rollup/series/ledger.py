"""Tables whose last changes can be taken back, each in the order in which its values were put."""

from collections.abc import Hashable
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_NONE: Any = object()


class Ledger:
    """Remembers what tables held before the batch in hand."""

    def __init__(self) -> None:
        self._old: list[tuple[dict[Any, Any], Any, Any]] = []

    def begin(self) -> None:
        """Let everything stand that was changed so far."""
        self._old.clear()

    def put(self, table: dict[K, V], key: K, value: V) -> None:
        """Let *value* stand under *key*, behind all others: the first of a table is the one put longest ago."""
        self._old.append((table, key, table.pop(key, _NONE)))
        table[key] = value

    def drop(self, table: dict[K, V], key: K) -> None:
        """Let nothing stand under *key*."""
        if key in table:
            self._old.append((table, key, table.pop(key)))

    def rollback(self) -> None:
        """Take back all changes since `begin`."""
        for table, key, value in reversed(self._old):
            if value is _NONE:
                table.pop(key, None)
            else:
                table[key] = value
        self._old.clear()
