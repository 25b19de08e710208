"""The command ``dead-letters``: see what exporters refused for good, send it again, or drop it.

A running collector has its outboxes to itself: beside it letters can be looked at, not moved.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, cast

import click

from collector.batch import UNITS, Batch
from collector.command import configured, moment
from collector.component import ExporterConfig
from collector.config import Configuration
from collector.errors import Permanent
from collector.journal import InUseError, Journal, JournalError, reading
from collector.letters import Kept, Letters
from collector.otlp.json import encode_json
from collector.otlp.protocol import PROTOCOLS
from collector.queue_file import file_of

_RESENT_BYTES = 64 * 1024**2
"""How much is resent in one transaction: the file grows by as much meanwhile."""
_REASON_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """Says which letters are meant: all, but for what is asked for."""

    exporters: tuple[str, ...]
    since: datetime | None
    ids: tuple[str, ...]

    def files(self, configuration: Configuration) -> dict[str, Path]:
        """Return the outbox files that are there, by the exporter's id."""
        files = {
            id_: file_of(id_, cast(ExporterConfig, spec.config), Path())
            for id_, spec in configuration.exporters.items()
        }
        for id_ in self.exporters:
            if id_ not in files:
                raise click.BadParameter(f'no exporter "{id_}" in the configuration; there are: {", ".join(files)}')
            if files[id_] is None:
                raise click.BadParameter(f'exporter "{id_}" has no queue on disk, so it keeps no dead letters')
        wanted = {id_: path for id_, path in files.items() if path and (not self.exporters or id_ in self.exporters)}
        there = {id_: path for id_, path in wanted.items() if path.exists()}
        if not there and wanted:
            path = next(iter(wanted.values()))
            click.echo(f"no outbox file {path}; relative folders start where the command is run", err=True)
        return there

    def of(self, found: Mapping[str, Letters]) -> dict[str, list[Kept]]:
        """Return the letters that are meant, oldest first, by exporter."""
        kept = {exporter: letters.kept() for exporter, letters in found.items()}
        ids = {self._whole(start, [one.id for letters in kept.values() for one in letters]) for start in self.ids}
        return {
            exporter: [
                one
                for one in letters
                if (self.since is None or one.at >= self.since.timestamp()) and (not self.ids or one.id in ids)
            ]
            for exporter, letters in kept.items()
        }

    @staticmethod
    def _whole(start: str, ids: Iterable[str]) -> str:
        """Return the only id that begins with *start*, or is it."""
        fitting = {id_ for id_ in ids if id_.startswith(start)}
        if start in fitting:
            return start
        if not fitting:
            raise click.BadParameter(f'no dead letter has the id "{start}"; dead-letters list shows those there are')
        if len(fitting) > 1:
            raise click.BadParameter(f'{len(fitting)} dead letters have ids that begin with "{start}"; give more of it')
        return fitting.pop()


