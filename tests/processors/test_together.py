"""The usual processors one after the other, as an existing file names them, on requests of every signal."""

import pytest

from collector import registry
from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.pipeline import Pipeline
from collector.registry import Kind
from tests.processors.items import batch_of_items, items_of, made

STEPS = {
    "memory_limiter": {"check_interval": "1s", "limit_percentage": 100},
    "filter": {
        "trace_conditions": ['span.name == "noise"'],
        "metric_conditions": ['metric.name == "noise"'],
        "log_conditions": ['log.body == "noise"'],
    },
    "resource": {"attributes": [{"key": "zone", "action": "insert", "value": "z"}]},
    "attributes": {"actions": [{"key": "tmp", "action": "delete"}]},
    "redaction": {"allow_all_keys": True, "blocked_values": ["secret"]},
    "probabilistic_sampler": {"sampling_percentage": 100, "mode": "equalizing", "fail_closed": False},
    "batch": {},
}
ITEMS = {
    Signal.TRACES: [{"name": "noise"}, {"name": "a", "attributes": {"tmp": 1, "k": "a secret"}}],
    Signal.METRICS: [
        {"metric": {"name": "noise"}, "as_int": 1},
        {"metric": {"name": "a"}, "as_int": 2, "attributes": {"tmp": 1, "k": "a secret"}},
    ],
    Signal.LOGS: [{"body": "noise"}, {"body": "a secret", "attributes": {"tmp": 1, "k": "a secret"}}],
}


class Keeping:
    def put(self, batches, *more):
        self.batches = list(batches)


@pytest.mark.parametrize("signal", list(ITEMS))
def test_every_signal_comes_out_as_otlp_again(signal):
    outlet = Keeping()
    steps = [made(registry.find(Kind.PROCESSORS, name), config) for name, config in STEPS.items()]
    sent = encode(batch_of_items(signal, ITEMS[signal]))
    Pipeline(Host(signal.value), steps, [outlet]).consume(decode(signal, sent))
    [batch] = outlet.batches
    [item] = items_of(decode(signal, encode(batch)))

    assert item["resource"] == {"zone": "z"}
    assert item["attributes"]["k"] == "a ****"
    assert set(item["attributes"]) <= {"k", "sampling.threshold"}
    assert item.get("name", item.get("body", item.get("metric", {}).get("name"))) in {"a", "a ****"}


@pytest.mark.parametrize("signal", list(ITEMS))
def test_a_request_sent_again_becomes_the_same_batch(signal):
    ids = []
    for _ in range(2):
        outlet = Keeping()
        steps = [made(registry.find(Kind.PROCESSORS, name), config) for name, config in STEPS.items()]
        sent = encode(batch_of_items(signal, ITEMS[signal]))
        Pipeline(Host(signal.value), steps, [outlet]).consume(decode(signal, sent))
        ids.append([(batch.id, batch.dump()) for batch in outlet.batches])

    assert ids[0] == ids[1]
