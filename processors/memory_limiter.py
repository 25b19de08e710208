"""The `memory_limiter` processor: refuses data for a while when the process holds too much memory."""

import gc
from collections.abc import Callable, Iterable
from math import inf
from threading import Lock

import pyarrow as pa
from pydantic import Field, model_validator

from collector.batch import UNITS, Batch, Signal
from collector.component import ComponentConfig, Host, Processor
from collector.errors import Retryable
from collector.process import memory_bytes, resident_bytes
from collector.units import Duration

_MIB = 1024 * 1024


class MemoryLimiterConfig(ComponentConfig):
    """Says how much memory the process may hold. Above the soft limit, hard minus spike, data is refused."""

    check_interval: Duration = 1.0
    """How often memory is looked at, at most."""
    limit_mib: int = Field(0, ge=0)
    """The hard limit in MiB; wins over `limit_percentage`."""
    spike_limit_mib: int = Field(0, ge=0)
    """How far below the hard limit the soft one is, in MiB; 0 is a fifth of the hard limit."""
    limit_percentage: int = Field(0, ge=0, le=100)
    """The hard limit in percent of the container's limit, or of the machine's memory."""
    spike_limit_percentage: int = Field(0, ge=0, le=100)
    """How far below the hard limit the soft one is, in percent of the same."""
    min_gc_interval_when_soft_limited: Duration = 10.0
    """The least time between two attempts to give memory back while data is refused, below the hard limit."""
    min_gc_interval_when_hard_limited: Duration = 0.0
    """The same above the hard limit."""

    @model_validator(mode="after")
    def _limits_fit(self) -> "MemoryLimiterConfig":
        if not self.limit_mib and not self.limit_percentage:
            raise ValueError("needs limit_mib or limit_percentage")
        if not self.check_interval:
            raise ValueError("check_interval must be longer than 0s; 1s is a good one")
        if self.limit_mib and self.spike_limit_mib >= self.limit_mib:
            raise ValueError("spike_limit_mib must be smaller than limit_mib")
        if not self.limit_mib and self.spike_limit_percentage >= self.limit_percentage:
            raise ValueError("spike_limit_percentage must be smaller than limit_percentage")
        return self


class MemoryLimiterProcessor(Processor):
    """Refuses data while the process holds more memory than the soft limit; clients hear UNAVAILABLE and try again.

    What was accepted waits on disk, not in memory, so this is a last resort: the receivers' sizes and workers and the
    outbox's `queue_size` bound what is used. Put it first in a pipeline.
    """

    Config = MemoryLimiterConfig

    def __init__(
        self, config: MemoryLimiterConfig, host: Host, resident: Callable[[], int | None] = resident_bytes
    ) -> None:
        super().__init__(config, host)
        self._resident = resident
        self._lock = Lock()
        self._checked = self._released = -inf
        self._held = 0
        self._hard, self._soft = _limits(config)
        self._refuses = False

    def start(self) -> None:
        """Say so where the system does not tell how much memory is held."""
        held = self._resident()
        if held is None or self._hard is None:
            self.host.log.warning("memory is not limited: this system has no /proc to read it from")
        else:
            self.host.log.info(
                "memory is limited; most is bounded by the receivers' sizes and the outbox's sending_queue.queue_size",
                soft_limit_mib=self._soft // _MIB,
                hard_limit_mib=self._hard // _MIB,
            )
            if held > self._soft:
                self.host.log.warning(
                    "the limit is below what the process holds already: everything will be refused",
                    held_mib=held // _MIB,
                    soft_limit_mib=self._soft // _MIB,
                    hint="raise limit_mib, or lower spike_limit_mib",
                )

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch, or raise `Retryable`."""
        held = self._look()
        refused = self._hard is not None and held > self._soft
        self._tell(refused, held)
        if batch.signal is not Signal.ROLLUPS:
            name = f"otelcol_processor_memory_limiter_{'refused' if refused else 'accepted'}_{UNITS[batch.signal]}"
            self.host.metrics.count(name, batch.rows, processor=self.host.id)
        if refused:
            raise Retryable(
                f"memory in use is {held // _MIB} MiB, above the soft limit of {self._soft // _MIB} MiB; "
                "send less at a time, or raise memory_limiter's limit_mib",
                after=self.config.check_interval,
            )
        return [batch]

    def _tell(self, refused: bool, held: int) -> None:
        """Log when refusing begins and when it ends."""
        with self._lock:
            changed, self._refuses = refused != self._refuses, refused
        if changed:
            mib = {"held_mib": held // _MIB, "soft_limit_mib": self._soft // _MIB}
            if refused:
                self.host.log.warning("memory is short: data is refused until less is held", **mib)
            else:
                self.host.log.info("data is taken again", **mib)

    def _look(self) -> int:
        """Return the bytes held, looked up when the last look is too old; give memory back when it is too much."""
        with self._lock:
            now = self.host.clock()
            if not 0 <= now - self._checked < self.config.check_interval:
                self._checked = now
                self._held = self._resident() or 0
                if self._held > self._soft and now - self._released >= self._patience():
                    self._released = now
                    _release()
                    self._held = self._resident() or 0
            return self._held

    def _patience(self) -> float:
        config: MemoryLimiterConfig = self.config
        over = self._hard is not None and self._held > self._hard
        return config.min_gc_interval_when_hard_limited if over else config.min_gc_interval_when_soft_limited


def _limits(config: MemoryLimiterConfig) -> tuple[int | None, int]:
    """Return the hard and the soft limit in bytes; no hard one where it is a share of nobody knows what."""
    if config.limit_mib:
        hard = config.limit_mib * _MIB
        return hard, hard - (config.spike_limit_mib * _MIB or hard // 5)
    total = memory_bytes()
    if total is None:
        return None, 0
    hard = total * config.limit_percentage // 100
    return hard, hard - (total * config.spike_limit_percentage // 100 or hard // 5)


def _release() -> None:
    """Give back to the system what nobody uses: otherwise what was held once would count for ever."""
    gc.collect()
    pa.default_memory_pool().release_unused()
