"""collector/dead_letters.py: what was refused for good is seen, sent again and dropped; real files, real processes."""

import gzip
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from collector.batch import Batch, Signal
from collector.cli import main
from collector.component import Host
from collector.journal import Journal
from collector.letters import DeadLetter
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.otlp.json import from_json
from collector.otlp.protocol import PROTOCOLS
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup import RollupConfig, RollupProcessor
from tests.batches import spans
from tests.contents import contents
from tests.requests import request
from tests.running import ROOT, Collector

NOON = 1_763_812_800.0
"""2025-11-22 12:00:00 UTC."""

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:{grpc}"}}, http: {{endpoint: "localhost:{http}"}}}}}}
exporters:
  otlphttp:
    endpoint: "{dsn}"
    sending_queue: {{directory: "{outbox}", batch: {{flush_timeout: 10ms}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlphttp]}}
"""


class Site:
    """Is a folder with a configuration of two exporters, whose outbox files the tests write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        exporter = f"endpoint: localhost:1, sending_queue: {{directory: '{folder}/outbox'}}"
        self.config.write_text(f"""
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
exporters:
  otlp: {{{exporter}}}
  otlp/two: {{{exporter}}}
  debug:
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp, otlp/two, debug]}}}}}}
""")

    def file(self, exporter: str) -> Path:
        return self.folder / "outbox" / f"{exporter.replace('/', '_')}.sqlite"

    def bury(self, exporter: str, *batches: Batch, at: float = NOON, reason: str = "wrong key") -> None:
        with closing(Journal(self.file(exporter))) as journal:
            letters = [DeadLetter(one.id, at, one.signal, one.rows, reason, one.dump()) for one in batches]
            journal.finish(0, letters)

    def left(self, exporter: str) -> list[str]:
        with closing(Journal(self.file(exporter))) as journal:
            return [one.id for one in journal.letters.kept()]

    def waiting(self, exporter: str) -> list[str]:
        with closing(Journal(self.file(exporter))) as journal:
            return [one.id for one in journal.waiting()]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["dead-letters", *arguments, "--config", str(self.config)])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


A, B, C = spans("a", batch_id="aa01"), spans("b", "c", batch_id="aa02"), spans("d", batch_id="cc03")


def test_each_letter_has_a_line(site):
    site.bury("otlp", A, B)
    site.bury("otlp/two", C, at=NOON + 1, reason="a long\n reason " * 20)

    result = site.run("list")

    assert result.exit_code == 0, result.output
    head, *lines, summary = result.stdout.splitlines()
    assert head.split("  ")[0] == "exporter"
    assert [line.split()[0] for line in lines] == ["otlp", "otlp", "otlp/two"]
    assert [line.split()[-1] for line in lines] == ["aa01", "aa02", "cc03"]
    assert "2025-11-22 12:00:00  traces" in lines[0]
    assert "2025-11-22 12:00:01  traces" in lines[2]
    assert "a long reason a long reason" in lines[2]
    assert max(map(len, lines)) < 170
    assert summary.startswith("3 dead letters: 4 spans, ")


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--exporter", "otlp"], ["aa01", "aa02"]),
        (["--exporter", "otlp", "--exporter", "otlp/two"], ["aa01", "aa02", "cc03"]),
        (["--id", "aa02", "--id", "c"], ["aa02", "cc03"]),
        (["--since", "2025-11-22T12:00:01"], ["cc03"]),
        (["--since", "2025-11-22T14:00:00+02:00"], ["aa01", "aa02", "cc03"]),
        (["--since", "0"], []),
    ],
)
def test_letters_are_chosen(site, options, ids):
    site.bury("otlp", A, B, at=NOON)
    site.bury("otlp/two", C, at=NOON + 1)

    result = site.run("list", *options)

    lines = result.stdout.splitlines()[1:-1]
    assert [line.split()[-1] for line in lines] == ids
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--exporter", "otlp/three"],
            'no exporter "otlp/three" in the configuration; there are: otlp, otlp/two, debug',
        ),
        (["--exporter", "debug"], 'exporter "debug" has no queue on disk'),
        (["--id", "aa"], '2 dead letters have ids that begin with "aa"'),
        (["--id", "x"], 'no dead letter has the id "x"'),
        (["--since", "yesterday"], "'yesterday' is neither a time"),
    ],
)
@pytest.mark.parametrize("command", [["list"], ["resend"], ["drop", "--yes"]], ids=" ".join)
def test_a_wrong_choice_is_told_and_nothing_done(site, command, options, words):
    site.bury("otlp", A, B)

    result = site.run(*command, *options)

    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert site.left("otlp") == ["aa01", "aa02"]


def test_without_letters_that_is_said(site):
    nothing = site.run("list")
    assert nothing.stdout == "no dead letters\n"
    assert "no outbox file" in nothing.stderr
    assert not site.file("otlp").parent.exists()

    site.bury("otlp")
    for command in (["list"], ["show"], ["resend"], ["drop"]):
        result = site.run(*command)
        assert (result.exit_code, result.stderr) == (0, "")


def test_what_is_in_a_letter_is_shown_as_otlp_json(site, corpus_batch):
    site.bury("otlp", corpus_batch, reason="it does\nnot fit")

    result = site.run("show")

    assert result.exit_code == 0
    [line] = result.stdout.splitlines()
    signal = corpus_batch.signal
    assert contents(signal, [from_json(signal, line.encode())]) == contents(signal, [encode(corpus_batch)])
    assert corpus_batch.id in result.stderr
    assert "it does\nnot fit" in result.stderr


