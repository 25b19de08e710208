"""What real instrumentations wrote: redacted, nothing of what was said is left, and every number stays."""

import json
from pathlib import Path

import pytest

from collector.batch import Signal
from collector.otlp.decode import decode
from processors.genai import GenaiProcessor
from processors.redaction import RedactionProcessor
from processors.rollup import RollupProcessor
from tests.processors.items import items_of, made

CORPUS = Path(__file__).parents[2] / "corpus"
LIBRARIES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir() and list(path.glob("*/traces-1.pb")))
SAID = ("content", "messages", "input.value", "output.value", "ai.prompt", "ai.response.text", ".input", ".output")


def requests_of(library):
    paths = sorted((CORPUS / library).glob("*/traces-*.pb"))
    return [decode(Signal.TRACES, path.read_bytes()) for path in paths[:: len(paths) // 8 + 1]]


def current(batch):
    [result] = made(GenaiProcessor, {}).process(batch)
    return result


def rollups_of(batch):
    derived = [one for one in made(RollupProcessor, {}).process(batch) if one.signal is Signal.ROLLUPS]
    return [one.main.to_pylist() for one in derived]


def sentences(value):
    """Return the texts of some words in a value."""
    if isinstance(value, str):
        try:
            return sentences(json.loads(value)) if value.startswith(("[", "{")) else {value} if " " in value else set()
        except ValueError:
            return {value}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return set().union(*map(sentences, inner))


def said_in(batch):
    """Return the sentences in what ends like the names of content."""
    found = set()
    for item in items_of(batch):
        for holder in (item, *item.get("events", [])):
            for key, value in dict(holder.get("attributes", {})).items():
                if key.endswith(SAID) and not key.endswith("content_filter_results"):
                    found |= sentences(value)
    return {text for text in found if len(text) > 27}  # shorter ones are also names of agents and tools


def without_errors(items):
    """Leave out what providers answered instead: it is told as an exception too, and that is not what was said."""
    for item in items:
        item["events"] = [event for event in item.get("events", []) if event.get("name") != "exception"]
        item.pop("status_message", None)
    return items


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("action", ["mask", "drop"])
def test_nothing_said_is_left_and_every_number_stays(library, action):
    redaction = made(RedactionProcessor, {"allow_all_keys": True, "messages": {"default": action}})
    for batch in requests_of(library):
        [result] = redaction.process(batch)
        left = json.dumps(without_errors(items_of(result)), default=str, ensure_ascii=False)

        assert [text for text in said_in(batch) if json.dumps(text, ensure_ascii=False)[1:-1] in left] == []
        # Whole answers that are dropped take along what usage stands in them alone; masked ones keep it.
        told = current(result) if action == "mask" else next(iter(redaction.process(current(batch))))
        assert rollups_of(told) == rollups_of(current(batch))


def test_there_is_something_said_in_the_corpus():
    assert sum(len(said_in(batch)) for library in LIBRARIES for batch in requests_of(library)[:1]) > 20
