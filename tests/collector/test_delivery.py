"""Delivering: how long is waited between tries, and how long poison is looked for."""

from threading import Event

import pytest

from collector.batch import Batch
from collector.component import Exporter, ExporterConfig, Host, RetryConfig
from collector.delivery import Delivery, Interrupted
from collector.errors import Permanent, Retryable
from collector.letters import DeadLetter
from tests.batches import spans


class Waits(Event):
    """Notes how long is waited, and waits for nothing; after *most* waits the collector stops."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return len(self.seconds) >= self.most


class Refusing(Exporter):
    """Takes nothing."""

    refusal: Exception
    tries = 0

    def export(self, batch: Batch) -> None:
        self.tries += 1
        raise self.refusal


def waits(refusal: Exception, most: int = 5, **retry: object) -> list[float]:
    """Return how long is waited between tries that all end in this refusal."""
    settings = {"initial_interval": 1.0, "multiplier": 2.0, "max_interval": 5.0, "randomization_factor": 0.0, **retry}
    exporter = Refusing(ExporterConfig(retry_on_failure=RetryConfig.model_validate(settings)), Host("x"))
    exporter.refusal = refusal
    stopping = Waits(most)
    with pytest.raises(Interrupted):
        Delivery(exporter, lambda letter: True, stopping).send(spans("a"))
    assert exporter.tries == most
    return stopping.seconds


def test_each_wait_is_longer_than_the_one_before_up_to_the_longest():
    assert waits(Retryable("down")) == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert waits(Retryable("down"), multiplier=1.0) == [1.0] * 5


def test_waits_are_drawn_from_around_their_length():
    drawn = waits(Retryable("down"), 200, multiplier=1.0, randomization_factor=0.25)

    assert all(0.75 <= seconds <= 1.25 for seconds in drawn)
    assert min(drawn) < 0.9
    assert max(drawn) > 1.1


def test_a_delay_that_the_server_asks_for_is_kept_and_shortens_nothing():
    assert waits(Retryable("busy", after=3.0)) == [3.0, 3.0, 4.0, 5.0, 5.0]
    assert waits(Retryable("busy", after=60.0), 3) == [60.0] * 3


def test_poison_is_not_looked_for_without_end():
    exporter = Refusing(ExporterConfig(), Host("x"))
    exporter.refusal = Permanent("no")
    letters: list[DeadLetter] = []

    def bury(letter: DeadLetter) -> bool:
        letters.append(letter)
        return True

    Delivery(exporter, bury, Event()).send(spans(*(str(number) for number in range(2000))))

    assert sum(letter.rows for letter in letters) == 2000
    assert exporter.tries < 200
