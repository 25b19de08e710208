"""Golden cases: a folder with an OTLP/JSON request and what becomes of its spans. A new folder is a new case.

`expected.json` holds the processor's `config` and, per span, the attributes `added` and the keys `removed`.
"""

import json
from pathlib import Path

import pytest

from collector.component import Host
from processors.genai import GenaiConfig, GenaiProcessor
from tests.processors.spans import attributes_of_spans, batch_from, batch_of

CASES = sorted(Path(__file__).with_name("cases").iterdir())


def processor(**config):
    return GenaiProcessor(GenaiConfig(**config), Host("genai"))


def processed(batch, **config):
    [result] = processor(**config).process(batch)
    return result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case):
    expected = json.loads((case / "expected.json").read_text())
    batch = batch_of((case / "input.json").read_bytes())
    result = processed(batch, **expected["config"])
    changes = [
        {
            "name": name,
            "added": {key: value for key, value in after.items() if key not in before or before[key] != value},
            "removed": sorted(before.keys() - after.keys()),
        }
        for name, before, after in zip(
            batch.main.column("name").to_pylist(),
            attributes_of_spans(batch),
            attributes_of_spans(result),
            strict=True,
        )
    ]

    assert expected["spans"] == changes
    assert result.main.schema.equals(batch.main.schema)
    assert result.id == batch.id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_second_pass_changes_nothing(case):
    config = json.loads((case / "expected.json").read_text())["config"]
    once = processed(batch_of((case / "input.json").read_bytes()), **config)

    assert once is processed(once, **config)


def test_current_spans_pass_as_the_same_object():
    batch = batch_from({"attributes": {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3}})

    assert batch is processed(batch)


def test_new_attributes_come_last_and_the_old_order_stays():
    batch = batch_from(
        {"attributes": {"a": 1, "gen_ai.usage.prompt_tokens": 7, "b": 2}},
        {"attributes": {"c": 3}},
        {"attributes": {}},
        {"attributes": {"gen_ai.usage.completion_tokens": 8}},
    )
    result = processed(batch, remove_originals=True)

    assert [list(span) for span in attributes_of_spans(result)] == [
        ["a", "b", "gen_ai.usage.input_tokens"],
        ["c"],
        [],
        ["gen_ai.usage.output_tokens"],
    ]


def test_a_batch_without_rows_passes():
    batch = batch_of(b'{"resourceSpans": []}')

    assert batch is processed(batch)


@pytest.mark.parametrize("side", ["request", "response"])
@pytest.mark.parametrize("vendor", ["openai.", ""])
def test_every_name_of_the_service_tier_is_read(side, vendor):
    told = {"gen_ai.operation.name": "chat", f"gen_ai.{vendor}{side}.service_tier": "priority"}
    [attributes] = attributes_of_spans(processed(batch_from({"attributes": told})))

    assert attributes[f"openai.{side}.service_tier"] == "priority"
