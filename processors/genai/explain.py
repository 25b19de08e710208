"""The command ``explain-mapping``: which rule gives a span which attribute, and the table of all rules."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from collector.attributes import attributes_of
from collector.batch import Batch, Signal
from collector.command import load_named, made, naming
from collector.config.text import write
from collector.otlp.decode import decode
from collector.otlp.json import from_json
from collector.values import as_texts
from processors.genai import GenaiProcessor
from processors.genai.plan import Planner, shipped_planner
from processors.genai.table import Dialects
from processors.genai.translate import translate


@click.command(name="explain-mapping")
@naming
@click.option(
    "--file",
    "path",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="An OTLP request: JSON or protobuf; - is stdin.",
)
@click.option(
    "--signal", type=click.Choice(["traces", "metrics", "logs"]), default="traces", help="What the request is."
)
@click.pass_context
def explain_mapping(
    context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...], path: Path | None, signal: str
) -> None:
    """Show which rule of the table of dialects gives which attribute.

    With a request (--file, or JSON on stdin): what each span gets, and why. Without one: the table. With --config, the
    tables of its genai processor count too.
    """
    planner = _planner(context, sources, overrides)
    data = _data(path)
    if not data.strip():
        click.echo(write(_table(planner.table)).rstrip())
        return
    kind = Signal(signal)
    batch = decode(kind, from_json(kind, data) if data.lstrip()[:1] == b"{" else data)
    for line in _explained(batch, planner):
        click.echo(line)


def _planner(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> Planner:
    """Return what the first `genai` of the configuration goes by, or the shipped table where none is named."""
    if not sources and not (context.obj and context.obj[0]):
        return shipped_planner()
    processors = made(load_named(context, sources, overrides), GenaiProcessor)
    for processor in processors[:1]:
        processor.start()
    return processors[0].planner if processors else shipped_planner()


def _data(path: Path | None) -> bytes:
    if path is None or str(path) == "-":
        return b"" if path is None and sys.stdin.isatty() else sys.stdin.buffer.read()
    return path.read_bytes()


def _table(table: Dialects) -> dict[str, list[str]]:
    """Return the places each attribute of today is read from, best first."""
    found = {}
    for name, target in table.attributes.items():
        rules = [str(step) for step in table.steps_of(name)]
        rules += [f"event {event.name}, {event.key}" for event in target.events]
        rules += [f"{rule.prefix}.N.*" for rule in table.messages if rule.target == name]
        found[name] = rules
    return found


def _explained(batch: Batch, planner: Planner) -> Iterator[str]:
    """Yield a line per item, and one per attribute that it got or lost."""
    translation = translate(batch, planner, messages=True, remove_originals=False, explained=True)
    whys: dict[tuple[int, str], str] = {}
    for rows, key, why in translation.told or ():
        whys |= {(row, key): why for row in rows.tolist()}
    before, after = _texts(batch), _texts(translation.result())
    names = batch.column("name").to_pylist() if batch.signal is Signal.TRACES else [batch.signal] * batch.rows
    scopes = batch.column("scope").to_pylist()
    for row, (name, old, new) in enumerate(zip(names, before, after, strict=True)):
        yield f"{name}  ({translation.scopes[scopes[row]] or 'no scope'})"
        changed = {key: text for key, text in new.items() if old.get(key) != text}
        for key, text in changed.items():
            why = whys.get((row, key), "as it was reported" if ".reported." in key else "the table")
            yield f"  {key} = {_short(text)}\n      from {why}"
        if not changed:
            yield "  nothing to add"


def _texts(batch: Batch) -> list[dict[str, str]]:
    """Return each item's attributes as text."""
    attributes = attributes_of(batch)
    members = attributes.members
    texts = as_texts(members).to_pylist()
    keys = attributes.flat.field("key").to_pylist()
    return [
        dict(zip(keys[start : start + length], map(str, texts[start : start + length]), strict=True))
        for start, length in zip(attributes.starts.tolist(), attributes.lengths.tolist(), strict=True)
    ]


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."
