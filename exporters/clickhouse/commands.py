"""The commands that ClickHouse adds to ``genai-collector``."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import click

from collector.command import configured, made, moment
from collector.config import Configuration
from collector.prices import PriceBook, read_own
from exporters.clickhouse import ClickhouseExporter
from exporters.clickhouse.client import Connection, UnusableError
from exporters.clickhouse.report import report_card
from exporters.clickhouse.reprice import Change
from exporters.clickhouse.reprice import reprice as priced_anew

_FIRST = "First moment, UTC: 2026-11-21, 2026-11-21T08:00, or how long ago, like 36h."
_LAST = "The moment after the last, UTC; default is now."
_until = click.option("--to", "end", metavar="TIME", callback=moment, help=_LAST)


@click.command()
@click.option("--from", "start", metavar="TIME", callback=moment, required=True, help=_FIRST)
@_until
@click.option(
    "--prices",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file with prices of your own; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print the difference and store nothing.")
@configured
def reprice(
    configuration: Configuration, start: datetime, end: datetime | None, files: tuple[Path, ...], *, dry_run: bool
) -> None:
    """Compute the cost of past calls again and print the difference by model.

    Costs that applications reported are replaced too. A model without a price keeps the cost it has.
    """
    book = PriceBook([entry for path in files for entry in read_own(path)])
    first, last = _period(start, end)
    for name, connection in _connections(configuration):
        changes = priced_anew(connection, book, first, last, dry_run=dry_run)
        click.echo(f"{name}: prices from {book.source}" + ("; nothing was stored" if dry_run else ""))
        _print(changes)


@click.command()
@click.option("--from", "start", metavar="TIME", callback=moment, help=f"{_FIRST} Default is a day before --to.")
@_until
@configured
def report(configuration: Configuration, start: datetime | None, end: datetime | None) -> None:
    """Print what is missing or suspicious in what each service and library reports, and what to do about it."""
    first, last = _period(start, end)
    for name, connection in _connections(configuration):
        click.echo(f"{name}: model calls from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC")
        card = report_card(connection, first, last)
        for reporter in card:
            calls = f"{reporter.calls} call{'s' * (reporter.calls != 1)}"
            click.echo(f"\n{reporter.title}\n  {calls}, written as {', '.join(reporter.conventions)}")
            for finding in reporter.findings:
                click.echo(f"  - {finding.text}\n    {finding.advice}")
            if not reporter.findings:
                click.echo("  nothing is missing")
        if not card:
            click.echo("no model calls; send some, or name an earlier --from")


def _period(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """Return the first moment and the one after the last; without *start* it is a day."""
    last = (end or datetime.now(UTC)).astimezone(UTC)
    first = start.astimezone(UTC) if start else last - timedelta(days=1)
    if first >= last:
        raise click.UsageError(f"--from ({first:%Y-%m-%d %H:%M:%S}) must be before --to ({last:%Y-%m-%d %H:%M:%S})")
    return first, last


def exporters_of(configuration: Configuration) -> list[ClickhouseExporter]:
    """Return the clickhouse exporters of a configuration; having none is a mistake."""
    found = made(configuration, ClickhouseExporter)
    if not found:
        raise click.ClickException("the configuration names no clickhouse exporter; add one, or name another file")
    return found


def connected(exporter: ClickhouseExporter) -> Connection:
    """Return a connection of a command's own."""
    try:
        return exporter.connect()
    except UnusableError as error:
        raise click.ClickException(f"{exporter.host.id}: dsn: {error}") from error


def _connections(configuration: Configuration) -> Iterator[tuple[str, Connection]]:
    """Yield the name of each clickhouse exporter and a connection, closed afterwards."""
    for exporter in exporters_of(configuration):
        with closing(connected(exporter)) as connection:
            yield exporter.host.id, connection


def _print(changes: Mapping[tuple[str, str], Change]) -> None:
    lines: list[tuple[str, ...]] = [("provider", "model", "calls", "before USD", "after USD", "difference")]
    ordered = sorted(changes.items(), key=lambda item: -abs(item[1].difference))
    whole = reduce(Change.plus, changes.values(), Change())
    for (provider, model), change in [*ordered, (("", "all"), whole)]:
        amounts = (change.before, change.after, change.difference)
        told = ["unknown" if amount is None else f"{amount / 1e9:,.6f}" for amount in amounts]
        lines.append((provider, model, str(change.calls), *told))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        left = [text.ljust(width) for text, width in zip(line[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(line[2:], widths[2:], strict=True)]
        click.echo("  ".join([*left, *right]).rstrip())
