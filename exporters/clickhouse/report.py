"""The report card: what each service and library leaves out, as `signoz_genai.report_card` finds it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from exporters.clickhouse.client import Connection

_NOTHING = "none"


class Finding(NamedTuple):
    """Is one thing that is missing or suspicious, and the one line that says what to do."""

    text: str
    advice: str


class Reporter(NamedTuple):
    """Is one library in one service: how it writes its spans, how many calls it reported, what there is to say."""

    title: str
    conventions: Sequence[str]
    calls: int
    findings: Sequence[Finding]


def report_card(connection: Connection, start: datetime, end: datetime) -> list[Reporter]:
    """Return what the spans of [*start*, *end*) tell of those who wrote them."""
    rows = connection.rows(
        "SELECT service_name, language, library, library_version, conventions, calls, finding, affected_calls, advice"
        f" FROM signoz_genai.report_card(start = {int(start.timestamp())}, end = {int(end.timestamp())})"
    )
    found: dict[str, Reporter] = {}
    for service, language, library, number, conventions, calls, name, affected, advice in rows:
        written = f" ({language})" if language else ""
        title = f"{service or 'unnamed service'}{written}: {library or 'unnamed library'} {number}".rstrip()
        before = found.get(title, Reporter(title, conventions, calls, ()))
        told = () if name == _NOTHING else (Finding(f"{name}: {affected} of {calls} calls", advice),)
        found[title] = before._replace(findings=(*before.findings, *told))
    return list(found.values())
