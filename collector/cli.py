"""The command line: run, validate, components, print-config."""

import json
import traceback
from collections.abc import Callable
from importlib.metadata import version
from inspect import getdoc
from typing import Any, TypeVar

import click

from collector import allocator, registry
from collector.config import Configuration, load, render
from collector.config.text import write
from collector.errors import ConfigError
from collector.registry import BrokenComponentError, Kind

F = TypeVar("F", bound=Callable[..., Any])

_COMMAND = "genai-collector"
_DESCRIPTION = "OTLP in, exact GenAI numbers in ClickHouse out"
_MISTAKES = 2
_FAILED = 1


class _Commands(click.Group):
    """Turns what goes wrong into lines for the user and the exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            context.exit(_MISTAKES)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if context.find_root().meta.get("with_stack"):
                traceback.print_exc()
            reason = " ".join(str(error).split())
            click.echo(f"{_COMMAND}: {type(error).__name__}: {reason or 'no reason given'}", err=True)
            context.exit(_FAILED)


def _configured(function: F) -> F:
    """Give a command the options that name the configuration."""
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


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@_configured
@click.version_option(version(_COMMAND), prog_name=_COMMAND, message="%(prog)s version %(version)s")
@click.pass_context
def main(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Run the collector with a configuration, until SIGINT or SIGTERM."""
    context.obj = (sources, overrides)
    if context.invoked_subcommand is None:
        configuration = _load(context, (), ())
        context.find_root().meta["with_stack"] = configuration.telemetry.logs.level == "debug"
        from collector.service import Service  # noqa: PLC0415 (only who runs needs the engine)

        allocator.economise()
        context.exit(Service(configuration).run())


@main.command()
@_configured
@click.pass_context
def validate(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Check a configuration and start nothing; silent when it has no mistakes."""
    _load(context, sources, overrides)


@main.command("print-config")
@_configured
@click.option("--mode", type=click.Choice(["redacted", "unredacted"]), default="redacted", help="Hide secrets or not.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="How to write it.")
@click.pass_context
def print_config(
    context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...], mode: str, form: str
) -> None:
    """Print the configuration as it is understood, defaults included."""
    written = render(_load(context, sources, overrides), unredacted=mode == "unredacted")
    click.echo(
        json.dumps(written, indent=2, ensure_ascii=False) if form == "json" else write(written), nl=form == "json"
    )


@main.command()
def components() -> None:
    """List every component that is installed."""
    listed: dict[str, Any] = {
        "buildinfo": {"command": _COMMAND, "description": _DESCRIPTION, "version": version(_COMMAND)}
    }
    for kind in Kind:
        listed[kind.value] = [_described(kind, type_) for type_ in registry.names(kind)]
    click.echo(write(listed), nl=False)


def _load(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> Configuration:
    """Load what the options before and behind the command name; print the warnings."""
    before = context.obj
    if not before[0] + sources:
        raise click.UsageError(
            f"at least one config flag must be provided; try: {_COMMAND} --config config.yaml", context
        )
    configuration = load(before[0] + sources, before[1] + overrides)
    for warning in configuration.warnings:
        click.echo(f"warning: {warning}", err=True)
    return configuration


def _described(kind: Kind, type_: str) -> dict[str, str]:
    try:
        doc = getdoc(registry.find(kind, type_)) or ""
    except BrokenComponentError as error:
        return {"name": type_, "problem": str(error)}
    summary = " ".join(doc.partition("\n\n")[0].split())
    return {"name": type_, "module": registry.module(kind, type_), "summary": summary}
