"""Commands that packages add to ``genai-collector``: what a component can do besides running.

A command is a click command or group, made known by one entry point in group ``genai_collector.commands``; the name of
the entry point is the word on the command line. Nothing is imported before the word is used or help is asked for.

    @click.command()
    @configured
    def reprice(configuration: Configuration) -> None:
        for exporter in made(configuration, ClickhouseExporter):
            ...

What the user can put right is a `click.ClickException`, `Retryable` or `Permanent` whose text says what to do; anything
else is told as a bug is.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from time import time
from typing import Any, TypeVar

import click

from collector.component import Component, Host
from collector.config import Configuration, load
from collector.registry import Kind
from collector.units import parse_duration

C = TypeVar("C", bound=Component)
F = TypeVar("F", bound=Callable[..., Any])


def configured(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name the configuration, and the configuration as its first argument."""

    @click.pass_context
    @wraps(function)
    def with_configuration(
        context: click.Context, /, *arguments: Any, sources: tuple[str, ...], overrides: tuple[str, ...], **options: Any
    ) -> Any:
        return function(load_named(context, sources, overrides), *arguments, **options)

    return naming(with_configuration)


def moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Return the time that an option names, UTC unless it says otherwise, or as how long ago it is: its *callback*."""
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(time() - parse_duration(value), UTC)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is neither a time like 2026-11-22T10:00 nor how long ago, like 90m"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def made(configuration: Configuration, cls: type[C]) -> list[C]:
    """Return the processors, exporters and extensions of *cls* in the configuration, in use or not; none is started."""
    return [
        spec.cls(spec.config, Host(spec.id))
        for kind in (Kind.PROCESSORS, Kind.EXPORTERS, Kind.EXTENSIONS)
        for spec in configuration.section(kind).values()
        if issubclass(spec.cls, cls)
    ]


def naming(function: F) -> F:
    """Give a command the options ``--config`` and ``--set``, as *sources* and *overrides*."""
    function = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set one value: a.b=v. Repeatable; wins over files.",
    )(function)
    return click.option(
        "--config",
        "sources",
        multiple=True,
        metavar="FILE",
        help="A file, file:PATH, env:NAME or yaml:TEXT. Repeatable; later ones are laid over earlier ones.",
    )(function)


def load_named(
    context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...], *, look_at_files: bool = False
) -> Configuration:
    """Load what the options before and behind the command name; print the warnings.

    *look_at_files* is for what starts every component: a command may be run by somebody who may not read their keys.
    """
    before = context.obj or ((), ())
    if not before[0] + sources:
        command = context.find_root().info_name
        raise click.UsageError(
            f"at least one config flag must be provided; try: {command} --config config.yaml", context
        )
    configuration = load(before[0] + sources, before[1] + overrides, look_at_files=look_at_files)
    for warning in configuration.warnings:
        click.echo(f"warning: {warning}", err=True)
    return configuration
