from hashlib import md5

from tests.exporters.clickhouse.trace_batches import EXPECTED, batch_of, event, inserts_of, rows_of, span, vector_batch

TABLE = "signoz_error_index_v2"
RAISED = {"exception.type": "E", "exception.message": "m", "exception.stacktrace": "s", "exception.escaped": "TRUE"}


def test_groups_and_times_are_signoz_s() -> None:
    expected = [error for one in EXPECTED["spans"] for error in one["errors"] or ()]
    insert = inserts_of(vector_batch())[TABLE]
    groups = insert.rows.column("groupID").to_pylist()
    times = insert.rows.column("timestamp").cast("int64").to_pylist()
    assert list(zip(groups, times, strict=True)) == [(error["groupID"], error["ts"]) for error in expected]
    assert [len(text) for text in insert.rows.column("errorID").to_pylist()] == [one["errorIDlen"] for one in expected]
    assert insert.sources is not None
    assert insert.sources.tolist() == [row for row, one in enumerate(EXPECTED["spans"]) if one["errors"]]


def test_an_exception_is_a_row_of_its_own() -> None:
    spans = [span(), span(events=[event("x"), event("exception", RAISED)]), span(events=[event("my.exception")])]
    first, second = rows_of(batch_of(*spans, resource={"service.name": "svc", "m": {"k": 1}}), TABLE)
    assert first["groupID"] == md5(b"svcEm").hexdigest()
    assert (first["traceID"], first["spanID"], first["serviceName"]) == ("0a" * 16, "0b" * 8, "svc")
    assert [first[f"exception{name}"] for name in ("Type", "Message", "Stacktrace", "Escaped")] == ["E", "m", "s", True]
    assert first["resourceTagsMap"] == {"service.name": "svc", "m.k": "1"}
    assert [second[f"exception{name}"] for name in ("Type", "Message", "Stacktrace", "Escaped")] == ["", "", "", False]
    assert inserts_of(batch_of(*spans))[TABLE].sources.tolist() == [1, 2]


def test_a_service_without_name_is_called_so() -> None:
    assert rows_of(batch_of(span(events=[event("exception")])), TABLE)[0]["serviceName"] == "<nil-service-name>"


def test_ids_repeat_and_tell_events_apart() -> None:
    events = [event("exception", RAISED)] * 2
    spans = [span(events=events), span(events=events, span_id=b"\x01" * 8)]
    ids = [row["errorID"] for row in rows_of(batch_of(*spans), TABLE)]
    assert len(set(ids)) == 4
    alone = [row["errorID"] for row in rows_of(batch_of(spans[1]), TABLE)]
    assert alone == ids[2:]


def test_no_exception_no_insert() -> None:
    assert TABLE not in inserts_of(batch_of(span(events=[event("x")])))
