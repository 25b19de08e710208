"""The `attributes` and `resource` processors: write, delete, hash and convert attributes."""

from collections.abc import Iterable

import numpy as np

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Processor
from collector.matching import MatchConfig, selected
from collector.places import RESOURCES, of_items
from collector.rows import is_understood
from processors.attribute_actions.actions import Actions
from processors.attribute_actions.apply import applied


class AttributesConfig(ComponentConfig):
    """Says what happens to the attributes of which items."""

    actions: Actions
    """What is done, in this order."""
    include: MatchConfig | None = None
    """The only items it is done to; all, without it."""
    exclude: MatchConfig | None = None
    """Items it is not done to, even if `include` names them."""


class AttributesProcessor(Processor):
    """Writes, deletes, hashes and converts attributes of spans, data points and log records.

    Keys and meanings are the OpenTelemetry Collector's.
    """

    Config = AttributesConfig

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with the actions done to the items that are meant."""
        if batch.signal is Signal.ROLLUPS or not is_understood(batch):
            return [batch]
        config: AttributesConfig = self.config
        place = of_items(batch.signal)
        lists = place.lists(batch)
        new = applied(lists, config.actions, selected(batch, config.include, config.exclude))
        return [batch if new is lists else place.put(batch, new)]


class ResourceConfig(ComponentConfig):
    """Says what happens to the attributes of resources."""

    attributes: Actions
    """What is done, in this order."""


class ResourceProcessor(Processor):
    """Writes, deletes, hashes and converts attributes of resources, of every signal.

    Keys and meanings are the OpenTelemetry Collector's.
    """

    Config = ResourceConfig

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with the actions done to its resources."""
        if batch.signal is Signal.ROLLUPS or not is_understood(batch):
            return [batch]
        config: ResourceConfig = self.config
        lists = RESOURCES.lists(batch)
        new = applied(lists, config.attributes, np.ones(len(lists), dtype=bool))
        return [batch if new is lists else RESOURCES.put(batch, new)]