def choosing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the configuration, and the options that say which letters are meant, as *choice*."""

    @wraps(function)
    def with_choice(
        configuration: Configuration,
        exporters: tuple[str, ...],
        since: datetime | None,
        ids: tuple[str, ...],
        **options: Any,
    ) -> Any:
        return function(configuration, Choice(exporters, since, ids), **options)

    wrapped = configured(with_choice)
    wrapped = click.option("--id", "ids", multiple=True, help="A letter's id or how it begins. Repeatable.")(wrapped)
    since = "Refused since then: a time like 2026-11-22T10:00 (UTC), or how long ago, like 90m."
    wrapped = click.option("--since", metavar="TIME", callback=moment, help=since)(wrapped)
    return click.option(
        "--exporter", "exporters", multiple=True, metavar="ID", help="Only this exporter's. Repeatable."
    )(wrapped)


@click.group("dead-letters")
def dead_letters() -> None:
    """See what was refused for good, send it again, or drop it."""


@dead_letters.command("list")
@choosing
def list_(configuration: Configuration, choice: Choice) -> None:
    """Print a line for each letter. The collector may be running."""
    with _read(choice.files(configuration)) as found:
        chosen = choice.of(found)
    lines: list[tuple[str, ...]] = [("exporter", "refused at (UTC)", "signal", "items", "size", "reason", "id")]
    for exporter, kept in chosen.items():
        for one in kept:
            reason = " ".join(one.reason.split())
            short = reason if len(reason) <= _REASON_LENGTH else reason[: _REASON_LENGTH - 3] + "..."
            lines.append((exporter, _time(one), one.signal, str(one.rows), _size(one.size), short, one.id))
    if len(lines) > 1:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [
                text.rjust(width) if place in (3, 4) else text.ljust(width)
                for place, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            click.echo("  ".join(cells).rstrip())
    click.echo(_summary(chosen))


@dead_letters.command()
@choosing
def show(configuration: Configuration, choice: Choice) -> None:
    """Print what is in letters: OTLP/JSON, a line a letter, or a line a row of rollups. The collector may be running.

    Which letter it is and why it was refused goes to standard error.
    """
    with _read(choice.files(configuration)) as found:
        for exporter, kept in choice.of(found).items():
            for one in kept:
                click.echo(f"# {exporter} {one.id}, {_time(one)} UTC, refused: {one.reason}", err=True)
                try:
                    for line in _lines(Batch.load(found[exporter].body(one.seq))):
                        click.echo(line)
                except (ValueError, Permanent) as error:
                    click.echo(f"# cannot be shown: {error}", err=True)


@dead_letters.command()
@choosing
def resend(configuration: Configuration, choice: Choice) -> None:
    """Put letters back into the queue; they go out when the collector starts. Stop the collector first.

    What the other side took of a letter when it refused the rest is known there by the same name.
    """
    with _locked(choice.files(configuration)) as journals:
        chosen = choice.of({exporter: journal.letters for exporter, journal in journals.items()})
        unreadable = sum(_resend(journals[exporter], exporter, kept) for exporter, kept in chosen.items())
    click.echo(f"{_summary(chosen)}; {unreadable} of them unreadable" if unreadable else _summary(chosen))
    if unreadable:
        raise click.ClickException("what cannot be read stays among the dead letters")
    if any(chosen.values()):
        click.echo("back in the queue; they go out when the collector starts")


@dead_letters.command()
@choosing
@click.option("--yes", is_flag=True, help="Really delete them.")
def drop(configuration: Configuration, choice: Choice, *, yes: bool) -> None:
    """Delete letters for good. Stop the collector first."""
    with _locked(choice.files(configuration)) as journals:
        chosen = choice.of({exporter: journal.letters for exporter, journal in journals.items()})
        click.echo(_summary(chosen))
        if not any(chosen.values()):
            return
        if not yes:
            raise click.ClickException("nothing was deleted; add --yes to delete them for good")
        for exporter, kept in chosen.items():
            journals[exporter].drop(one.seq for one in kept)
        click.echo("deleted")
        for exporter, kept in chosen.items():
            if kept and not journals[exporter].shrink():
                click.echo(f"{exporter}: no room to make the file smaller; its free space is used again", err=True)


def _resend(journal: Journal, exporter: str, kept: Sequence[Kept]) -> int:
    """Put letters back into the queue, some at a time, and return how many cannot be read."""
    unreadable = size = 0
    ready: list[tuple[int, int]] = []
    for one in kept:
        try:
            ready.append((one.seq, Batch.load(journal.letters.body(one.seq)).nbytes))
        except ValueError as error:
            click.echo(f"{exporter} {one.id}: {error}", err=True)
            unreadable += 1
            continue
        size += one.size
        if size >= _RESENT_BYTES:
            journal.resend(ready)
            ready, size = [], 0
    journal.resend(ready)
    return unreadable


@contextmanager
def _read(files: Mapping[str, Path]) -> Iterator[dict[str, Letters]]:
    """Open the files for reading, beside a running collector or not."""
    try:
        with ExitStack() as stack:
            yield {exporter: stack.enter_context(reading(path)) for exporter, path in files.items()}
    except JournalError as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def _locked(files: Mapping[str, Path]) -> Iterator[dict[str, Journal]]:
    """Open the files for writing, which nobody else can meanwhile."""
    try:
        with ExitStack() as stack:
            yield {exporter: stack.enter_context(closing(Journal(path))) for exporter, path in files.items()}
    except InUseError as error:
        raise click.ClickException(
            "the collector that uses this outbox is running; stop it first (list and show work beside it)"
        ) from error
    except JournalError as error:
        raise click.ClickException(str(error)) from error


def _lines(batch: Batch) -> Iterator[str]:
    if batch.signal in PROTOCOLS:
        yield encode_json(batch).decode()
        return
    for row in batch.main.to_pylist(maps_as_pydicts="strict"):
        yield json.dumps(row, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _summary(chosen: Mapping[str, Sequence[Kept]]) -> str:
    letters = [one for kept in chosen.values() for one in kept]
    if not letters:
        return "no dead letters"
    items: dict[str, int] = {}
    for one in letters:
        unit = UNITS[one.signal].replace("_", " ")
        items[unit] = items.get(unit, 0) + one.rows
    counts = ", ".join(f"{count} {unit}" for unit, count in items.items())
    return f"{len(letters)} dead letter{'s' * (len(letters) > 1)}: {counts}, {_size(sum(one.size for one in letters))}"


def _time(letter: Kept) -> str:
    return f"{datetime.fromtimestamp(letter.at, UTC):%Y-%m-%d %H:%M:%S}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
