"""Whatever a span holds under the names of the table, it passes: nothing raises, and a second pass changes nothing."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.component import Host
from processors.genai import GenaiConfig, GenaiProcessor
from processors.genai.shipped import shipped
from tests.processors.spans import attributes_of_spans, batch_from

TABLE = shipped()
STEPS = [step for name in TABLE.attributes for step in TABLE.steps_of(name)]
NUMBERED = [
    f"{rule.prefix}.{number}.{re.sub('#', '0', field)}"
    for rule in TABLE.messages
    for field in rule.fields
    for number in (0, 1)
]
KEYS = sorted({step.key for step in STEPS} | TABLE.attributes.keys()) + NUMBERED
PARTS = {part for step in STEPS for path in (step.path or (), *step.accounts, *step.names) for part in path}
MEMBERS = sorted(PARTS | {"role", "content", "type", "text", "parts"})
WORDS = sorted({word for target in TABLE.attributes.values() for word in target.values if "*" not in word})

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(WORDS)
    | st.just("\ud83d")
)
TREES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner), max_leaves=12
)
DOCUMENTS = TREES.map(json.dumps) | TREES.map(repr).filter(lambda text: text.isascii())
TEXTS = st.text(max_size=8) | st.sampled_from(WORDS) | DOCUMENTS
VALUES = (
    TEXTS
    | st.integers(-3, 2**63 - 1)
    | st.floats(width=32)
    | st.booleans()
    | st.none()
    | st.lists(TEXTS | st.integers(0, 9), max_size=3)
)
SCOPES = sorted({rule.scope.replace("*", "x") for rule in TABLE.spans if not rule.having} | {"ai"})
NAMES = sorted({rule.name.replace("*", "x") for rule in TABLE.spans})
EVENTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*sorted(TABLE.events), *sorted(TABLE.chunk_events), "exception"]),
        "timeUnixNano": st.just("1700000000100000000"),
        "attributes": st.lists(
            st.tuples(
                st.sampled_from(["gen_ai.prompt", "content", "message", "role", "exception.stacktrace"]), TEXTS
            ).map(lambda pair: {"key": pair[0], "value": {"stringValue": pair[1]}}),
            max_size=3,
            unique_by=lambda pair: pair["key"],
        ),
    }
)
SPANS = st.fixed_dictionaries(
    {
        "attributes": st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
        "name": st.sampled_from(NAMES),
        "events": st.lists(EVENTS, max_size=3),
        "status": st.sampled_from([{}, {"code": 2, "message": "Error code: 429"}]),
    }
)


@settings(max_examples=150, deadline=None)
@given(
    spans=st.lists(SPANS, min_size=1, max_size=4),
    scope=st.sampled_from(SCOPES),
    config=st.fixed_dictionaries({"messages": st.booleans(), "remove_originals": st.booleans()}),
)
def test_any_span_passes_and_a_second_pass_changes_nothing(spans, scope, config):
    genai = GenaiProcessor(GenaiConfig(**config), Host("genai"))
    batch = batch_from(*spans, scope=scope)
    [once] = genai.process(batch)
    [twice] = genai.process(once)

    assert once.main.schema.equals(batch.main.schema)
    assert config["remove_originals"] or attributes_of_spans(once) == attributes_of_spans(twice)
