"""What a processor remembers between batches, kept in the same transaction as what became of them.

    process(batch) ──> batches ──────────────┐
             └──────> note("...", until) ────┴─ one transaction ──> the client hears "accepted"
                                             └─ refused ──> undo()

Notes are a log: a processor writes down what it learned, reads everything back in `start`, and what is out of date
is forgotten. So a crash loses neither the batches without the notes nor the notes without the batches.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence


class Memory(ABC):
    """Is the memory of one processor, `Host.memory`; only one batch at a time is in hand of those who have one."""

    @abstractmethod
    def notes(self) -> Sequence[bytes]:
        """Return what was noted and is not out of date, oldest first."""

    @abstractmethod
    def note(self, data: bytes, until: float) -> None:
        """Keep *data* until *until*, in seconds since 1970, if what becomes of the batch in hand is accepted."""

    @abstractmethod
    def undo(self, action: Callable[[], None]) -> None:
        """Call *action* if what becomes of the batch in hand is refused: then nothing was learned from it."""


class Volatile(Memory):
    """Forgets everything when the process ends: for tests, and where nothing durable takes the batches."""

    def __init__(self) -> None:
        self._notes: list[bytes] = []

    def notes(self) -> Sequence[bytes]:
        """Return what was noted."""
        return tuple(self._notes)

    def note(self, data: bytes, until: float) -> None:  # noqa: ARG002 - it ends with the process
        """Keep *data*."""
        self._notes.append(data)

    def undo(self, action: Callable[[], None]) -> None:
        """Do nothing."""
