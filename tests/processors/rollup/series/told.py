"""Points, log events and spans in a few words, and what a rollup makes of them."""

from collections import Counter

from collector.batch import Batch, Signal
from collector.component import Host
from collector.memory import Notebook
from collector.schema import ROLLUP_MAPS, ROLLUP_SUMS
from processors.rollup import RollupConfig, RollupProcessor
from tests.clock import Clock
from tests.processors.items import START, batch_of_items

MINUTE = 60 * 10**9
SERVICE = {"service.name": "shop", "telemetry.sdk.language": "python"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
FINE = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
LIBRARY = {"name": "library", "version": "1.0"}


class Keeper:
    """Keeps the notes of what was accepted, as an outbox does."""

    def __init__(self) -> None:
        self.kept: list = []

    def notes(self, owner: str) -> list[bytes]:
        return [note.data for note in self.kept if note.owner == owner]


class Subject:
    """Is a rollup processor that may be refused what it made, and be started again."""

    def __init__(self, **config) -> None:
        self.config = RollupConfig.model_validate({"other_signals": config})
        self.clock, self.keeper = Clock(START / 1e9), Keeper()
        self.rows: list = []
        self.restart()

    def restart(self) -> None:
        self.notebook = Notebook("rollup")
        self.notebook.keep_in(self.keeper)
        self.host = Host("rollup", clock=self.clock, memory=self.notebook)
        self.processor = RollupProcessor(self.config, self.host)
        self.processor.start()

    def take(self, batch: Batch, *, refuse: bool = False) -> list[dict]:
        """Return the rollup rows that are made of *batch*."""
        made = [one for one in self.processor.process(batch) if one.signal is Signal.ROLLUPS]
        rows = [row for one in made for row in one.main.to_pylist()]
        if not refuse:
            self.keeper.kept += self.notebook.open
            self.rows += rows
        self.notebook.close(kept=not refuse)
        return rows

    def total(self, *names: str):
        """Return what all rows taken so far add up to."""
        totals = tuple(sum(row[name] for row in self.rows) for name in names)
        return totals if len(names) > 1 else totals[0]

    def told(self) -> dict:
        """Return the sums of all rows by dimensions, what is 0 left out."""
        sums: dict = {}
        for row in self.rows:
            key = tuple(value for value in row.values() if isinstance(value, str))
            sums.setdefault(key, Counter()).update({name: row[name] for name in ROLLUP_SUMS})
            for name in ROLLUP_MAPS:
                sums[key].update({(name, bucket): calls for bucket, calls in row[name]})
        sums = {key: {name: value for name, value in total.items() if value} for key, total in sums.items()}
        return {key: total for key, total in sums.items() if total}


def histogram(
    count, total, name="gen_ai.client.operation.duration", *, at=1, since=0, buckets=None, bounds=FINE, delta=False,
    scope=LIBRARY, resource=SERVICE, unit="s", **attributes,
):  # fmt: skip
    """Return a point of a histogram *at* so many minutes."""
    if buckets is None:
        buckets = [0] * 5 + [count] + [0] * (len(bounds) - 5)
    return {
        "resource": resource,
        "scope": scope,
        "metric": _metric(name, "histogram", unit, delta),
        "attributes": {**CHAT, **{key.replace("__", "."): value for key, value in attributes.items()}},
        "start_time_unix_nano": START + since * MINUTE,
        "time_unix_nano": START + at * MINUTE,
        "count": count,
        "sum": float(total),
        "bucket_counts": buckets,
        "explicit_bounds": bounds,
    }


def counter(value, name, *, at=1, since=0, delta=False, scope=LIBRARY, resource=SERVICE, attributes=CHAT):
    """Return a point of a counter *at* so many minutes."""
    return {
        "resource": resource,
        "scope": scope,
        "metric": {**_metric(name, "sum", "1", delta), "is_monotonic": True},
        "attributes": attributes,
        "start_time_unix_nano": START + since * MINUTE,
        "time_unix_nano": START + at * MINUTE,
        "as_double" if isinstance(value, float) else "as_int": value,
    }


def _metric(name, kind, unit, delta):
    return {"name": name, "type": kind, "unit": unit, "aggregation_temporality": 1 if delta else 2}


def event(name, *, at=1, scope=LIBRARY, resource=SERVICE, place="event_name", **attributes):
    """Return a log event *at* so many minutes."""
    record = {"resource": resource, "scope": scope, "time_unix_nano": START + int(at * MINUTE)}
    if place == "event.name":
        attributes["event.name"] = name
    elif place == "body":
        record["body"] = name
    else:
        record["event_name"] = name
    return {**record, "attributes": attributes}


def call(number=1, *, at=1, scope=LIBRARY, resource=SERVICE, **columns):
    """Return the span of a call *at* so many minutes."""
    start = START + int(at * MINUTE)
    times = {"start_time_unix_nano": start, "end_time_unix_nano": start + 10**9}
    attributes = {**CHAT, "gen_ai.usage.input_tokens": 100}
    ids = {"trace_id": f"{number:032x}", "span_id": f"{number:016x}"}
    return {"resource": resource, "scope": scope, "attributes": attributes, **times, **ids, **columns}


def points(*items):
    return batch_of_items(Signal.METRICS, items)


def events(*items):
    return batch_of_items(Signal.LOGS, items)


def spans(*items):
    return batch_of_items(Signal.TRACES, items)
