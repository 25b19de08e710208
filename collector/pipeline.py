"""A pipeline: a list of processors and a list of outlets. This screen is the engine.

consume ──> processor ──> processor ──> outlet (outbox, exporter)
                │                  └──> outlet (outbox, exporter) <── notes
                └── what it learned ──────────────────────────────────┘
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from collector.batch import UNITS, Batch, Signal
from collector.component import Consume, Host, Processor
from collector.memory import Notebook
from collector.outlet import Outlet


@dataclass
class Group:
    """Is what pipelines of one name share, whatever their signals: ``traces/a``, ``metrics/a`` and ``logs/a``.

    A processor that remembers is made once for them, so that it knows about all signals of a service.
    """

    processors: dict[str, Processor] = field(default_factory=dict)
    notebooks: dict[str, Notebook] = field(default_factory=dict)
    turn: AbstractContextManager[Any] = field(default_factory=Lock)


class Pipeline:
    """Sends each batch through every processor, then to every outlet.

    *notebooks* are those of the processors that remember. What they note is kept by the last outlet, in the same
    transaction as the batches, and only one batch at a time is then in hand of the pipelines that share a *turn*.
    """

    def __init__(
        self,
        host: Host,
        processors: Sequence[Processor],
        outlets: Sequence[Outlet],
        notebooks: Sequence[Notebook] = (),
        turn: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.id, self.metrics = host.id, host.metrics
        self.processors = tuple(processors)
        self.outlets = tuple(outlets)
        self.notebooks = tuple(notebooks)
        self._turn = (turn or Lock()) if notebooks else nullcontext()

    def consume(self, batch: Batch) -> None:
        """Return once every outlet took what became of the batch; raise what the first one that did not raises.

        Sending the batch again is then right: an outlet that already took it recognises its id. The id is made
        this pipeline's own first, because two pipelines may make different things of one request.
        """
        mine = batch.derive(self.id, batch.signal, batch.tables)
        with self._turn:
            kept = False
            try:
                kept = self._hand_on(mine)
            finally:
                for notebook in self.notebooks:
                    notebook.close(kept=kept)

    def _hand_on(self, mine: Batch) -> bool:
        """Return whether the last outlet had not taken the batch before."""
        batches = [mine]
        for processor in self.processors:
            batches = [result for one in batches for result in processor.process(one)]
        kept = new = False
        for outlet in self.outlets:
            last = outlet is self.outlets[-1]
            notes = [note for notebook in self.notebooks for note in notebook.open] if last else []
            kept = outlet.put(batches, mine.requests, notes)
            new = new or kept
        self._count_repeated(mine.signal, 0 if new else sum(one.rows for one in batches if one.signal is mine.signal))
        return kept

    def _count_repeated(self, signal: Signal, rows: int) -> None:
        """Count items that every outlet had taken before, so that nothing was stored of them."""
        self.metrics.count(f"genai_collector_repeated_{UNITS[signal]}", rows, pipeline=self.id)


def remembering_last(outlets: Sequence[Outlet]) -> list[Outlet]:
    """Return the outlets in an order in which the last one can keep notes, and has a use for what follows from them.

    That is the first one with a use for rollups, or any with a queue. A crash between two outlets then leaves the
    notes unwritten, so that the request is understood anew when it comes again.
    """
    best = max(outlets, key=lambda outlet: (outlet.lasting, Signal.ROLLUPS in outlet.exporter.consumes))
    return [*(outlet for outlet in outlets if outlet is not best), best]


def fan_out(consumers: Sequence[Consume]) -> Consume:
    """Return one consumer that stands for several, for a receiver that serves more than one pipeline."""
    if len(consumers) == 1:
        return consumers[0]

    def consume(batch: Batch) -> None:
        for one in consumers:
            one(batch)

    return consume
