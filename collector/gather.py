"""Letting callers that come at the same time share one piece of work.

    caller 1 ──┐
    caller 2 ──┼─ wait ──> one of them works for all that wait ──> each returns with its own result
    caller 3 ──┘

Nobody waits for company: who comes alone works alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Caller(Generic[Item, Result]):
    item: Item
    size: int
    taken: bool = False
    results: list[Result] = field(default_factory=list)
    error: BaseException | None = None
    done: Event = field(default_factory=Event)


class Gather(Generic[Item, Result]):
    """Calls *work* with the items of all callers that wait, at most *limit* in size together unless one is larger.

    *work* returns one result an item, in order; what it raises, every caller of that round raises.
    One round runs at a time.
    """

    def __init__(self, work: Callable[[list[Item]], Sequence[Result]], size: Callable[[Item], int], limit: int) -> None:
        self._work = work
        self._size = size
        self._limit = limit
        self._turn = Lock()
        self._lock = Lock()
        self._waiting: list[_Caller[Item, Result]] = []

    def __call__(self, item: Item) -> Result:
        """Return this item's result once a round with it is over."""
        caller: _Caller[Item, Result] = _Caller(item, self._size(item))
        with self._lock:
            self._waiting.append(caller)
        with self._turn:
            while not caller.taken and (callers := self._next(caller)):
                self._run(callers)
        caller.done.wait()
        if caller.error is not None:
            raise caller.error
        return caller.results[0]

    def _next(self, caller: _Caller[Item, Result]) -> list[_Caller[Item, Result]]:
        """Take the oldest callers that fit into one round; none when another round took *caller* meanwhile."""
        with self._lock:
            if caller.taken:
                return []
            count = size = 0
            for one in self._waiting:
                if count and size + one.size > self._limit:
                    break
                one.taken = True
                count, size = count + 1, size + one.size
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
            return taken

    def _run(self, callers: Sequence[_Caller[Item, Result]]) -> None:
        try:
            results = self._work([caller.item for caller in callers])
            for caller, result in zip(callers, results, strict=True):
                caller.results.append(result)
        except BaseException as error:  # whoever waits must hear of it
            for caller in callers:
                caller.error = error
        finally:
            for caller in callers:
                caller.done.set()
