import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from collector.component import Host
from collector.errors import Retryable
from collector.process import memory_bytes, resident_bytes
from collector.telemetry import Metrics
from processors.memory_limiter import MemoryLimiterConfig, MemoryLimiterProcessor
from tests.batches import spans

MIB = 1024 * 1024


class World:
    """A clock that is moved by hand, and memory that is whatever the test says."""

    def __init__(self, **config):
        self.now = 1000.0
        self.held = 0
        self.looks = 0
        self.metrics = Metrics()
        config = MemoryLimiterConfig.model_validate(config)
        host = Host("limiter", metrics=self.metrics, clock=lambda: self.now)
        self.limiter = MemoryLimiterProcessor(config, host, self.resident)

    def resident(self):
        self.looks += 1
        return None if self.held is None else self.held * MIB

    def refuses(self):
        try:
            list(self.limiter.process(spans("a", "b")))
        except Retryable:
            return True
        return False


def test_data_is_refused_between_soft_limit_and_relief():
    world = World(limit_mib=100, spike_limit_mib=30)
    told = []
    for held in (10, 70, 71, 200, 69):
        world.held = held
        world.now += 1
        told.append(world.refuses())

    assert told == [False, False, True, True, False]
    assert world.metrics.value("otelcol_processor_memory_limiter_refused_spans", processor="limiter") == 4
    assert world.metrics.value("otelcol_processor_memory_limiter_accepted_spans", processor="limiter") == 6


def test_the_log_says_when_refusing_begins_and_ends():
    world = World(limit_mib=100, spike_limit_mib=30)
    with capture_logs() as lines:
        for held in (10, 71, 200, 69, 5):
            world.held = held
            world.now += 1
            world.refuses()

    assert [(line["event"], line["held_mib"], line["log_level"]) for line in lines] == [
        ("memory is short: data is refused until less is held", 71, "warning"),
        ("data is taken again", 69, "info"),
    ]


@pytest.mark.parametrize(("held", "warnings"), [(70, 0), (71, 1)])
def test_a_limit_below_what_is_held_already_is_warned_of(held, warnings):
    world = World(limit_mib=100, spike_limit_mib=30)
    world.held = held
    with capture_logs() as lines:
        world.limiter.start()

    assert [line["log_level"] for line in lines].count("warning") == warnings


def test_memory_is_looked_at_once_an_interval():
    world = World(limit_mib=100, check_interval="5s")
    for second in range(20):
        world.now = 1000.0 + second
        world.refuses()

    assert world.looks == 4


def test_the_refusal_says_how_much_and_when_to_come_back():
    world = World(limit_mib=100, check_interval="3s")
    world.held = 90

    with pytest.raises(Retryable, match="90 MiB, above the soft limit of 80 MiB") as caught:
        world.limiter.process(spans("a"))
    assert caught.value.after == 3.0


def test_memory_is_given_back_before_anybody_is_refused(monkeypatch):
    world = World(limit_mib=100)
    world.held = 90
    monkeypatch.setattr("processors.memory_limiter._release", lambda: setattr(world, "held", 50))

    assert not world.refuses()


def test_the_real_process_is_measured(tmp_path):
    generous = MemoryLimiterProcessor(MemoryLimiterConfig(limit_percentage=100), Host("limiter"))
    mean = MemoryLimiterProcessor(MemoryLimiterConfig(limit_mib=1), Host("limiter"))

    assert generous.process(spans("a"))
    with pytest.raises(Retryable):
        mean.process(spans("a"))
    assert 10 * MIB < (resident_bytes() or 0) < (memory_bytes() or 0)
    assert resident_bytes(tmp_path) is None
    assert memory_bytes(tmp_path, tmp_path) is None


@pytest.mark.parametrize(("limit", "expected"), [("max", 2048), ("1000000", 1_000_000)])
def test_a_container_may_have_less_than_the_machine(tmp_path, limit, expected):
    (tmp_path / "meminfo").write_text("MemFree: 1 kB\nMemTotal: 2 kB\n" if limit == "max" else "MemTotal: 9999 kB\n")
    (tmp_path / "memory.max").write_text(f"{limit}\n")

    assert memory_bytes(tmp_path, tmp_path) == expected


def test_where_nobody_knows_everything_passes_and_the_log_says_so():
    world = World(limit_mib=100)
    world.held = None
    with capture_logs() as logs:
        world.limiter.start()

    assert not world.refuses()
    assert "no /proc" in logs[0]["event"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "needs limit_mib or limit_percentage"),
        ({"limit_mib": 100, "check_interval": "0s"}, "must be longer than 0s"),
        ({"limit_mib": 100, "spike_limit_mib": 100}, "must be smaller"),
        ({"limit_percentage": 50, "spike_limit_percentage": 60}, "must be smaller"),
    ],
)
def test_mistakes_are_told(config, said):
    with pytest.raises(ValidationError, match=said):
        MemoryLimiterConfig.model_validate(config)
