"""What travels together: as much as fits, and only like with like."""

import pyarrow as pa

from collector import parcel
from collector.batch import Batch, Signal
from collector.journal import Entry
from collector.parcel import Queue, joined
from tests.batches import names_of, spans


def entry(seq: int, rows: int = 1, memory: int = 1) -> Entry:
    return Entry(seq, str(seq), Signal.TRACES, rows, memory, memory)


def queue(*entries: Entry) -> Queue:
    made = Queue()
    for one in entries:
        made.add(one)
    return made


def wider(batch: Batch) -> Batch:
    """Return the batch with one column more."""
    more = batch.main.append_column("more", pa.array(["x"] * batch.rows))
    return batch.with_main(more)


def test_a_parcel_is_full_after_so_many_rows_or_bytes():
    half = parcel.PARCEL_BYTES // 2

    assert len(queue(*(entry(seq, rows=4) for seq in range(5))).first(9)) == 2
    assert len(queue(*(entry(seq, rows=4) for seq in range(5))).first(0)) == 5
    assert len(queue(*(entry(seq, memory=half) for seq in range(5))).first(9)) == 2
    assert len(queue(entry(1, rows=100, memory=9 * half), entry(2)).first(9)) == 1


def test_what_is_chosen_waits_until_it_is_removed():
    waiting = queue(*(entry(seq, rows=2, memory=3) for seq in range(3)))
    chosen = waiting.first(4)
    waiting.add(entry(3, rows=5, memory=7))
    assert (waiting.rows, waiting.memory) == (11, 16)
    waiting.remove(chosen)

    assert [one.seq for one in waiting.entries] == [2, 3]
    assert (waiting.rows, waiting.memory) == (7, 10)


def test_batches_that_are_alike_become_one_under_the_name_they_are_given():
    [whole] = joined("w-7", [(1, spans("a")), (2, spans("b"))])

    assert (whole.id, names_of(whole)) == ("w-7", ["a", "b"])


def test_batches_with_other_columns_or_tables_travel_apart():
    lacking = spans("e")
    lacking = Batch(lacking.id, lacking.signal, {k: v for k, v in lacking.tables.items() if k != "scopes"})
    members = [(1, spans("a")), (2, wider(spans("b"))), (3, spans("c")), (4, wider(spans("d"))), (5, lacking)]
    pieces = joined("w-7", members)

    assert [(piece.id, names_of(piece)) for piece in pieces] == [
        ("w-7-1", ["a", "c"]),
        ("w-7-2", ["b", "d"]),
        ("w-7-5", ["e"]),
    ]
    assert joined("w-7", []) == []


def test_what_is_read_back_is_like_what_was_dumped():
    tagged = spans("a")
    tagged = tagged.with_main(tagged.main.replace_schema_metadata({"said": "by a processor"}))
    for batch in (tagged, wider(spans("b"))):
        assert len(joined("w-7", [(1, batch), (2, Batch.load(batch.dump()))])) == 1


def test_what_is_left_of_a_parcel_never_goes_under_a_name_that_other_rows_had():
    members = [(1, spans("a")), (2, wider(spans("b"))), (3, spans("c"))]
    had = {piece.id: set(names_of(piece)) for piece in joined("w-7", members)}
    for lost in range(3):
        left = joined("w-7", [one for place, one in enumerate(members) if place != lost])
        assert all(set(names_of(piece)) <= had.get(piece.id, {"a", "b", "c"}) for piece in left)
        assert all(piece.id in had or piece.id in {"w-7", "w-7-3"} for piece in left)
