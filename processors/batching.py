"""The `batch` processor: accepted so that existing files load; batching is done elsewhere."""

from collections.abc import Iterable

from pydantic import Field

from collector.batch import Batch
from collector.component import ComponentConfig, Processor
from collector.units import Duration


class BatchConfig(ComponentConfig):
    """Says in the OpenTelemetry Collector how batches are made; has no effect here."""

    send_batch_size: int = Field(8192, ge=0)
    """Without effect; the exporter's `sending_queue.batch.min_size`."""
    timeout: Duration = 0.2
    """Without effect; the exporter's `sending_queue.batch.flush_timeout`."""
    send_batch_max_size: int = Field(0, ge=0)
    """Without effect; the exporter's `sending_queue.batch.max_size`."""
    metadata_keys: tuple[str, ...] = ()
    """Without effect."""
    metadata_cardinality_limit: int = Field(1000, ge=0)
    """Without effect."""


class BatchProcessor(Processor):
    """Passes everything on as it is: each exporter makes batches of what waits in its outbox, after it is safe on disk.

    A batch made here would have to be kept in memory after its client heard "accepted".
    """

    Config = BatchConfig

    def start(self) -> None:
        """Say where the work is done."""
        self.host.log.info(
            "the batch processor passes everything on: batches are made by each exporter, see sending_queue.batch there"
        )

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch."""
        return [batch]
