import json

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.exporters.clickhouse.trace_batches import batch_of, event, rows_of, span

TRACE, PARENT = "0a" * 16, "0c" * 8


def events_of_rows(*spans: Span) -> list[list[str]]:
    return [row["events"] for row in rows_of(batch_of(*spans))]


def test_events_stay_with_their_spans_in_order() -> None:
    first = [event("a", {"n": 1}), event("b", time=9), event("a", {"n": 1}, time=8)]
    assert events_of_rows(span(events=first), span(), span(events=[event("c")])) == [
        [
            '{"name":"a","timeUnixNano":7,"attributeMap":{"n":"1"}}',
            '{"name":"b","timeUnixNano":9}',
            '{"name":"a","timeUnixNano":8,"attributeMap":{"n":"1"}}',
        ],
        [],
        ['{"name":"c","timeUnixNano":7}'],
    ]


def test_empty_members_are_left_out() -> None:
    assert events_of_rows(span(events=[event("", time=0), event("n,", time=0)])) == [["{}", '{"name":"n,"}']]


def test_exceptions_are_marked() -> None:
    names = ["exception", "gen_ai.exception", "exceptional", "noexception"]
    texts = events_of_rows(span(events=[event(name) for name in names]))[0]
    assert ["isError" in json.loads(text) for text in texts] == [True, True, False, False]


def test_attributes_of_events_are_strings_sorted_by_key() -> None:
    found = events_of_rows(span(events=[event("e", {"z": [1, "<"], "a": {"k": None}, "d": 0.5, "t": "<&>"})]))[0][0]
    assert found == (
        '{"name":"e","timeUnixNano":7,"attributeMap":'
        '{"a":"{\\"k\\":null}","d":"0.5","t":"\\u003c\\u0026\\u003e","z":"[1,\\"\\\\u003c\\"]"}}'
    )


def test_the_latest_time_is_kept() -> None:
    assert events_of_rows(span(events=[event("e", time=2**64 - 1)])) == [[f'{{"name":"e","timeUnixNano":{2**64 - 1}}}']]


def test_the_first_link_points_to_the_parent_and_a_root_s_nowhere() -> None:
    links = [Span.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8), Span.Link(trace_id=b"\x03" * 16)]
    rows = rows_of(batch_of(span(), span(parent_span_id=b"\x0c" * 8, links=links), span(parent_span_id=b"\0" * 8)))
    root = [{"traceId": TRACE, "refType": "CHILD_OF"}]
    child = [
        {"traceId": TRACE, "spanId": PARENT, "refType": "CHILD_OF"},
        {"traceId": "01" * 16, "spanId": "02" * 8, "refType": "FOLLOWS_FROM"},
        {"traceId": "03" * 16, "refType": "FOLLOWS_FROM"},
    ]
    assert [json.loads(row["links"]) for row in rows] == [root, child, root]