CORPUS = ROOT / "tests" / "corpus" / "decode"


@pytest.fixture(params=list(PROTOCOLS))
def corpus_batch(request):
    folder = CORPUS if request.param is Signal.TRACES else CORPUS / request.param
    return decode(request.param, max(folder.glob("*.pb"), key=lambda path: path.stat().st_size).read_bytes())


def test_rollups_are_shown_as_rows(site):
    data, calls = request(5, random.Random(1))
    [named] = GenaiProcessor(GenaiConfig(), Host("genai")).process(decode(Signal.TRACES, data))
    _, rollup = RollupProcessor(RollupConfig(), Host("rollup")).process(named)
    site.bury("otlp", rollup)

    result = site.run("show")

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == rollup.rows
    assert sum(row["calls"] for row in rows) == len(calls)
    assert sum(sum(row["duration_buckets"].values()) for row in rows) == len(calls)


def test_resent_letters_wait_again_and_those_that_cannot_be_read_stay(site):
    site.bury("otlp", A, B, C)
    with closing(sqlite3.connect(site.file("otlp"))) as connection, connection:
        connection.execute("UPDATE dead_letters SET body = x'00' WHERE id = 'cc03'")

    one = site.run("resend", "--id", "aa02")
    assert one.exit_code == 0, one.output
    assert (site.left("otlp"), site.waiting("otlp")) == (["aa01", "cc03"], ["aa02"])

    rest = site.run("resend")
    assert rest.exit_code == 1
    assert "cc03: not a dumped batch" in rest.stderr
    assert (site.left("otlp"), site.waiting("otlp")) == (["cc03"], ["aa02", "aa01"])
    with closing(Journal(site.file("otlp"))) as journal:
        first, second = journal.waiting()
    assert (first.name, second.name) == ("aa02", "aa01")
    assert first.parcel != second.parcel
    assert first.memory > 0


def test_many_letters_are_resent_in_several_transactions(site, monkeypatch):
    monkeypatch.setattr("collector.dead_letters._RESENT_BYTES", 1)
    site.bury("otlp", A, B, C)

    assert site.run("resend").exit_code == 0
    with closing(Journal(site.file("otlp"))) as journal:
        assert len({entry.parcel for entry in journal.waiting()}) == 3
        assert journal.seal([]) > max(entry.parcel or 0 for entry in journal.waiting())


def test_letters_are_dropped_only_when_that_is_meant_and_the_file_shrinks(site):
    chance = random.Random(1)
    site.bury("otlp", *(spans(*(chance.randbytes(2000).hex() for _ in range(50))) for _ in range(9)), A)
    before = site.file("otlp").stat().st_size

    asked = site.run("drop")
    assert asked.exit_code == 1
    assert "add --yes" in asked.stderr
    assert len(site.left("otlp")) == 10

    kept = site.left("otlp")[1:-1]
    assert site.run("drop", "--yes", *(option for id_ in kept for option in ("--id", id_))).exit_code == 0
    assert site.left("otlp")[1:] == ["aa01"]
    assert site.run("drop", "--yes").exit_code == 0
    assert site.left("otlp") == []
    assert site.file("otlp").stat().st_size < before / 5


class Gate(BaseHTTPRequestHandler):
    """Is an OTLP/HTTP receiver that wants a key until it is told to be kind."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.taken.append(body)
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def gate() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("localhost", 0), Gate)
    server.status, server.taken = 401, []
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def command(collector: Collector, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead-letters", *arguments, "--config", str(collector.config)])


def test_a_wrong_key_is_put_right_and_everything_arrives_once(tmp_path):
    with gate() as server:
        collector = Collector(tmp_path, dsn=f"http://localhost:{server.server_port}", config=CONFIG)
        collector.start()
        requests = [request(3, random.Random(number))[0] for number in range(2)]
        with collector.exporting() as export:
            for data in requests:
                export(data)
        deadline = time.monotonic() + 60
        while collector.waiting("otlphttp") and time.monotonic() < deadline:
            time.sleep(0.05)

        beside = command(collector, "list")
        assert "2 dead letters: 6 spans" in beside.stdout or "1 dead letter: 6 spans" in beside.stdout, beside
        assert "401" in beside.stdout
        assert "resourceSpans" in command(collector, "show").stdout
        for words in (["resend"], ["drop", "--yes"]):
            locked = command(collector, *words)
            assert locked.exit_code == 1
            assert "is running; stop it first" in locked.stderr
        assert collector.stop() == 0, collector.text

        after = command(collector, "list")
        assert after.stdout == beside.stdout, "what a stopped collector leaves reads the same"
        assert command(collector, "resend").exit_code == 0
        server.status = 200
        collector.start()
        assert collector.stop() == 0, collector.text
        assert command(collector, "list").stdout == "no dead letters\n"
        assert collector.waiting("otlphttp") == 0
        sent = sorted(name for data in requests for name in span_ids(data))
        assert sorted(name for data in server.taken for name in span_ids(unpacked(data))) == sent


def span_ids(data: bytes) -> list[bytes]:
    ids: list[bytes] = decode(Signal.TRACES, data).main.column("span_id").to_pylist()
    return ids


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
