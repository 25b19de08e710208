"""The ways in which SigNoz's tables are easily filled wrongly, and where each is tested.

A reader of these tables gets no error from a row that is slightly wrong: it gets an empty page. `MISTAKES` names what
was seen to go wrong with them, and the tests that would fail; those that fit nowhere else are below.
"""

import ast
from functools import cache
from pathlib import Path
from time import time

import pyarrow as pa
import pytest
from pydantic import ValidationError

from exporters.clickhouse import LONGEST_LIFETIME, ClickhouseConfig
from exporters.clickhouse.logs import log_inserts
from exporters.clickhouse.traces import trace_inserts
from tests.exporters.clickhouse import corpus, log_batches
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.metrics.batches import batch_of as metric_batch
from tests.exporters.clickhouse.metrics.batches import metric, point
from tests.exporters.clickhouse.samples import rollup, rollups_batch
from tests.exporters.clickhouse.trace_batches import batch_of, span

TESTS = Path(__file__).parents[2]
HERE = "exporters/clickhouse"
MISTAKES = {
    1: ("a resource without its row of each half hour: every query with a resource filter is empty", [
        f"{HERE}/test_trace_queries.py::test_every_row_finds_its_resource",
        f"{HERE}/test_log_queries.py::test_every_record_finds_its_resource",
        f"{HERE}/test_side_tables.py::test_every_half_hour_has_its_resource_row",
    ]),
    2: ("labels with spaces, in no order, or with escaped markup: no match", [
        f"{HERE}/test_resources.py::test_labels_are_signoz_s_but_for_the_escapes_that_its_search_cannot_find",
        f"{HERE}/test_mistakes.py::test_resources_are_found_by_values_with_markup",
    ]),
    3: ("resource keys missing from the tables of keys: the filter looks at attributes", [
        f"{HERE}/test_tags.py::test_keys_are_signoz_s",
        f"{HERE}/test_record_tags.py::test_keys_go_to_the_table_of_their_owner",
    ]),
    4: ("keys written once in the life of the process: they expire", [
        f"{HERE}/test_side_tables.py::test_rows_are_stored_once_and_again_before_they_expire",
    ]),
    5: ("one of resources_string and resource left empty", [
        f"{HERE}/test_traces.py::test_every_column_is_signoz_s",
        f"{HERE}/test_logs.py::test_every_column_is_signoz_s",
    ]),
    6: ("a half hour in another unit, or another one than the resource's row says", [
        f"{HERE}/test_resources.py::test_one_row_per_resource_and_half_hour",
        f"{HERE}/test_logs.py::test_one_resource_row_per_half_hour_of_the_records",
    ]),
    7: ("a time in the unit of another signal", [
        f"{HERE}/test_traces.py::test_clickhouse_reads_back_what_signoz_would_have_written",
        f"{HERE}/test_logs.py::test_the_columns_that_the_vectors_do_not_show",
        f"{HERE}/metrics/test_storage.py::test_clickhouse_reads_back_what_signoz_would_have_written",
    ]),
    8: ("a root whose parent is not the empty text", [
        f"{HERE}/test_traces.py::test_values_that_the_columns_cannot_hold",
        f"{HERE}/test_trace_queries.py::test_the_answer_is_what_the_corpus_says",
    ]),
    9: ("ints and doubles in different maps, NaN among the numbers of a span", [
        f"{HERE}/test_typed_attributes.py::test_maps_hold_what_the_rules_say",
        f"{HERE}/test_typed_attributes.py::test_what_no_column_can_hold_is_left_out",
    ]),
    10: ("maps that are not flattened on spans, or are on records", [
        f"{HERE}/test_values.py::test_flattened_leaves_are_signoz_s",
        f"{HERE}/test_logs.py::test_attributes_of_every_type_are_not_flattened",
        f"{HERE}/test_logs.py::test_resources_are_not_flattened",
    ]),
    11: ("texts that become dates in JSON columns, paths that occur twice", [
        f"{HERE}/test_export.py::test_texts_that_look_like_dates_stay_texts",
        f"{HERE}/test_logs.py::test_clickhouse_takes_extremes",
    ]),
    12: ("values for columns and tables that fill themselves", [
        f"{HERE}/test_mistakes.py::test_nothing_is_written_that_fills_itself",
    ]),
    13: ("parent and child of two services in two inserts: no edge in the map, no entry point", [
        f"{HERE}/test_delivery.py::test_rows_of_few_days_travel_together",
        f"{HERE}/test_trace_queries.py::test_the_answer_is_what_the_corpus_says",
    ]),
    14: ("fingerprints of metrics that are nearly right: SigNoz's own series stay apart", [
        f"{HERE}/metrics/test_fingerprints.py::test_published_hashes",
        f"{HERE}/metrics/test_metrics.py::test_samples_are_signoz_s",
    ]),
    15: ("a series without its row of each hour, labels that lack those of resource and scope", [
        f"{HERE}/metrics/test_metrics.py::test_a_series_has_a_row_for_every_hour",
        f"{HERE}/metrics/test_storage.py::test_series_are_in_every_table_at_their_hour_day_and_week",
        f"{HERE}/metrics/test_labels.py::test_labels_are_compact_json_in_the_order_of_bytes",
    ]),
    16: ("temporality, unit or environment in other words", [
        f"{HERE}/metrics/test_parts.py::test_temporality_and_monotony",
        f"{HERE}/metrics/test_metrics.py::test_series_are_signoz_s",
        f"{HERE}/metrics/test_metrics.py::test_the_environment",
    ]),
    17: ("buckets that do not add up to the last one", [
        f"{HERE}/metrics/test_parts.py::test_buckets_add_up",
    ]),
    18: ("latencies as exponential histograms, whose percentiles SigNoz refuses", [
        f"{HERE}/metrics/test_parts.py::test_an_exponential_histogram_that_is_not_delta_is_refused",
        "processors/rollup/test_metrics.py::test_one_service_in_full",
    ]),
    19: ("percentiles that need a function of SigNoz's server: the views have their own", [
        f"{HERE}/test_views.py::test_every_number_of_a_range_and_a_grouping",
    ]),
    20: ("column_evolution_metadata empty, too new, or doubled", [
        f"{HERE}/test_schema.py::test_signoz_finds_the_json_column_of_resources",
        f"{HERE}/test_schema.py::test_making_the_tables_again_changes_nothing",
        f"{HERE}/test_attach.py::test_every_version_gets_what_it_can_hold_and_stays_as_it_is",
    ]),
    21: ("old rows refused with the others, or kept for ever", [
        f"{HERE}/test_mistakes.py::test_old_rows_are_taken_and_expire",
    ]),
    22: ("an insert through Distributed twins that is not there when it is answered", [
        f"{HERE}/test_mistakes.py::test_an_insert_into_a_twin_is_answered_when_its_shard_has_it",
        f"{HERE}/test_attach.py::test_every_version_gets_what_it_can_hold_and_stays_as_it_is",
    ]),
    23: ("words of kinds and codes in another spelling", [
        f"{HERE}/test_kinds.py::test_numbers_have_their_words",
        f"{HERE}/test_trace_queries.py::test_the_answer_is_what_the_corpus_says",
    ]),
    24: ("a list of services that needs SigNoz's own span metrics", [
        f"{HERE}/test_trace_queries.py::test_the_answer_is_what_the_corpus_says",
    ]),
    25: ("usage of a call on more than one span: the OpenAI dashboard adds all of them", [
        "corpus/test_usage.py::test_every_call_has_its_usage_on_one_span",
    ]),
}  # fmt: skip


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_mistake_is_forgotten() -> None:
    assert sorted(MISTAKES) == list(range(1, 26))


