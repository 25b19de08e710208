"""What the debug exporter shows at each verbosity, and which deliveries."""

from collections.abc import Callable

import pytest
import structlog
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from collector.batch import Batch, Signal
from collector.component import Host
from exporters.debug import DebugConfig, DebugExporter, _Sample
from tests.exporters.clickhouse.samples import rollup, rollups_batch, span, spans_batch

Show = Callable[..., str]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Returns what an exporter writes to standard output for a batch."""

    def shown(batch: Batch, **options: object) -> str:
        exporter = DebugExporter(DebugConfig(use_internal_logger=False, **options), Host("debug"))
        exporter.start()
        exporter.export(batch)
        exporter.stop()
        return capsys.readouterr().out

    return shown


def test_basic_counts(show: Show) -> None:
    assert show(spans_batch([span(0), span(1)])) == "Traces spans=2 resources=1 scopes=1\n"
    assert show(rollups_batch([rollup(calls=1)])) == "Rollups rollups=1\n"


def test_normal_shows_a_line_per_item(show: Show) -> None:
    head, line, _ = show(spans_batch([span(0), span(1)]), verbosity="normal").splitlines()

    assert head == "Traces spans=2 resources=1 scopes=1"
    assert line == f"chat 0 {'0' * 31}1 {'0' * 15}1 gen_ai.request.model=gpt-4o db.system=redis"
    assert (
        show(
            rollups_batch([rollup(calls=2, request_model="gpt-4o", duration_buckets={5: 2})]), verbosity="normal"
        ).splitlines()[1]
        == 'time=2026-11-21 18:00:00 request_model=gpt-4o calls=2 duration_buckets={"5": 2}'
    )


DETAILED = """\
Traces spans=1 resources=1 scopes=1
ResourceSpans #0
Resource SchemaURL:\x20
Resource attributes:
     -> service.name: Str(chat)
ScopeSpans #0
ScopeSpans SchemaURL:\x20
InstrumentationScope test 1
Span #0
    Trace ID       : 00000000000000000000000000000001
    Parent ID      :\x20
    ID             : 0000000000000001
    Name           : chat 0
    Kind           : Client
    Start time     : 2026-11-21 18:00:00.000000000 +0000 UTC
    End time       : 2026-11-21 18:00:01.000000000 +0000 UTC
    Status code    : Error
    Status message : overloaded
Attributes:
     -> text: Str("é")
     -> yes: Bool(true)
     -> int: Int(-7)
     -> double: Double(0.5)
     -> bytes: Bytes(00ff)
     -> list: Slice(["a", {"k": 1}, null])
     -> map: Map({"m": []})
     -> nothing: Empty()
     -> absent: Empty()
Events:
SpanEvent #0
     -> Time unix nano: 2026-11-21 18:00:00.000000007 +0000 UTC
     -> Name: exception
     -> Dropped attributes count: 0
     -> Attributes::
         -> type: Str(x)
Links:
SpanLink #0
     -> Trace id: 01
     -> Span id: 02
     -> Trace state:\x20
     -> Dropped attributes count: 0
     -> Flags: 0
"""


def test_detailed_shows_every_field_and_attribute(show: Show) -> None:
    inner = KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=1))])
    items = ArrayValue(values=[AnyValue(string_value="a"), AnyValue(kvlist_value=inner), AnyValue()])
    empty = KeyValueList(values=[KeyValue(key="m", value=AnyValue(array_value=ArrayValue()))])
    values = {
        "text": {"string_value": '"é"'}, "yes": {"bool_value": True}, "int": {"int_value": -7},
        "double": {"double_value": 0.5}, "bytes": {"bytes_value": b"\x00\xff"},
        "list": {"array_value": items.SerializeToString()}, "map": {"kvlist_value": empty.SerializeToString()},
        "nothing": {}, "absent": None,
    }  # fmt: skip
    event = {"time_unix_nano": 1795284000 * 10**9 + 7, "name": "exception", "dropped_attributes_count": 0}
    event["attributes"] = [{"key": "type", "value": {"string_value": "x"}}]
    link = {"trace_id": b"\x01", "span_id": b"\x02", "trace_state": "", "attributes": [], "flags": 0}
    one = span(
        0, status_code=2, status_message="overloaded", events=[event], links=[{**link, "dropped_attributes_count": 0}],
        attributes=[{"key": key, "value": value} for key, value in values.items()],
    )  # fmt: skip

    assert show(spans_batch([one], {"service.name": "chat"}), verbosity="detailed") == DETAILED


def test_detailed_shows_every_column_of_a_rollup(show: Show) -> None:
    lines = show(rollups_batch([rollup(calls=2, errors_by_class={"timeout": 1})]), verbosity="detailed").splitlines()

    assert lines[1] == "Rollups #0"
    assert f"    {'calls':<28}: 2" in lines
    assert f"    {'errors':<28}: 0" in lines
    assert f'    {"errors_by_class":<28}: {{"timeout": 1}}' in lines


def test_the_log_is_the_default() -> None:
    with structlog.testing.capture_logs() as lines:
        DebugExporter(DebugConfig(), Host("debug/x")).export(spans_batch([span(0)]))

    assert [(line["event"], line["spans"], line["component"]) for line in lines] == [("Traces", 1, "debug/x")]


@pytest.mark.parametrize(
    ("initial", "thereafter", "shown"),
    [(2, 1, "1111111"), (2, 3, "1100100"), (0, 2, "0101010"), (2, 0, "1100000")],
)
def test_a_sample_of_each_second_is_shown(initial: int, thereafter: int, shown: str) -> None:
    sample = _Sample(initial, thereafter)

    assert "".join(str(int(sample.takes(10 + number / 10))) for number in range(7)) == shown
    assert sample.takes(11.0) is (initial > 0)


def test_its_queue_is_in_memory_and_it_takes_every_signal() -> None:
    assert DebugConfig().sending_queue.storage == "memory"
    assert DebugExporter.consumes == frozenset(Signal)
