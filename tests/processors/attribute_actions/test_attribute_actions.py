import pytest
from pydantic import ValidationError

from collector.batch import Signal
from processors.attribute_actions import AttributesProcessor, ResourceProcessor
from tests.processors.items import batch_of_items, cases, items_of, made, run_case


@pytest.mark.parametrize("case", cases(__file__), ids=lambda case: case.stem)
def test_golden_case(case):
    told, expected = run_case(case, AttributesProcessor)

    assert told == expected


def test_nothing_to_change_passes_as_the_same_object():
    batch = batch_of_items(Signal.TRACES, [{"attributes": {"a": 1}}])
    processor = made(AttributesProcessor, {"actions": [{"key": "b", "action": "delete"}]})

    assert next(iter(processor.process(batch))) is batch


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.METRICS, Signal.LOGS])
def test_resources_of_every_signal_change(signal):
    batch = batch_of_items(signal, [{"resource": {"a": 1, "b": 2}, "attributes": {"b": 1}}, {"resource": {"c": 3}}])
    actions = [{"key": "b", "action": "delete"}, {"key": "zone", "action": "upsert", "value": "z"}]
    [result] = made(ResourceProcessor, {"attributes": actions}).process(batch)

    assert items_of(result) == [
        {"resource": {"a": 1, "zone": "z"}, "attributes": {"b": 1}},
        {"resource": {"c": 3, "zone": "z"}},
    ]
    assert result.id == batch.id


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"action": "insert", "value": 1}, "needs a key"),
        ({"action": "delete"}, "needs a key or a pattern"),
        ({"key": "a", "action": "insert"}, "needs a value"),
        ({"key": "a", "action": "insert", "value": 1, "from_attribute": "b"}, "leave one out"),
        ({"key": "a", "action": "upsert", "from_context": "metadata.x"}, "from_context is not supported"),
        ({"key": "a", "action": "delete", "value": 1}, "does not use value"),
        ({"key": "a", "action": "extract", "pattern": "(x)"}, "group without a name"),
        ({"key": "a", "action": "extract", "pattern": "x"}, "has no group"),
        ({"key": "a", "action": "extract", "pattern": "(?=x)"}, "invalid perl operator"),
        ({"key": "a", "action": "hash", "pattern": "("}, "missing"),
        ({"key": "a", "action": "convert"}, "needs converted_type"),
        ({"key": "a", "action": "insert", "value": 2**64}, "cannot be an attribute value"),
    ],
)
def test_mistakes_are_told(action, said):
    with pytest.raises(ValidationError, match=said):
        AttributesProcessor.Config.model_validate({"actions": [action]})


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ({"match_type": "strict"}, "names nothing to match"),
        ({"match_type": "strict", "span_kinds": ["client"]}, "is no span kind"),
        ({"match_type": "regexp", "span_names": ["("]}, "missing"),
        ({"match_type": "regexp", "resources": [{"key": "a", "value": 1}]}, "put it in quotes"),
    ],
)
def test_mistakes_of_include_are_told(include, said):
    with pytest.raises(ValidationError, match=said):
        AttributesProcessor.Config.model_validate({"include": include, "actions": [{"key": "a", "action": "delete"}]})