@pytest.mark.parametrize("number", MISTAKES)
def test_every_mistake_has_its_tests(number: int) -> None:
    _, tests = MISTAKES[number]
    for path, _, name in (test.partition("::") for test in tests):
        assert name in functions(path)


def test_resources_are_found_by_values_with_markup(embedded: Store, make_exporter: MakeExporter) -> None:
    """The three conditions are those of SigNoz's query service."""
    embedded.empty()
    resource = {"service.name": "a<b>&c", "z": "1", "a": "2"}
    exporter = make_exporter(embedded.dsn, retention=20_000)
    exporter.export(batch_of(span(), resource=resource))
    exporter.export(log_batches.batch_of(log_batches.record(), resource=resource))

    for table in ("signoz_traces.traces_v3_resource", "signoz_logs.logs_v2_resource"):
        found = embedded.value(
            f"SELECT count() FROM {table} WHERE simpleJSONExtractString(labels, 'service.name') = 'a<b>&c'"
            " AND labels LIKE '%service.name%' AND labels LIKE '%service.name\":\"a<b>&c%'"
        )
        assert found == 1


def test_nothing_is_written_that_fills_itself(embedded: Store, make_exporter: MakeExporter) -> None:
    make_exporter(embedded.dsn, retention=20_000).export(corpus.batch("logs").take([0]))
    plain: dict[str, set[str]] = {}
    for database, table, column in embedded.rows(
        "SELECT database, table, name FROM system.columns WHERE default_kind = '' AND database LIKE 'signoz%'"
    ):
        plain.setdefault(f"{database}.{table}", set()).add(column)
    filled_by_views = {
        target.replace(".", ".distributed_")
        for (target,) in embedded.rows(
            "SELECT extract(create_table_query, ' TO (\\\\S+)') FROM system.tables WHERE engine = 'MaterializedView'"
        )
    }

    for insert in (*trace_inserts(corpus.batch("traces"), 0.0), *log_inserts(corpus.batch("logs"), 0.0)):
        assert set(insert.rows.schema.names) <= plain[insert.table]
        assert insert.table not in filled_by_views


