"""The `genai` processor: recognises model calls on spans and gives them today's attributes."""

from collections.abc import Iterable

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Processor
from processors.genai.plan import shipped_planner
from processors.genai.translate import translate


class GenaiConfig(ComponentConfig):
    """Says what becomes of attributes with older names."""

    remove_originals: bool = False
    """Drop the older attributes that were translated; otherwise they stay beside the new ones."""
    messages: bool = True
    """Also write prompts and completions as `gen_ai.input.messages` and `gen_ai.output.messages`."""


class GenaiProcessor(Processor):
    """Gives model calls the attributes of OpenTelemetry's current GenAI conventions, whoever reports them.

    Spans, log records and metric points get the current attributes beside their own; the YAML files in
    `processors/genai/dialects` are the table. What is there already is not written over, unless it cannot be used, is
    spelled otherwise than today, or is known better (the provider by the host that was called); an input total that
    leaves out cached tokens is completed. What was reported is kept under ``genai_collector.reported.*``.
    """

    Config = GenaiConfig

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with current attributes on its spans."""
        if batch.signal is Signal.ROLLUPS or not batch.rows:
            return [batch]
        config: GenaiConfig = self.config
        translation = translate(
            batch, shipped_planner(), messages=config.messages, remove_originals=config.remove_originals
        )
        return [translation.result()]
