"""Which items may go on. What a client hears of the others: tests/collector/receivers/otlp/test_intake.py."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.admission import admit
from collector.batch import Batch, Signal
from collector.otlp.decode import decode


def batch(*starts: int) -> Batch:
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add().scope_spans.add().spans
    for start in starts:
        spans.add(name=str(start), start_time_unix_nano=start)
    return decode(Signal.TRACES, message.SerializeToString())


@pytest.mark.parametrize("starts", [(), (1,), (2**63 - 1, 1)])
def test_a_good_batch_is_passed_on_as_it_is(starts: tuple[int, ...]) -> None:
    good = batch(*starts)
    assert admit(good).batch is good
    assert admit(good)[1:] == (0, "")


@pytest.mark.parametrize("bad", [0, 2**63, 2**64 - 1])
def test_a_span_outside_time_is_taken_out(bad: int) -> None:
    admitted = admit(batch(5, bad, 6))
    assert admitted.batch.main.column("name").to_pylist() == ["5", "6"]
    assert admitted.rejected == 1
    assert admitted.reason.startswith("1 spans rejected")


def test_the_same_request_leaves_the_same_batch() -> None:
    assert admit(batch(0, 1)).batch.id == admit(batch(0, 1)).batch.id != batch(0, 1).id
