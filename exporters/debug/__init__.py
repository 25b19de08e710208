"""Shows what passes: a line per delivery, a line per item, or everything, as the Collector's debug exporter does."""

import sys
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, Literal

from pydantic import NonNegativeInt

from collector.batch import Batch
from collector.component import Exporter, ExporterConfig, Host, SendingQueueConfig
from exporters.debug.lines import long_lines, short_lines

_INTERVAL = 1.0
"""Seconds that a sample is counted for."""


_SHOW: Mapping[str, Callable[[Batch], Iterable[str]]] = {
    "basic": lambda _: (),
    "normal": short_lines,
    "detailed": long_lines,
}


class DebugQueueConfig(SendingQueueConfig):
    """Is a queue whose items may be lost: they were only to be looked at."""

    storage: Literal["disk", "memory"] = "memory"
    """``disk`` keeps them through a crash all the same."""


class DebugConfig(ExporterConfig):
    """Says how much is shown."""

    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """``basic`` shows counts, ``normal`` a line per item, ``detailed`` every field and attribute."""
    sampling_initial: NonNegativeInt = 2
    """Deliveries shown whole in each second."""
    sampling_thereafter: NonNegativeInt = 1
    """After those, every how many-th delivery of the second is shown; 0 shows no more of them."""
    use_internal_logger: bool = True
    """Write into the collector's own log; otherwise to standard output."""
    sending_queue: DebugQueueConfig = DebugQueueConfig()


class DebugExporter(Exporter):
    """Writes what it is given to the log or to standard output."""

    Config = DebugConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._sample = _Sample(config.sampling_initial, config.sampling_thereafter)

    def export(self, batch: Batch) -> None:
        """Show the batch, if it is this one's turn."""
        if not self._sample.takes(monotonic()):
            return
        counts = {name: table.num_rows for name, table in batch.tables.items()}
        details = "\n".join(_SHOW[self.config.verbosity](batch))
        if self.config.use_internal_logger:
            self.host.log.info(batch.signal.capitalize(), **counts)
            if details:
                self.host.log.info(details)
        else:
            head = " ".join([batch.signal.capitalize(), *(f"{name}={count}" for name, count in counts.items())])
            sys.stdout.write("\n".join(filter(None, (head, details))) + "\n")
            sys.stdout.flush()


class _Sample:
    """Chooses the first few of each second, and then every n-th."""

    def __init__(self, initial: int, thereafter: int) -> None:
        self._initial = initial
        self._thereafter = thereafter
        self._end = 0.0
        self._seen = 0

    def takes(self, now: float) -> bool:
        if now >= self._end:
            self._end, self._seen = now + _INTERVAL, 0
        self._seen += 1
        late = self._seen - self._initial
        return late <= 0 or (self._thereafter > 0 and late % self._thereafter == 0)
