from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from collector.batch import Batch, Signal, concat, content_id
from collector.otlp.decode import decode

CORPUS = Path(__file__).parents[1] / "corpus" / "decode"
CAPTURES = [path.read_bytes() for path in sorted(CORPUS.glob("*.pb"))]


@pytest.fixture(scope="module")
def batches() -> list[Batch]:
    return [decode(Signal.TRACES, data) for data in CAPTURES]


def described(batch: Batch) -> list[dict[str, Any]]:
    """Return every span with its resource and scope in place of their row numbers."""
    tables = {name: table.to_pylist() for name, table in batch.tables.items()}
    return [
        {**span, "resource": tables["resources"][span["resource"]], "scope": tables["scopes"][span["scope"]]}
        for span in tables["spans"]
    ]


def test_content_id_names_the_joined_bytes() -> None:
    assert content_id(b"ab", b"c") == content_id(b"abc")
    assert content_id(b"abc") != content_id(b"abd")
    assert len(content_id()) == 32
    assert set(content_id(b"x")) <= set("0123456789abcdef")


def test_large_batches_come_back_equal_one_after_the_other(batches: list[Batch]) -> None:
    for start in (batches[0], batches[-1]):
        large = concat("large", [start] * (300_000 // start.main.nbytes + 1))
        assert dict(Batch.load(large.dump()).tables) == dict(large.tables)


def test_dump_comes_back_equal(batches: list[Batch]) -> None:
    for batch in batches:
        back = Batch.load(batch.dump())
        assert (back.id, back.signal, dict(back.tables)) == (batch.id, batch.signal, dict(batch.tables))


def test_dump_of_no_rows_comes_back_equal() -> None:
    batch = decode(Signal.TRACES, b"")
    assert Batch.load(batch.dump()).tables == batch.tables


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_metrics_and_logs_come_back_equal(signal: Signal) -> None:
    for path in sorted((CORPUS / signal).glob("*.pb")):
        batch = decode(signal, path.read_bytes())
        back = Batch.load(batch.dump())
        assert (back.id, back.signal, dict(back.tables)) == (batch.id, signal, dict(batch.tables))


def test_concat_of_metrics_moves_the_numbers_of_metrics_too() -> None:
    batches = [decode(Signal.METRICS, path.read_bytes()) for path in sorted((CORPUS / "metrics").glob("*.pb"))]
    joined = concat("joined", batches)
    names = joined.tables["metrics"].column("name").to_pylist()
    assert [names[row] for row in joined.main.column("metric").to_pylist()] == [
        batch.tables["metrics"].column("name")[row].as_py()
        for batch in batches
        for row in batch.main.column("metric").to_pylist()
    ]


def test_equal_batches_dump_equal_bytes() -> None:
    assert decode(Signal.TRACES, CAPTURES[0]).dump() == decode(Signal.TRACES, CAPTURES[0]).dump()


def test_dump_of_a_part_holds_only_that_part(batches: list[Batch]) -> None:
    whole = concat("whole", batches)
    part = whole.take([3])
    assert len(part.dump()) < len(whole.dump()) / 2
    assert described(Batch.load(part.dump())) == [described(whole)[3]]


def test_load_refuses_other_bytes(batches: list[Batch]) -> None:
    body = batches[0].dump()
    for wrong in (b"", b"GCB", b"x" * 100, body[:8], body[:12], body[:40], body[:-1], body[: len(body) // 2]):
        with pytest.raises(ValueError, match=r".+"):
            Batch.load(wrong)


def test_concat_keeps_every_span_with_its_owners(batches: list[Batch]) -> None:
    joined = concat("joined", batches)
    assert joined.id == "joined"
    assert described(joined) == [span for batch in batches for span in described(batch)]
    assert joined.tables["resources"].num_rows == sum(batch.tables["resources"].num_rows for batch in batches)


def test_concat_of_concats_is_one_concat(batches: list[Batch]) -> None:
    left = concat("left", batches[:3])
    nested = concat("nested", [left, concat("right", batches[3:5])])
    assert described(nested) == described(concat("flat", batches[:5]))


def test_concat_of_one_keeps_what_was_computed(batches: list[Batch]) -> None:
    calls = []

    def count(batch: Batch) -> int:
        calls.append(batch.id)
        return batch.rows

    assert batches[0].memo(count) == batches[0].memo(count)
    assert concat("alone", batches[:1]).memo(count) == batches[0].rows
    assert calls == [batches[0].id]


def test_take_keeps_order_and_repeats_its_id(batches: list[Batch]) -> None:
    whole = concat("whole", batches)
    spans = described(whole)
    part = whole.take([4, 0, 2])
    assert described(part) == [spans[4], spans[0], spans[2]]
    assert part.id == whole.take([4, 0, 2]).id
    assert len({whole.id, part.id, whole.take([0, 2, 4]).id, whole.take([]).id}) == 4


def test_derived_ids_follow_parent_and_step(batches: list[Batch]) -> None:
    one, two = batches[:2]
    rollups = {"rollups": pa.record_batch({"calls": [1, 2]})}
    derived = one.derive("rollup", Signal.ROLLUPS, rollups)
    assert (derived.rows, derived.signal) == (2, Signal.ROLLUPS)
    assert derived.id == one.derive("rollup", Signal.ROLLUPS, {}).id
    assert (
        len({derived.id, one.derive("other", Signal.ROLLUPS, {}).id, two.derive("rollup", Signal.ROLLUPS, {}).id}) == 3
    )


def test_other_columns_keep_id_and_owners(batches: list[Batch]) -> None:
    batch = batches[0]
    changed = batch.with_main(batch.main.set_column(7, "name", pa.array(["renamed"] * batch.rows)))
    assert changed.id == batch.id
    assert changed.tables["resources"] is batch.tables["resources"]
    assert set(changed.main.column("name").to_pylist()) == {"renamed"}
    assert "renamed" not in batch.main.column("name").to_pylist()


def test_a_late_column_is_made_once_and_only_if_somebody_wants_its_table(batches: list[Batch]) -> None:
    made = []

    def make(name: str) -> pa.Array:
        made.append(name)
        return pa.array([name] * batch.rows)

    batch = batches[0]
    first = batch.with_late("name", lambda: make("first"), {})
    second = first.derive("step", batch.signal, first.tables).with_late("name", lambda: make("second"), {len: 3})
    assert (second.rows, second.tables["scopes"], second.memo(len)) == (batch.rows, batch.tables["scopes"], 3)
    assert second.column("kind").equals(batch.column("kind"))
    assert not made
    assert set(second.column("name").to_pylist()) == set(second.main.column("name").to_pylist()) == {"second"}
    assert made == ["second"]
    assert Batch.load(second.dump()).main.equals(second.main)
    assert second.main.drop_columns("name").equals(batch.main.drop_columns("name"))


def test_size_counts_every_table(batches: list[Batch]) -> None:
    batch = batches[0]
    assert batch.nbytes == sum(table.get_total_buffer_size() for table in batch.tables.values())
    assert batch.nbytes > batch.main.get_total_buffer_size()


def test_a_table_of_an_unknown_schema_keeps_it_through_a_dump(batches: list[Batch]) -> None:
    main = batches[0].main
    odd = batches[0].with_main(main.append_column("mood", pa.array(["good"] * main.num_rows)))
    assert Batch.load(odd.dump()).main.equals(odd.main)
