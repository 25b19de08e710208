"""A pipeline: a list of processors and a list of outlets. This screen is the engine.

consume ──> processor ──> processor ──> outlet (outbox, exporter)
                                   └──> outlet (outbox, exporter)
"""

from collections.abc import Sequence

from collector.batch import Batch
from collector.component import Consume, Processor
from collector.outbox import Outlet


class Pipeline:
    """Sends each batch through every processor, then to every outlet."""

    def __init__(self, id: str, processors: Sequence[Processor], outlets: Sequence[Outlet]) -> None:
        self.id = id
        self.processors = tuple(processors)
        self.outlets = tuple(outlets)

    def consume(self, batch: Batch) -> None:
        """Return once every outlet took what became of the batch; raise what the first one that did not raises.

        Sending the batch again is then right: an outlet that already took it recognises its id. The id is made
        this pipeline's own first, because two pipelines may make different things of one request.
        """
        batches = [batch.derive(self.id, batch.signal, batch.tables)]
        for processor in self.processors:
            batches = [result for one in batches for result in processor.process(one)]
        for outlet in self.outlets:
            outlet.put(batches)


def fan_out(consumers: Sequence[Consume]) -> Consume:
    """Return one consumer that stands for several, for a receiver that serves more than one pipeline."""
    if len(consumers) == 1:
        return consumers[0]

    def consume(batch: Batch) -> None:
        for one in consumers:
            one(batch)

    return consume
