"""Callers that come at the same time share one piece of work."""

from threading import Event, Thread

import pytest

from collector.gather import Gather


class Work:
    """Doubles numbers, notes its rounds, and holds the first round until it may go on."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.started, self.go_on = Event(), Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.rounds.append(items)
        self.started.set()
        assert self.go_on.wait(10)
        if 13 in items:
            raise ValueError("unlucky")
        return [2 * item for item in items]


def share(gather: Gather[int, int], items: list[int], results: dict[int, object]) -> list[Thread]:
    def call(item: int) -> None:
        try:
            results[item] = gather(item)
        except ValueError as error:
            results[item] = str(error)

    threads = [Thread(target=call, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    return threads


def wait_for(gather: Gather[int, int], count: int) -> None:
    pause = Event()
    for _ in range(1000):
        if len(gather._waiting) == count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{count} callers never came")


def gathered(items: list[int], limit: int = 100) -> tuple[list[list[int]], dict[int, object]]:
    """Let one caller work while *items* come, and return the rounds and the results."""
    work = Work()
    gather = Gather(work, lambda item: 1, limit)
    results: dict[int, object] = {}
    threads = share(gather, [1], results)
    assert work.started.wait(10)
    threads += share(gather, items, results)
    wait_for(gather, len(items))
    work.go_on.set()
    for thread in threads:
        thread.join()
    return work.rounds, results


def test_who_comes_alone_works_alone():
    work = Work()
    work.go_on.set()

    assert Gather(work, lambda item: 1, 10)(4) == 8
    assert work.rounds == [[4]]


def test_who_waits_meanwhile_goes_together_and_gets_what_is_his():
    rounds, results = gathered([2, 3, 4])

    assert [len(items) for items in rounds] == [1, 3]
    assert results == {1: 2, 2: 4, 3: 6, 4: 8}


def test_a_round_is_no_larger_than_the_limit():
    rounds, results = gathered([2, 3, 4, 5, 6], limit=2)

    assert [len(items) for items in rounds] == [1, 2, 2, 1]
    assert results == {number: 2 * number for number in range(1, 7)}


def test_an_item_larger_than_the_limit_goes_alone():
    work = Work()
    work.go_on.set()

    assert Gather(work, lambda item: 1000, 10)(4) == 8


def test_what_the_work_raises_everybody_of_the_round_hears_and_nobody_else():
    _, results = gathered([2, 13])

    assert results == {1: 2, 2: "unlucky", 13: "unlucky"}


def test_a_failed_round_does_not_stop_the_next():
    work = Work()
    work.go_on.set()
    gather = Gather(work, lambda item: 1, 10)
    with pytest.raises(ValueError, match="unlucky"):
        gather(13)

    assert gather(2) == 4
