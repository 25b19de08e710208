import random

import pyarrow as pa
import pytest
from pydantic import ValidationError

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from collector.pipeline import Pipeline
from collector.telemetry import Metrics
from processors.genai import GenaiProcessor
from processors.probabilistic_sampler import ProbabilisticSamplerProcessor
from processors.probabilistic_sampler.randomness import from_hash, from_trace_ids
from processors.probabilistic_sampler.threshold import probability_of, read, spelled, threshold_of
from processors.probabilistic_sampler.tracestate import parsed, written
from processors.rollup import RollupProcessor
from tests.processors.items import batch_of_items, cases, items_of, made, run_case
from tests.requests import request

CHANCE = random.Random(7)
IDS = [CHANCE.randbytes(16).hex() for _ in range(2000)]
SPANS = batch_of_items(Signal.TRACES, [{"trace_id": trace, "name": trace} for trace in IDS])


def sampled(batch, **config):
    results = list(made(ProbabilisticSamplerProcessor, config).process(batch))
    return [item for result in results for item in items_of(result)]


def fnv1a(data):
    """The hash as its authors define it, byte by byte."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 % 2**32
    return value


@pytest.mark.parametrize("case", cases(__file__), ids=lambda case: case.stem)
def test_golden_case(case):
    told, expected = run_case(case, ProbabilisticSamplerProcessor)

    assert told == expected


@pytest.mark.parametrize("percentage", [0, 0.001, 1, 12.5, 50, 99.99, 100, 200])
def test_the_hash_decides_as_in_the_collector(percentage):
    """14 bits of FNV-1a over the seed and the trace id, below a number of buckets rounded down."""
    seed = 22
    buckets = int(min(percentage, 100) * (0x4000 / 100))
    kept = [id_ for id_ in IDS if fnv1a(seed.to_bytes(4, "little") + bytes.fromhex(id_)) % 0x4000 < buckets]

    told = sampled(SPANS, sampling_percentage=percentage, hash_seed=seed)

    assert [span["name"] for span in told] == kept


@pytest.mark.parametrize("percentage", [1, 25, 60])
def test_consistent_sampling_keeps_the_largest_random_numbers(percentage):
    kept = [id_ for id_ in IDS if int(id_[-14:], 16) >= threshold_of(percentage / 100, 4)]

    for mode in ("proportional", "equalizing"):
        told = sampled(SPANS, sampling_percentage=percentage, mode=mode)

        assert [span["name"] for span in told] == kept
        assert {span["trace_state"] for span in told} == {f"ot=th:{spelled(threshold_of(percentage / 100, 4))}"}


@pytest.mark.parametrize("mode", ["hash_seed", "proportional", "equalizing"])
def test_a_smaller_share_is_part_of_a_larger_one(mode):
    shares = [{span["name"] for span in sampled(SPANS, sampling_percentage=p, mode=mode)} for p in (1, 10, 50, 100)]

    assert shares[0] < shares[1] < shares[2] < shares[3]
    assert len(shares[3]) == len(IDS)
    assert abs(len(shares[2]) - 1000) < 120


def test_the_random_number_that_the_hash_writes_decides_alike_downstream():
    once = sampled(SPANS, sampling_percentage=30)
    again = sampled(batch_of_items(Signal.TRACES, once), sampling_percentage=30, mode="equalizing")

    assert [span["name"] for span in again] == [span["name"] for span in once]
    assert {parsed(span["trace_state"]).threshold for span in once} == {(0x4000 - int(30 * 163.84)) << 42}


def test_two_halves_in_a_row_are_a_quarter():
    once = batch_of_items(Signal.TRACES, sampled(SPANS, sampling_percentage=50, mode="proportional"))
    twice = sampled(once, sampling_percentage=50, mode="proportional")
    equal = sampled(once, sampling_percentage=50, mode="equalizing")

    assert {span["trace_state"] for span in twice} == {"ot=th:c"}
    assert [span["name"] for span in twice] == [
        span["name"] for span in sampled(SPANS, sampling_percentage=25, mode="proportional")
    ]
    assert items_of(once) == equal


@pytest.mark.parametrize(
    ("probability", "precision", "text"),
    [
        (1, 4, "0"),
        (0.5, 4, "8"),
        (0.25, 4, "c"),
        (1 / 3, 4, "aaab"),
        (0.01, 4, "fd71"),
        (0.999, 4, "004189"),
        (1 / 3, 1, "b"),
    ],
)
def test_thresholds_are_spelled_with_the_precision_asked_for(probability, precision, text):
    assert spelled(threshold_of(probability, precision)) == text
    assert probability_of(read(text)) == pytest.approx(probability, abs=16.0**-precision)


def test_random_numbers_of_odd_ids():
    ids = pa.array([b"", b"\x01" * 3, bytes(range(16))], pa.binary())

    assert from_trace_ids(ids).tolist() == [0, 0, 0x090A0B0C0D0E0F]
    assert [number % 2**14 for number in from_hash(ids.slice(1), 0).tolist()] == [
        fnv1a(bytes(4) + one) % 2**14 for one in (b"\x01" * 3, bytes(range(16)))
    ]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("a=1,ot=p:8;rv:0123456789abcd,b=2", "ot=rv:0123456789abcd;p:8,a=1,b=2"),
        ("", ""),
        ("x=1", "x=1"),
        ("ot=th:80", "ot=th:8"),
    ],
)
def test_what_others_say_in_the_tracestate_stays(text, again):
    assert written(parsed(text)) == again


@pytest.mark.parametrize("text", ["ot=th:xyz", "ot=rv:123", "a", "ot=th:1,ot=th:2"])
def test_a_damaged_tracestate_is_an_error(text):
    batch = batch_of_items(Signal.TRACES, [{"trace_state": text}])

    assert sampled(batch, sampling_percentage=100, mode="equalizing") == []
    assert sampled(batch, sampling_percentage=1, mode="equalizing", fail_closed=False) == items_of(batch)


def test_decisions_are_counted():
    metrics = Metrics()
    batch = batch_of_items(Signal.TRACES, [{"attributes": {"sampling.priority": n}} for n in (0, 1, 1)] + [{}])
    list(made(ProbabilisticSamplerProcessor, {"sampling_percentage": 100}, metrics=metrics).process(batch))
    name = "otelcol_processor_probabilistic_sampler_count_traces_sampled"

    assert metrics.value(name, policy="sampling_priority", sampled="true", processor="test") == 2
    assert metrics.value(name, policy="sampling_priority", sampled="false", processor="test") == 1
    assert metrics.value(name, policy="trace_id_hash", sampled="true", processor="test") == 1


class Keeping:
    def put(self, batches, *more):
        self.batches = batches


@pytest.mark.parametrize("mode", ["hash_seed", "proportional"])
def test_sampling_behind_rollup_changes_no_number(mode):
    data, calls = request(600, random.Random(3))
    rollups = []
    for percentage in (100, 10, 0):
        outlet = Keeping()
        sampler = made(ProbabilisticSamplerProcessor, {"sampling_percentage": percentage, "mode": mode})
        steps = [
            made(GenaiProcessor, {}),
            made(RollupProcessor, {}),
        ]
        Pipeline(Host("traces"), [*steps, sampler], [outlet]).consume(decode(Signal.TRACES, data))
        spans = sum(batch.rows for batch in outlet.batches if batch.signal is Signal.TRACES)
        rollups.append([batch.main for batch in outlet.batches if batch.signal is Signal.ROLLUPS])
        assert spans == 600 if percentage == 100 else spans < 120

    assert rollups[0][0].equals(rollups[1][0]) and rollups[0][0].equals(rollups[2][0])
    assert sum(rollups[0][0].column("calls").to_pylist()) == len(calls)


@pytest.mark.parametrize(
    "config", [{}, {"sampling_percentage": -1}, {"sampling_percentage": 1, "sampling_precision": 15}]
)
def test_mistakes_are_told(config):
    with pytest.raises(ValidationError):
        ProbabilisticSamplerProcessor.Config.model_validate(config)
