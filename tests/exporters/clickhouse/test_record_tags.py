import pytest

from exporters.clickhouse.record_tags import looks_random
from tests.exporters.clickhouse.log_batches import NOW, TIME, batch_of, record, rows_of

ATTRIBUTE_KEYS, RESOURCE_KEYS, VALUES = "logs_attribute_keys", "logs_resource_keys", "tag_attributes_v2"
HOUR = 3_600_000
RANDOM = [
    "0af76519-16cd-43dd-8448-eb211c80319c",
    "session.0AF76519-16cd-43dd-8448-eb211c80319c.name",
    "trace_0af7651916cd43dd",
    "0af7651916cd43dd8448eb211c80319c",
    "deadbeefdeadbeef",
    "at.1795284060000.ms",
    "run.01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "run.01arz3ndektsv4rrffq69g5fav.state",
    "aGVsbG8gd29ybGQgaGVsbG8=",
    "token.eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
    "k" * 257,
]
PLAIN = [
    "service.name", "gen_ai.request.model", "http.request.header.x-request-id", "log.file.path", "exception.stacktrace",
    "k8s.pod.labels.app.kubernetes.io/name", "user_id_2", "llm.request.functions.0.parameters", "error",
    "gen_ai.usage.cache_read_input_tokens", "thisIsAVeryLongCamelCaseAttributeName", "2026-11-21",
    "code.function.name", "sha256", "k" * 256, "SOMETHING_IN_CAPITALS_FOR_AN_ENVIRONMENT_VARIABLE_2", "",
]  # fmt: skip


@pytest.mark.parametrize("key", RANDOM)
def test_keys_that_look_random(key) -> None:
    assert looks_random(key)


@pytest.mark.parametrize("key", PLAIN)
def test_keys_that_do_not(key) -> None:
    assert not looks_random(key)


def test_keys_go_to_the_table_of_their_owner() -> None:
    batch = batch_of(
        record({"a": "x", "b": 1}), record({"a": 1.5, "b": True}), resource={"r": 1}, scope={"attributes": {"s": 2}}
    )
    keys = {(row["name"], row["datatype"]) for row in rows_of(batch, ATTRIBUTE_KEYS)}
    assert keys == {("a", "string"), ("a", "float64"), ("b", "float64"), ("b", "bool")}
    assert rows_of(batch, RESOURCE_KEYS) == [{"name": "r", "datatype": "string"}]


def test_values_are_those_of_this_hour_whatever_the_record_s_time() -> None:
    records = [record({"a": "x", "n": 2, "b": True}, time_unix_nano=time) for time in (1, TIME, TIME)]
    records[2].severity_number = 9
    batch = batch_of(*records, resource={"r": "1"}, scope={"name": "lib", "version": "2", "attributes": {"s": "3"}})
    rows = rows_of(batch, VALUES)
    assert {row["unix_milli"] for row in rows} == {int(NOW) * 1000 // HOUR * HOUR}
    found = [tuple(row.values())[1:] for row in rows]
    assert sorted(found, key=repr) == sorted(
        [
            ("a", "tag", "string", "x", None),
            ("n", "tag", "float64", "", 2.0),
            ("b", "tag", "bool", "", None),
            ("r", "resource", "string", "1", None),
            ("s", "scope", "string", "3", None),
            ("severity_text", "logfield", "string", "INFO", None),
            ("severity_number", "logfield", "float64", "", 0.0),
            ("severity_number", "logfield", "float64", "", 9.0),
        ],
        key=repr,
    )


def test_random_keys_are_in_none_of_the_tables_but_on_the_record() -> None:
    key, plain = RANDOM[0], "plain"
    batch = batch_of(record({key: "x", plain: "y", f"{key}.n": 1}), resource={key: "r", plain: "r"})
    assert [row["name"] for row in rows_of(batch, ATTRIBUTE_KEYS)] == [plain]
    assert [row["name"] for row in rows_of(batch, RESOURCE_KEYS)] == [plain]
    assert {row["tag_key"] for row in rows_of(batch, VALUES)} == {plain, "severity_text", "severity_number"}
    assert rows_of(batch)[0]["attributes_string"] == {key: "x", plain: "y"}
    assert rows_of(batch)[0]["resources_string"] == {key: "r", plain: "r"}


def test_long_texts_have_a_key_but_no_value() -> None:
    batch = batch_of(record({"a": "x" * 257, "b": "x" * 256}, severity_text="y" * 257), resource={"r": "z" * 257})
    assert {row["name"] for row in rows_of(batch, ATTRIBUTE_KEYS)} == {"a", "b"}
    assert {row["tag_key"] for row in rows_of(batch, VALUES)} == {"b", "severity_number"}


def test_records_without_attributes_and_resources() -> None:
    batch = batch_of(record(severity_text=""))
    assert rows_of(batch, ATTRIBUTE_KEYS) == rows_of(batch, RESOURCE_KEYS) == []
    assert {row["tag_key"] for row in rows_of(batch, VALUES)} == {"severity_text", "severity_number"}
