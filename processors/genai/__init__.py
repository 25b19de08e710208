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
    """Gives model calls the attributes of OpenTelemetry's current GenAI conventions.

    Spans of older conventions and of OpenLLMetry get the current attributes beside their own; `dialects.yaml` is
    the table. What is on a span already is not written over, unless its value cannot be used; only an input total
    that leaves out cached tokens is completed, and what was reported is kept as
    ``genai_collector.reported.input_tokens``. Spans that are current, and other signals, pass untouched.
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
