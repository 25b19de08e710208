"""The outbox: taken means kept, sealed means repeatable, refused means remembered."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from collector.batch import Batch, Signal
from collector.component import BatchConfig, Exporter, ExporterConfig, Host, RetryConfig, SendingQueueConfig
from collector.errors import Divided, Permanent, Retryable
from collector.journal import Entry, Journal, JournalError, reading
from collector.letters import DeadLetter
from collector.memory import Note
from collector.outbox import Outbox
from collector.rows import with_column
from tests.batches import names_of, spans
from tests.waiting import until


class Recorder(Exporter):
    """Keeps what it is given, unless *answer* raises."""

    consumes = frozenset({Signal.TRACES})

    def __init__(self, config: ExporterConfig, host: Host) -> None:
        super().__init__(config, host)
        self.sent: list[Batch] = []
        self.tried: list[Batch] = []
        self.answer: Callable[[Batch], None] = lambda batch: None
        self.called = Event()

    def export(self, batch: Batch) -> None:
        self.tried.append(batch)
        try:
            self.answer(batch)
            self.sent.append(batch)
        finally:
            self.called.set()

    @property
    def names(self) -> list[str]:
        return [name for batch in self.sent for name in names_of(batch)]


def config(folder: Path, **queue: object) -> ExporterConfig:
    batch = BatchConfig(flush_timeout=0.01, min_size=8, max_size=10)
    return ExporterConfig(
        sending_queue=SendingQueueConfig(**{"directory": str(folder), "batch": batch, **queue}),
        retry_on_failure=RetryConfig(initial_interval=0.01, max_interval=0.02),
    )


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., tuple[Outbox, Recorder]]]:
    made: list[Outbox] = []

    def make(**queue: object) -> tuple[Outbox, Recorder]:
        recorder = Recorder(config(tmp_path, **queue), Host("recorder/1"))
        outbox = Outbox(recorder)
        made.append(outbox)
        return outbox, recorder

    yield make
    for outbox in made:
        outbox.stop(0)


def waiting(folder: Path) -> list[Entry]:
    with closing(Journal(folder / "recorder_1.sqlite")) as journal:
        return journal.waiting()


def gauge(outbox: Outbox, name: str) -> float:
    return outbox.host.metrics.value(f"otelcol_exporter_{name}", exporter="recorder/1")


def dead_letter(folder: Path, name: str = "recorder_1") -> DeadLetter:
    with closing(Journal(folder / f"{name}.sqlite")) as journal:
        [one] = journal.letters.kept()
        return DeadLetter(one.id, one.at, one.signal, one.rows, one.reason, journal.letters.body(one.seq))


def down(_: Batch) -> None:
    raise Retryable("the other side is down")


def test_delivers_in_order_and_keeps_nothing_behind(make, tmp_path):
    outbox, recorder = make()
    outbox.start()
    for number in range(25):
        outbox.put([spans(f"span {number}")])
    outbox.stop(10)

    assert [f"span {number}" for number in range(25)] == recorder.names
    assert waiting(tmp_path) == []
    assert max(batch.rows for batch in recorder.sent) <= 10


def test_what_was_taken_is_on_disk_before_put_returns(make, tmp_path):
    outbox, recorder = make()
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a", "b")])

    connection = sqlite3.connect(tmp_path / "recorder_1.sqlite")
    stored = connection.execute("SELECT rows FROM batches").fetchall()
    connection.close()
    assert stored == [(2,)]


def test_what_waits_is_readable_by_nobody_else(make, tmp_path):
    outbox, recorder = make(directory=str(tmp_path / "new" / "outbox"))
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a prompt")])
    folder = tmp_path / "new" / "outbox"
    files = [path for path in folder.iterdir() if path.stat().st_size]

    assert {path.suffix for path in files} >= {".sqlite", ".sqlite-wal"}
    assert [path.name for path in (folder, *files) if path.stat().st_mode & 0o077] == []


def test_an_undelivered_parcel_is_sent_again_after_a_restart_under_the_same_name_with_the_same_rows(make):
    outbox, recorder = make()
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a")])
    outbox.put([spans("b")])
    recorder.called.wait(5)
    outbox.stop(0)
    first = recorder.tried[0]

    later, again = make()
    later.start()
    later.put([spans("c")])
    later.stop(10)

    assert first.id == again.sent[0].id
    assert names_of(first) == names_of(again.sent[0])
    assert again.names == ["a", "b", "c"]


def test_a_request_that_is_sent_again_is_kept_once_even_after_a_restart(make):
    outbox, recorder = make()
    outbox.start()
    outbox.put([spans("a")])
    outbox.put([spans("a")])
    outbox.stop(10)
    assert recorder.names == ["a"]

    later, again = make()
    later.start()
    assert not later.put([spans("a")])
    assert later.put([spans("b")])
    later.stop(10)
    assert again.names == ["b"]


def test_a_request_is_known_whatever_became_of_it(make):
    outbox, recorder = make()
    outbox.start()
    assert outbox.put([spans("a")], ["request 1"])
    assert not outbox.put([spans("b")], ["request 1"])
    with pytest.raises(Divided):
        outbox.put([spans("c")], ["request 1", "request 2"])
    outbox.stop(10)

    assert recorder.names == ["a"]


def test_notes_are_kept_with_the_batches_and_read_back_after_a_restart(make):
    outbox, _ = make()
    outbox.start()
    late = outbox.host.clock() + 60
    outbox.put([spans("a")], ["1"], [Note("one", late, b"first"), Note("two", late, b"not mine")])
    outbox.put([spans("a")], ["1"], [Note("one", late, b"came again")])
    outbox.put([], ["2"], [Note("one", late, b"second"), Note("one", 1.0, b"out of date")])
    outbox.stop(10)

    later, _ = make()
    later.start()
    assert later.notes("one") == [b"first", b"second"]


def test_a_full_outbox_takes_no_notes(make):
    outbox, recorder = make(queue_size=1)
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a")])
    with pytest.raises(Retryable, match="full"):
        outbox.put([spans("b")], ["2"], [Note("one", outbox.host.clock() + 60, b"x")])

    assert outbox.notes("one") == []


def grouped(*names: str) -> Batch:
    """Return one batch made of a request per name."""
    whole = spans(*names)
    return Batch(whole.id, whole.signal, whole.tables, tuple(spans(name).id for name in names))


def test_requests_that_came_together_are_recognised_when_they_come_again_alone(make):
    outbox, recorder = make()
    outbox.start()
    outbox.put([grouped("a", "b")])
    outbox.put([spans("a")])
    outbox.put([spans("c")])
    outbox.put([grouped("a", "b")])
    outbox.stop(10)

    assert recorder.names == ["a", "b", "c"]


def test_a_group_of_which_some_were_taken_before_is_asked_for_one_by_one(make):
    outbox, recorder = make()
    outbox.start()
    outbox.put([spans("a")])
    with pytest.raises(Divided) as first:
        outbox.put([grouped("a", "b")])
    with pytest.raises(Divided) as second:
        outbox.put([grouped("a", "b")])
    assert first.value is not second.value, "one that is raised again and again keeps every stack it went through"
    outbox.put([spans("a")])
    outbox.put([spans("b")])
    outbox.stop(10)

    assert recorder.names == ["a", "b"]


def test_parcel_numbers_are_never_used_twice(make):
    ids = []
    for name in "abc":
        outbox, recorder = make()
        outbox.start()
        outbox.put([spans(name)])
        outbox.stop(10)
        ids += [batch.id for batch in recorder.sent]

    assert len(set(ids)) == 3


def test_a_full_outbox_asks_to_come_back_later_and_forgets_nothing(make):
    outbox, recorder = make(queue_size=3000)
    recorder.answer = down
    outbox.start()
    taken = []
    with pytest.raises(Retryable, match="full") as refusal:
        for number in range(100):
            outbox.put([spans(f"span {number}")])
            taken.append(f"span {number}")
    assert refusal.value.after
    assert taken

    recorder.answer = lambda batch: None
    outbox.stop(10)
    rest, later = make()
    rest.start()
    rest.stop(10)
    assert taken == recorder.names + later.names


def test_poison_is_found_and_kept_with_its_reason_and_the_rest_is_delivered(make, tmp_path):
    outbox, recorder = make()

    def refuse(batch: Batch) -> None:
        if "poison" in names_of(batch):
            raise Permanent("it does not fit")

    recorder.answer = refuse
    outbox.start()
    outbox.put([spans("a", "b", "poison", "c", "d", "e")])
    outbox.stop(10)

    assert recorder.names == ["a", "b", "c", "d", "e"]
    letter = dead_letter(tmp_path)
    assert names_of(Batch.load(letter.body)) == ["poison"]
    assert letter.reason == "it does not fit"


def test_an_exporter_that_knows_the_poison_rows_is_believed(make, tmp_path):
    outbox, recorder = make()

    def refuse(batch: Batch) -> None:
        raise Permanent("bad rows", rows=[1, 3])

    recorder.answer = refuse
    outbox.start()
    outbox.put([spans("a", "b", "c", "d")])
    outbox.stop(10)

    assert len(recorder.tried) == 1
    letter = dead_letter(tmp_path)
    assert names_of(Batch.load(letter.body)) == ["b", "d"]
    assert outbox.host.metrics.value("otelcol_exporter_sent_spans", exporter="recorder/1") == 2


def test_a_bug_in_the_exporter_ends_in_a_dead_letter_not_in_a_dead_thread(make, tmp_path):
    outbox, recorder = make()

    def fail(batch: Batch) -> None:
        if names_of(batch)[0] == "a":
            raise ZeroDivisionError

    recorder.answer = fail
    outbox.start()
    outbox.put([spans("a")])
    recorder.called.wait(5)
    outbox.put([spans("b")])
    outbox.stop(10)

    assert recorder.names == ["b"]
    letter = dead_letter(tmp_path)
    assert "ZeroDivisionError" in letter.reason


def test_a_flipped_bit_is_a_dead_letter(make, tmp_path):
    outbox, recorder = make()
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a")])
    outbox.stop(0)
    connection = sqlite3.connect(tmp_path / "recorder_1.sqlite")
    body = bytearray(connection.execute("SELECT body FROM batches").fetchone()[0])
    body[len(body) // 2] ^= 1
    connection.execute("UPDATE batches SET body = ?", (bytes(body),))
    connection.commit()
    connection.close()

    later, again = make()
    later.start()
    later.put([spans("b")])
    later.stop(10)

    assert again.names == ["b"]
    letter = dead_letter(tmp_path)
    assert "checksum" in letter.reason
    assert bytes(body) == letter.body


def test_giving_up_after_the_time_the_user_set_is_a_dead_letter(tmp_path):
    settings_ = config(tmp_path).model_copy(
        update={"retry_on_failure": RetryConfig(initial_interval=0.01, max_interval=0.01, max_elapsed_time=0.05)}
    )
    recorder = Recorder(settings_, Host("recorder"))
    recorder.answer = down
    outbox = Outbox(recorder)
    outbox.start()
    outbox.put([spans("a")])
    while not outbox.host.metrics.value("otelcol_exporter_send_failed_spans", exporter="recorder"):
        recorder.called.wait(0.01)
    outbox.stop(10)

    letter = dead_letter(tmp_path, "recorder")
    assert letter.reason.startswith("given up after")


def test_a_letter_is_kept_when_its_parcel_is_done_with_so_that_nothing_is_twice_after_a_restart(make, tmp_path):
    outbox, recorder = make()

    def refuse(batch: Batch) -> None:
        if names_of(batch)[0] == "poison":
            raise Permanent("it does not fit", rows=range(batch.rows)) if batch.rows == 1 else Permanent("which?")
        raise Retryable("the other side is down")

    recorder.answer = refuse
    outbox.start()
    outbox.put([spans("poison", "a")])
    until(lambda: [names_of(batch) for batch in recorder.tried].count(["a"]) > 1)
    outbox.stop(0)
    with closing(Journal(tmp_path / "recorder_1.sqlite")) as journal:
        assert journal.letters.kept() == []
        assert [entry.rows for entry in journal.waiting()] == [2]

    later, again = make()
    later.start()
    later.stop(10)
    assert again.names == ["poison", "a"]
    with closing(Journal(tmp_path / "recorder_1.sqlite")) as journal:
        assert (journal.letters.kept(), journal.waiting()) == ([], [])


def test_without_room_for_a_dead_letter_the_data_waits_and_goes_out_when_the_other_side_takes_it(make, tmp_path):
    outbox, recorder = make(dead_letters_size=1)

    def refuse(batch: Batch) -> None:
        raise Permanent("wrong key", rows=range(batch.rows))

    recorder.answer = refuse
    with capture_logs() as logs:
        outbox.start()
        outbox.put([spans("a")])
        until(lambda: gauge(outbox, "dead_letters") == 1)
        size = gauge(outbox, "dead_letters_bytes")
        outbox.put([spans("b", "c")])
        tried = len(recorder.tried)
        until(lambda: len(recorder.tried) > tried + 5)
    assert size > 0
    assert gauge(outbox, "dead_letters_full") == 1
    assert gauge(outbox, "dead_letters_capacity") == 1
    assert gauge(outbox, "queue_size") > 0
    assert [line["reason"] for line in logs if line["event"].startswith("no room among")] == ["wrong key"]
    assert {batch.id for batch in recorder.tried if batch.rows == 2} == {recorder.tried[-1].id}

    recorder.answer = lambda batch: None
    until(lambda: gauge(outbox, "queue_size") == 0)
    assert recorder.names == ["b", "c"]
    assert gauge(outbox, "dead_letters_full") == 0
    outbox.stop(10)
    assert names_of(Batch.load(dead_letter(tmp_path).body)) == ["a"]


def test_without_room_for_a_dead_letter_the_queue_fills_and_clients_hear_of_it(make):
    outbox, recorder = make(dead_letters_size=0, queue_size=5000)

    def refuse(batch: Batch) -> None:
        raise Permanent("no")

    recorder.answer = refuse
    outbox.start()
    taken = []
    with pytest.raises(Retryable, match="full"):
        for number in range(100):
            outbox.put([spans(f"span {number}")])
            taken.append(f"span {number}")
    until(lambda: gauge(outbox, "dead_letters_full") == 1)
    outbox.stop(0)
    rest, later = make()
    rest.start()
    rest.stop(10)
    assert later.names == taken


def test_only_what_was_refused_is_tried_again_without_room_for_a_dead_letter(make):
    outbox, recorder = make(dead_letters_size=0)

    def refuse(batch: Batch) -> None:
        if bad := [row for row, name in enumerate(names_of(batch)) if name == "poison"]:
            raise Permanent("bad row", rows=bad)

    recorder.answer = refuse
    outbox.start()
    outbox.put([spans("a", "poison", "b")])
    until(lambda: len(recorder.tried) > 3)

    assert [names_of(batch) for batch in recorder.tried[:3]] == [["a", "poison", "b"], ["poison"], ["poison"]]
    assert len({batch.id for batch in recorder.tried[1:]}) == 1
    assert outbox.host.metrics.value("otelcol_exporter_sent_spans", exporter="recorder/1") == 2


def test_what_cannot_be_read_waits_too_while_there_is_no_room_for_a_dead_letter(make, tmp_path):
    outbox, recorder = make()
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a")])
    outbox.stop(0)
    with closing(sqlite3.connect(tmp_path / "recorder_1.sqlite")) as connection, connection:
        connection.execute("UPDATE batches SET body = x'00'")

    full, _ = make(dead_letters_size=0)
    full.start()
    until(lambda: gauge(full, "dead_letters_full") == 1)
    full.stop(10)
    assert len(waiting(tmp_path)) == 1

    later, _ = make()
    later.start()
    later.stop(10)
    assert waiting(tmp_path) == []
    assert dead_letter(tmp_path).body == b"\0"


def test_a_letter_that_is_resent_goes_out_alone_under_the_name_it_was_refused_under(make, tmp_path):
    outbox, recorder = make()

    def refuse(batch: Batch) -> None:
        raise Permanent("wrong key", rows=range(batch.rows))

    recorder.answer = refuse
    outbox.start()
    outbox.put([spans("a", "b")])
    outbox.stop(10)
    [refused] = recorder.tried
    with closing(Journal(tmp_path / "recorder_1.sqlite")) as journal:
        [letter] = journal.letters.kept()
        journal.resend([(letter.seq, 1)])
        assert journal.letters.kept() == []

    still, again = make()
    again.answer = refuse
    still.start()
    still.put([spans("c")])
    still.stop(10)
    assert [names_of(batch) for batch in again.tried] == [["a", "b"], ["c"]]
    assert again.tried[0].id == refused.id
    with closing(Journal(tmp_path / "recorder_1.sqlite")) as journal:
        assert [one.id for one in journal.letters.kept()] == [batch.id for batch in again.tried]


def test_dead_letters_are_told_at_the_start(make):
    outbox, recorder = make()

    def refuse(batch: Batch) -> None:
        raise Permanent("no", rows=range(batch.rows))

    recorder.answer = refuse
    with capture_logs() as logs:
        outbox.start()
    assert logs == []
    outbox.put([spans("a")])
    outbox.stop(10)

    later, _ = make()
    with capture_logs() as logs:
        later.start()
    [line] = logs
    assert (line["letters"], line["log_level"]) == (1, "warning")
    assert line["bytes"] == gauge(later, "dead_letters_bytes") > 0
    assert "dead-letters list" in line["hint"]


def test_a_letter_holds_no_resources_of_others(make, tmp_path):
    outbox, recorder = make()
    batch = spans("a", "poison")
    resources = pa.concat_batches([batch.tables["resources"]] * 2)
    main = with_column(batch.main, "resource", pa.array([0, 1], pa.int32()))

    def refuse(batch: Batch) -> None:
        raise Permanent("no", rows=[1])

    recorder.answer = refuse
    outbox.start()
    outbox.put([Batch(batch.id, batch.signal, {**batch.tables, "resources": resources, "spans": main})])
    outbox.stop(10)

    letter = Batch.load(dead_letter(tmp_path).body)
    assert letter.tables["resources"].num_rows == 1
    assert letter.main.column("resource").to_pylist() == [0]


@pytest.mark.parametrize("version", [2, 3])
def test_a_file_of_a_format_before_is_taken_over(make, tmp_path, version):
    path = tmp_path / "recorder_1.sqlite"
    outbox, recorder = make()
    recorder.answer = down
    outbox.start()
    outbox.put([spans("a")])
    until(lambda: recorder.tried)
    outbox.stop(0)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE batches ADD COLUMN parcel INTEGER")
        connection.execute("CREATE INDEX batches_by_parcel ON batches (parcel) WHERE parcel IS NOT NULL")
        connection.execute("UPDATE batches SET parcel = (SELECT parcel FROM sealed WHERE seq = batches.seq)")
        connection.execute("DROP TABLE sealed")
        if version == 2:
            connection.execute("ALTER TABLE batches DROP COLUMN name")
        connection.execute(f"PRAGMA user_version = {version}")
    with reading(path) as letters:
        assert letters.kept() == []

    later, again = make()
    later.start()
    later.put([spans("b")])
    later.stop(10)
    assert again.names == ["a", "b"]
    assert again.sent[0].id == recorder.tried[0].id


def test_a_second_process_is_told_so(make, tmp_path):
    outbox, _ = make()
    outbox.start()

    with pytest.raises(JournalError, match="used by another process"):
        Journal(tmp_path / "recorder_1.sqlite")


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(JournalError, match=r"cannot be written \(Not a directory\); let this user write there"):
        Journal(tmp_path / "file" / "outbox" / "x.sqlite")


def test_a_damaged_file_is_told_with_what_to_do(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is no database at all" * 100)

    with pytest.raises(JournalError, match="move it away"):
        Journal(path)


def test_a_file_of_a_later_version_is_not_touched(tmp_path):
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(JournalError, match="format 99"):
        Journal(path)


def test_a_disk_that_fails_asks_the_client_to_come_back(make):
    outbox, recorder = make()
    outbox.start()
    outbox._opened._connection.execute("PRAGMA max_page_count = 1")

    with pytest.raises(Retryable, match="full"):
        outbox.put([spans(*(os.urandom(500).hex() for _ in range(200)))])

    outbox._opened._connection.execute("PRAGMA max_page_count = 1000000")
    outbox.put([spans("a")])
    outbox.stop(10)
    assert recorder.names == ["a"]


@contextmanager
def failing(folder: Path, change: str) -> Iterator[None]:
    """Make SQLite fail at *change*, ``INSERT ON sealed`` for example, as on a full disk."""
    path = folder / "recorder_1.sqlite"
    for statement in (
        f"CREATE TRIGGER full BEFORE {change} BEGIN SELECT raise(ABORT, 'database or disk is full'); END",
        "DROP TRIGGER full",
    ):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)
        if statement.startswith("CREATE"):
            yield


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the outbox try again at once what failed in it."""
    monkeypatch.setattr("collector.outbox._AGAIN_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
def test_what_the_disk_does_not_let_it_seal_waits_and_goes_out_later(make, tmp_path):
    outbox, recorder = make()
    outbox.start()
    with capture_logs() as logs:
        with failing(tmp_path, "INSERT ON sealed"):
            outbox.put([spans("a", "b")])
            until(lambda: len(logs) > 2)
            outbox.put([spans("c")])
            assert recorder.tried == []
            assert {(line["event"], line["error"]) for line in logs} == {
                ("the disk of the outbox fails, deliveries wait for it", "database or disk is full")
            }
        until(lambda: recorder.names == ["a", "b", "c"])
    outbox.stop(10)

    assert waiting(tmp_path) == []
    assert gauge(outbox, "queue_size") == 0
    assert [(queue.rows, queue.memory) for queue in outbox._queues.values()] == [(0, 0)]


@pytest.mark.usefixtures("quick")
def test_what_could_not_be_sealed_is_there_after_a_restart(make, tmp_path):
    outbox, _ = make()
    outbox.start()
    with capture_logs() as logs, failing(tmp_path, "INSERT ON sealed"):
        outbox.put([spans("a")])
        until(lambda: logs)
        outbox.stop(10)
    assert logs[-1]["batches"] == 1

    later, again = make()
    later.start()
    later.stop(10)
    assert again.names == ["a"]


@pytest.mark.usefixtures("quick")
def test_a_delivery_is_not_made_again_because_the_disk_does_not_let_it_end(make, tmp_path):
    outbox, recorder = make()
    outbox.start()
    with capture_logs() as logs:
        with failing(tmp_path, "DELETE ON batches"):
            outbox.put([spans("a")])
            until(lambda: len(logs) > 2)
        until(lambda: gauge(outbox, "queue_size") == 0)

    assert len(recorder.tried) == 1


@pytest.mark.parametrize("change", ["DELETE ON notes", "DELETE ON recent"])
def test_what_was_written_counts_though_what_is_out_of_date_cannot_be_removed(make, tmp_path, monkeypatch, change):
    monkeypatch.setattr("collector.journal.REMEMBERED", 1)
    outbox, recorder = make()
    outbox.start()
    with capture_logs() as logs, failing(tmp_path, change):
        for name in "abc":
            assert outbox.put([spans(name)], [name], [Note("one", 1.0, b"out of date")])
        until(lambda: recorder.names == ["a", "b", "c"])

    assert {line["event"] for line in logs} == {"the outbox could not remove what is out of date"}


def test_batches_of_other_columns_travel_apart_and_hold_up_nobody(make, tmp_path):
    outbox, recorder = make(batch=BatchConfig(flush_timeout=60.0, min_size=4, max_size=10))

    def refuse(batch: Batch) -> None:
        if "b" in names_of(batch):
            raise Retryable("the answer was lost")

    recorder.answer = refuse
    outbox.start()
    lacking = spans("b", "c")
    lacking = lacking.with_main(lacking.main.drop_columns(["status_message"]))
    for batch in (spans("a"), lacking, spans("d")):
        outbox.put([batch])
    until(lambda: len(recorder.tried) > 2)
    outbox.stop(0)
    assert [names_of(batch) for batch in recorder.tried[:2]] == [["a", "d"], ["b", "c"]]
    with closing(Journal(tmp_path / "recorder_1.sqlite")) as journal:
        assert len({entry.parcel for entry in journal.waiting()}) == 1

    later, again = make()
    later.start()
    later.put([spans("e")])
    later.stop(10)
    assert again.names == ["a", "d", "b", "c", "e"]
    assert [batch.id for batch in again.sent[:2]] == [batch.id for batch in recorder.tried[:2]]
    assert waiting(tmp_path) == []


def test_no_parcel_is_begun_when_the_patience_is_over(make, tmp_path):
    outbox, recorder = make()
    let_go = Event()
    recorder.answer = lambda batch: until(let_go.is_set)
    outbox.start()
    for name in "abc":
        outbox.put([spans(*(f"{name}{number}" for number in range(9)))])
    recorder.called.clear()
    stopping = Thread(target=outbox.stop, args=(0,))
    until(lambda: recorder.tried)
    stopping.start()
    until(outbox._stopping.is_set)
    let_go.set()
    stopping.join()

    assert [batch.rows for batch in recorder.sent] == [9]
    assert [entry.rows for entry in waiting(tmp_path)] == [9, 9]


def test_a_delivery_that_does_not_end_is_left_alone_and_made_again_after_the_next_start(make, tmp_path, monkeypatch):
    monkeypatch.setattr("collector.outbox.GRACE_SECONDS", 0.05)
    outbox, recorder = make()
    let_go = Event()
    stopped = []
    monkeypatch.setattr(recorder, "stop", lambda: stopped.append(let_go.is_set()))
    recorder.answer = lambda batch: until(let_go.is_set)
    outbox.start()
    outbox.put([spans("a")])
    until(lambda: recorder.tried)
    with capture_logs() as logs:
        outbox.stop(0)
        assert [line["event"] for line in logs] == [
            "a delivery did not end in time; it is made again after the next start",
            "undelivered batches stay in the outbox for the next start",
        ]
        assert stopped == []
        thread = outbox._thread
        let_go.set()
        thread.join(10)
        assert len(logs) == 2

    later, again = make()
    later.start()
    later.stop(10)
    assert [batch.id for batch in again.sent] == [batch.id for batch in recorder.tried]


def test_the_memory_queue_writes_nothing_and_delivers_the_same(make, tmp_path):
    outbox, recorder = make(storage="memory")
    outbox.start()
    for number in range(25):
        outbox.put([spans(f"span {number}")])
    outbox.stop(10)

    assert [f"span {number}" for number in range(25)] == recorder.names
    assert list(tmp_path.iterdir()) == []


def test_many_clients_at_once_lose_and_double_nothing(make):
    outbox, recorder = make()
    outbox.start()

    def client(number: int) -> None:
        for turn in range(20):
            outbox.put([spans(f"{number}.{turn}")])

    threads = [Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.stop(10)

    assert sorted(f"{number}.{turn}" for number in range(8) for turn in range(20)) == sorted(recorder.names)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["ok", "retry", "stop"])), max_size=12))
def test_whatever_the_other_side_answers_everything_arrives_once(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("outbox")
    received: dict[str, list[str]] = {}
    expected = []
    outbox = None
    answers = iter([])

    def answer(batch: Batch) -> None:
        received[batch.id] = names_of(batch)
        if next(answers, "ok") == "retry":
            raise Retryable("the answer was lost")

    for number, (rows, step) in enumerate(steps):
        if outbox is None:
            recorder = Recorder(config(folder), Host("recorder"))
            recorder.answer = answer
            outbox = Outbox(recorder)
            outbox.start()
        answers = iter([step])
        batch = spans(*(f"{number}.{row}" for row in range(rows)))
        outbox.put([batch])
        expected += names_of(batch)
        if step == "stop":
            outbox.stop(0)
            outbox = None
    if outbox is not None:
        outbox.stop(0)
    answers = iter([])
    recorder = Recorder(config(folder), Host("recorder"))
    recorder.answer = answer
    outbox = Outbox(recorder)
    outbox.start()
    outbox.stop(10)

    assert sorted(expected) == sorted(name for names in received.values() for name in names)
