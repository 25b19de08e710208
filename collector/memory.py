"""What a processor remembers between batches, kept in the same transaction as what became of them.

    process(batch) ──> batches ──────────────┐
             └──────> note("...", until) ────┴─ one transaction ──> the client hears "accepted"
                                             └─ refused ──> undo()

Notes are a log: a processor writes down what it learned, reads everything back in `start`, and what is out of date
is forgotten. So a crash loses neither the batches without the notes nor the notes without the batches.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol


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


class Note(NamedTuple):
    """Is one thing to remember: whose it is, until when (seconds since 1970), and what."""

    owner: str
    until: float
    data: bytes


class Keeper(Protocol):
    """Is where notes are kept: an outlet."""

    def notes(self, owner: str) -> Sequence[bytes]:
        """Return what *owner* noted and is not out of date, oldest first."""


class Notebook(Memory):
    """Holds what *owner* notes about the batch in hand until the engine knows whether it is kept."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._keepers: list[Keeper] = []
        self._undos: list[Callable[[], None]] = []
        self.open: list[Note] = []
        """What was noted about the batch in hand."""

    def keep_in(self, keeper: Keeper) -> None:
        """Read back what *keeper* has, too, in `notes`."""
        if keeper not in self._keepers:
            self._keepers.append(keeper)

    def notes(self) -> Sequence[bytes]:
        """Return what was noted and is not out of date, oldest first; the keepers must have been started."""
        return [note for keeper in self._keepers for note in keeper.notes(self._owner)]

    def note(self, data: bytes, until: float) -> None:
        """Keep *data* until *until* if what becomes of the batch in hand is accepted."""
        self.open.append(Note(self._owner, until, data))

    def undo(self, action: Callable[[], None]) -> None:
        """Call *action* if what becomes of the batch in hand is refused, the last one first."""
        self._undos.append(action)

    def close(self, *, kept: bool) -> None:
        """Be done with the batch in hand: *kept* tells whether it was accepted, and its notes with it."""
        undos, self._undos, self.open = self._undos, [], []
        if not kept:
            for action in reversed(undos):
                action()
