"""What a component is: a class with a config, made once, started once, stopped once.

A component is one class; the class is its own factory, its `Config` is its documentation, and one entry point
in group ``genai_collector.receivers``, ``.processors``, ``.exporters`` or ``.extensions`` makes it known.

Life of a component, in four steps:

1. ``__init__(config, host)`` keeps what it is given. No threads, no files, no sockets.
2. ``start()`` opens what it needs, or raises. Exporters start before receivers.
3. work.
4. ``stop()`` releases everything. It is safe twice, and without ``start()``. Receivers stop before exporters.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any, ClassVar, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator

from collector.batch import Batch, Signal
from collector.memory import Memory, Volatile
from collector.telemetry import Metrics
from collector.units import Duration, PositiveDuration

Consume = Callable[[Batch], None]
"""Take the batch for good by returning, or raise `collector.errors.Retryable` or `collector.errors.Permanent`."""


class ComponentConfig(BaseModel):
    """Is the base of every component's config: unknown keys are mistakes, every field documents itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BatchConfig(ComponentConfig):
    """Says how neighbours in the queue travel together: one delivery carries all that waits, within these limits."""

    flush_timeout: Duration = 1.0
    """How long the oldest waiting batch may wait for others before it is delivered."""
    min_size: NonNegativeInt = 16_384
    """Items (spans, rollup rows, ...) that are delivered at once, without waiting for more."""
    max_size: NonNegativeInt = 16_384
    """Most items in one delivery, not less than ``min_size``; a single larger request still travels whole. With 0 only
    memory limits it."""

    @model_validator(mode="after")
    def _can_be_reached(self) -> "BatchConfig":
        if 0 < self.max_size < self.min_size:
            raise ValueError(f"max_size {self.max_size} is less than min_size {self.min_size}; lower min_size, too")
        return self


class SendingQueueConfig(ComponentConfig):
    """Says where batches wait for their exporter. They are on disk before the client hears "accepted"."""

    enabled: bool = True
    """Without a queue the client waits for the delivery itself, and hears of its failure."""
    storage: Literal["disk", "memory"] = "disk"
    """``memory`` is faster and forgets what waits when the process ends: only for what may be lost."""
    directory: str = "./data/outbox"
    """The folder of the queue's file. One process at a time may use it."""
    queue_size: PositiveInt = 2 * 1024**3
    """Bytes that may wait; more is refused with UNAVAILABLE until there is room again."""
    dead_letters_size: NonNegativeInt = 1024**3
    """Bytes of dead letters that are kept. Beyond that, what the other side refuses for good waits in the queue and is
    tried again, until ``genai-collector dead-letters`` makes room; 0 never makes a dead letter."""
    batch: BatchConfig = BatchConfig()
    """How much travels together."""


class RetryConfig(ComponentConfig):
    """Says how a failed delivery is tried again; a delay the server asks for is kept."""

    enabled: bool = True
    """Without it one failure makes a dead letter."""
    initial_interval: PositiveDuration = 1.0
    """The wait after the first failure."""
    max_interval: PositiveDuration = 30.0
    """The longest wait between two tries."""
    multiplier: float = Field(default=1.5, ge=1, allow_inf_nan=False)
    """How much longer each wait is than the one before; 1 keeps them as long."""
    randomization_factor: float = Field(default=0.5, ge=0, le=1)
    """Each wait is drawn from within this share around its length: 0 draws nothing, 1 is the most."""
    max_elapsed_time: Duration = 0.0
    """Give up after this long and keep the data among the dead letters; 0 never gives up."""


class ExporterConfig(ComponentConfig):
    """Is the base of every exporter's config, with the OpenTelemetry Collector's three delivery keys."""

    timeout: PositiveDuration = 30.0
    """How long one delivery may take."""
    sending_queue: SendingQueueConfig = SendingQueueConfig()
    """Where batches wait for this exporter."""
    retry_on_failure: RetryConfig = RetryConfig()
    """How a failed delivery is tried again."""


@dataclass(frozen=True)
class Host:
    """Is what the engine lends a component: who it is, where to log and count, what time it is."""

    id: str
    """The component's id in the configuration, ``type`` or ``type/name``."""
    metrics: Metrics = field(default_factory=Metrics)
    clock: Callable[[], float] = time
    """Seconds since 1970, UTC."""
    signals: frozenset[Signal] = frozenset(Signal)
    """For a receiver: the signals that a pipeline takes from it."""
    base: Path = field(default_factory=Path)
    """The folder that relative paths of the configuration start from: where the process was started."""
    memory: Memory = field(default_factory=Volatile)
    """What a processor that *remembers* keeps between batches."""

    @property
    def log(self) -> Any:
        """A logger whose lines carry the component's id; it is configured when the first of them is written."""
        return structlog.get_logger(component=self.id)


class Component(ABC):  # noqa: B024 - the kinds below have the verbs
    """Is the life that all parts share; see the module's text."""

    Config: ClassVar[type[ComponentConfig]] = ComponentConfig

    def __init__(self, config: Any, host: Host) -> None:
        self.config = config
        self.host = host

    def start(self) -> None:  # noqa: B027 - many have nothing to open
        """Open what the component needs; raise with a message for the user when it cannot."""

    def stop(self) -> None:  # noqa: B027 - nor to release
        """Release everything; safe twice and without `start`."""


class Receiver(Component):
    """Takes telemetry in and hands batches to *consume*; answers its client only after that returned."""

    def __init__(self, config: Any, host: Host, consume: Consume) -> None:
        super().__init__(config, host)
        self.consume = consume


class Processor(Component):
    """Is a function from a batch to batches that keeps nothing between calls but in `Host.memory`."""

    remembers: ClassVar[bool] = False
    """Says that what it yields depends on earlier batches: it is given one at a time, and a lasting `Host.memory`."""

    derives: ClassVar[frozenset[Signal]] = frozenset()
    """The signals of the batches that it adds to the one it is given."""

    reads: ClassVar[frozenset[str]] = frozenset()
    """The types of processors whose work it reads: where a pipeline has one of a type, one of it belongs before."""

    @abstractmethod
    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return what takes the batch's place; pass on untouched what is not understood."""


class Exporter(Component):
    """Delivers batches to somewhere else. Sending the same batch id twice must be harmless."""

    consumes: ClassVar[frozenset[Signal]] = frozenset(Signal)
    """The signals it has a use for; others never reach it."""

    Config: ClassVar[type[ComponentConfig]] = ExporterConfig

    def divide(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch in the pieces to deliver one after the other, always the same ones; by default it is one."""
        return (batch,)

    @abstractmethod
    def export(self, batch: Batch) -> None:
        """Deliver the batch whole, or raise `Retryable` or `Permanent`."""


class Extension(Component):
    """Runs beside the pipelines and touches no telemetry."""

    def ready(self) -> None:
        """Hear that every receiver takes requests now."""

    def not_ready(self) -> None:
        """Hear that the receivers are about to stop, before the first of them does."""
