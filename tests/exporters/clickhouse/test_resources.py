import json

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal
from collector.otlp.decode import decode
from exporters.clickhouse.resources import Resource, resource_insert, resources_of, scopes_of
from tests.exporters.clickhouse.trace_batches import EXPECTED, add_spans, batch_of, rows_of, span, vector_batch

HALF_HOUR = 1_800_000_000_000


def test_labels_are_signoz_s_but_for_the_escapes_that_its_search_cannot_find() -> None:
    rows = rows_of(vector_batch(), "traces_v3_resource")
    expected = {(one["resource_fingerprint"], one["ts_bucket_start"]): one["labels"] for one in EXPECTED["spans"]}
    assert {(row["fingerprint"], row["seen_at_ts_bucket_start"]) for row in rows} == set(expected)
    for row in rows:
        signoz = expected[row["fingerprint"], row["seen_at_ts_bucket_start"]]
        unescaped = signoz.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&")
        assert row["labels"] == unescaped


def test_one_row_per_resource_and_half_hour() -> None:
    spans = [span(start_time_unix_nano=start) for start in (0, HALF_HOUR - 1, HALF_HOUR, 5 * HALF_HOUR, 3)]
    rows = rows_of(batch_of(*spans, resource={"service.name": "a"}), "traces_v3_resource")
    assert [row["seen_at_ts_bucket_start"] for row in rows] == [0, 1800, 9000]
    assert {row["labels"] for row in rows} == {'{"service.name":"a"}'}


def test_labels_hold_nested_values_as_text() -> None:
    resource = Resource.of({"b": {"n": [1, True]}, "<a>": None}, flat=True)
    assert resource.labels == r'{"<a>":"","b":"{\"n\":[1,true]}"}'


def test_resources_that_differ_in_order_only_are_one_row() -> None:
    request = ExportTraceServiceRequest()
    add_spans(request, [span()], {"a": "1", "b": "2"})
    add_spans(request, [span()], {"b": "2", "a": "1"})
    batch = decode(Signal.TRACES, request.SerializeToString())
    assert len(resources_of(batch).distinct) == 2
    assert resource_insert(batch, "t", np.zeros(2, np.int64)).rows.num_rows == 1
    fingerprints = rows_of(batch)[0]["resource_fingerprint"], rows_of(batch)[1]["resource_fingerprint"]
    assert fingerprints[0] == fingerprints[1]


def test_resources_and_scopes_without_spans_leave_no_trace() -> None:
    request = ExportTraceServiceRequest()
    add_spans(request, [], {"service.name": "unused"}, {"name": "unused"})
    add_spans(request, [span()], {"service.name": "used"}, {"name": "used"})
    batch = decode(Signal.TRACES, request.SerializeToString())
    assert [one.service_name for one in resources_of(batch).distinct] == ["used"]
    assert [one.name for one in scopes_of(batch).distinct] == ["used"]
    assert "unused" not in json.dumps(rows_of(batch, "span_attributes_keys") + rows_of(batch, "traces_v3_resource"))


def test_scopes_are_told_apart_by_name_version_and_attributes() -> None:
    request = ExportTraceServiceRequest()
    scopes = [
        {"name": "a"},
        {"name": "a", "version": "1"},
        {"version": "a"},
        {"name": "a", "attributes": {"k": 2}},
        {"name": "a"},
    ]
    for scope in scopes:
        add_spans(request, [span()], scope=scope)
    batch = decode(Signal.TRACES, request.SerializeToString())
    assert len(scopes_of(batch).distinct) == 4
    assert [json.loads(row["scope"]) for row in rows_of(batch)] == [
        {
            "name": "",
            "version": "",
            "attributes": {},
            **scope,
            **({"attributes": {"k": "2"}} if "attributes" in scope else {}),
        }
        for scope in scopes
    ]


def test_a_resource_without_service_name() -> None:
    assert Resource.of({}, flat=True).service_name is None
    assert Resource.of({"service.name": 5}, flat=True).service_name == "5"


def test_members_of_a_resource_s_maps_get_keys_of_their_own() -> None:
    resource = Resource.of({"m": {"k": "v", "n": 1e6, "l": [b"\x01", None]}, "l": ["a"], "m.k": "last"}, flat=True)
    assert resource.strings == {"m.k": "last", "m.n": "1e+06", "m.l.0": "[1]", "m.l.1": "<nil>", "l": '["a"]'}
    assert json.loads(resource.json) == resource.strings