def test_old_rows_are_taken_and_expire(embedded: Store, make_exporter: MakeExporter) -> None:
    """A span of a month ago is no reason to refuse the others; its day is dropped with the partition."""
    embedded.empty()
    now = int(time()) * 10**9
    times = [now - 40 * 86_400 * 10**9, now]
    exporter = make_exporter(embedded.dsn, retention=15, metrics_retention=30)
    exporter.export(batch_of(*(span(start_time_unix_nano=at) for at in times)))
    exporter.export(log_batches.batch_of(*(log_batches.record(time_unix_nano=at) for at in times)))
    exporter.export(metric_batch(metric("gauge", *(point(as_int=1, time_unix_nano=at) for at in times))))

    for table, time_column in (
        ("signoz_traces.signoz_index_v3", "toUnixTimestamp64Nano(timestamp)"),
        ("signoz_logs.logs_v2", "timestamp"),
        ("signoz_metrics.samples_v4", "unix_milli * 1000000"),
    ):
        embedded.connection.command(f"OPTIMIZE TABLE {table} FINAL")
        assert embedded.rows(f"SELECT {time_column} FROM {table}") == [(now,)]


@pytest.mark.parametrize("days", [-1, 0, LONGEST_LIFETIME + 1, 36_500, 100_000])
@pytest.mark.parametrize("which", ["retention", "metrics_retention", "rollup_retention"])
def test_no_lifetime_is_taken_that_clickhouse_cannot_count(which: str, days: int) -> None:
    with pytest.raises(ValidationError, match="not between 1 and 25000"):
        ClickhouseConfig.model_validate({"dsn": "chdb:///x", which: days})


def test_the_longest_lifetime_keeps_rows(embedded: Store, make_exporter: MakeExporter) -> None:
    """ClickHouse drops a row at insert whose end lies beyond the year 2106, where its clock starts anew."""
    embedded.empty()
    days = dict.fromkeys(("retention", "metrics_retention", "rollup_retention"), LONGEST_LIFETIME)
    exporter = make_exporter(embedded.dsn, **days)
    at = (int(time()) + 10 * 365 * 86_400) * 10**9
    exporter.export(batch_of(span(start_time_unix_nano=at)))
    exporter.export(log_batches.batch_of(log_batches.record(time_unix_nano=at)))
    exporter.export(metric_batch(metric("gauge", point(as_int=1, time_unix_nano=at))))
    exporter.export(rollups_batch([rollup(at // 10**9)]))

    for table in (
        "signoz_traces.signoz_index_v3",
        "signoz_logs.logs_v2",
        "signoz_metrics.samples_v4",
        "signoz_genai.rollup_1m",
    ):
        embedded.connection.command(f"OPTIMIZE TABLE {table} FINAL")
        assert embedded.value(f"SELECT count() FROM {table}") == 1, table


def test_an_insert_into_a_twin_is_answered_when_its_shard_has_it(store: Store) -> None:
    """One server has its only shard within itself and is never late, so what is looked at is what was asked for."""
    asked = "toString(getSetting('distributed_foreground_insert'))"
    store.connection.command(f"CREATE TABLE default.asked (a Int8, s String DEFAULT {asked}) ENGINE = Memory")
    store.connection.insert("default.asked", pa.record_batch({"a": pa.array([1], pa.int8())}), "a token")
    found = store.rows("SELECT a, s FROM default.asked")
    store.connection.command("DROP TABLE default.asked SYNC")

    assert found == [(1, "true")]
