"""The `redaction` processor: deletes attributes, masks values, and edits what models were told and what they said."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import attributes_of
from collector.batch import Batch, Signal
from collector.component import Host, Processor
from collector.places import EVERYWHERE, Place
from collector.rows import is_understood, with_column
from processors.redaction.config import RedactionConfig
from processors.redaction.redactor import Redactor
from processors.redaction.summary import of_attributes, of_bodies


class RedactionProcessor(Processor):
    """Deletes attributes, masks values, and edits prompts and answers part by part.

    It looks at attributes of spans, span events and links, data points and their exemplars, log records, resources and
    scopes, and at the bodies of log records. `messages` alone changes nothing but content: models and all other
    attributes stay. Token counts are never masked, whatever is blocked.
    """

    Config = RedactionConfig

    def __init__(self, config: RedactionConfig, host: Host) -> None:
        super().__init__(config, host)
        self._redactor = Redactor(config)

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch redacted."""
        if batch.signal is Signal.ROLLUPS or not is_understood(batch):
            return [batch]
        made = self._with_bodies(batch) if batch.signal is Signal.LOGS else batch
        for place in EVERYWHERE[batch.signal]:
            made = self._at(place, made)
        return [made]

    def _at(self, place: Place, batch: Batch) -> Batch:
        lists = place.lists(batch)
        if not len(lists.flatten()):
            return batch
        done = self._redactor.redacted(lists, self._events(place, batch))
        new = of_attributes(done, self._redactor.config.summary)
        return batch if new is lists else place.put(batch, new)

    def _events(self, place: Place, batch: Batch) -> Sequence[str | None]:
        """Return the names of the events that the lists of a place belong to."""
        if place.nested == "events":
            names: list[str | None] = place.structs(batch).field("name").to_pylist()
            return names
        return _record_events(batch) if place.table == "records" else ()

    def _with_bodies(self, batch: Batch) -> Batch:
        bodies = batch.main.column("body")
        new, rows = self._redactor.bodies(bodies, _record_events(batch))
        if not len(rows):
            return batch
        made = batch.with_main(with_column(batch.main, "body", new))
        place = EVERYWHERE[Signal.LOGS][0]
        return place.put(made, of_bodies(place.lists(made), rows, self._redactor.config.summary))


def _record_events(batch: Batch) -> list[str | None]:
    """Return the event name of each log record: its own, or that of the attribute of earlier days."""
    [places] = attributes_of(batch).locate(["event.name"])
    own = batch.main.column("event_name")
    told = pc.if_else(pc.equal(own, ""), attributes_of(batch).strings(places), own)
    names: list[str | None] = told.cast(pa.string()).to_pylist()
    return names
