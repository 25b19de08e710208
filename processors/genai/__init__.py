"""The `genai` processor: recognises model calls, whoever reports them, and gives them today's attributes.

    dialects/*.yaml, mappings ──grammar──> table ──────> plan: what there is to do for a batch with these keys
                                                          │
    batch ──────────────────────────────────────────> translate ──> translation: what is added and dropped ──> batch

An example: `dialects/usage.yaml` lists `gen_ai.usage.prompt_tokens` among the places of `gen_ai.usage.input_tokens`,
which is of the kind `count`. The table lays each place out as a `Step`. A batch whose spans have that key gets a plan
with a `Work` for the input tokens, of this one step; `translate` reads it (`values` knows each kind) where a span has
no input tokens yet, and whole numbers of zero or more are added beside what was there.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Host, Processor
from collector.config.files import looked_into
from collector.units import ReadablePath
from processors.genai.grammar import Dialect
from processors.genai.legacy import write_legacy
from processors.genai.models import write_models
from processors.genai.plan import Planner, shipped_planner
from processors.genai.shipped import extended, read_own
from processors.genai.translate import translate


class GenaiConfig(ComponentConfig):
    """Says what becomes of attributes with older names."""

    emit: Literal["current", "legacy", "both"] = "current"
    """``both`` also writes OpenLLMetry's names, which older dashboards read. ``legacy`` writes those alone: `rollup`
    and `cost` do not know them, so a `genai` that says so stands behind."""
    canonical_model: bool = False
    """Also write one name for each model as `genai_collector.model`: without vendor, date and version."""
    remove_originals: bool = False
    """Drop the older attributes that were translated; otherwise they stay beside the new ones."""
    messages: bool = True
    """Also write prompts and completions as `gen_ai.input.messages` and `gen_ai.output.messages`."""
    mapping_files: tuple[Annotated[ReadablePath, looked_into(read_own)], ...] = ()
    """Files with tables of your own, in the grammar of ``mappings``; the first one wins."""
    mappings: Dialect = Dialect()
    """A table of your own, laid over ``mapping_files`` and what comes with the package; see docs/dialects.md."""


class GenaiProcessor(Processor):
    """Gives model calls the attributes of OpenTelemetry's current GenAI conventions, whoever reports them.

    Spans, log records and metric points get the current attributes beside their own; the YAML files in
    `processors/genai/dialects` are the table. What is there already is not written over, unless it cannot be used, is
    spelled otherwise than today, or is known better (the provider by the host that was called); an input total that
    leaves out cached tokens is completed. What was reported is kept under ``genai_collector.reported.*``.
    """

    Config = GenaiConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self.planner: Planner = _planner(config.mappings)

    def start(self) -> None:
        """Read the user's own tables."""
        if self.config.mapping_files:
            files = [read_own(self.host.base / path) for path in self.config.mapping_files]
            self.planner = _planner(self.config.mappings, *files)

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with the attributes that are wanted."""
        if batch.signal is Signal.ROLLUPS or not batch.rows:
            return [batch]
        config: GenaiConfig = self.config
        translation = translate(batch, self.planner, messages=config.messages, remove_originals=config.remove_originals)
        result = translation.result()
        if config.canonical_model:
            result = write_models(result, self.planner.table)
        if config.emit == "current":
            return [result]
        return [write_legacy(result, self.planner.table, alone=config.emit == "legacy")]


def _planner(*own: Dialect) -> Planner:
    tables = [table for table in own if table != Dialect()]
    return Planner(extended(tables)) if tables else shipped_planner()
