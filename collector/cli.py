"""The command line: run, validate, components, print-config, and the commands that packages add."""

import json
import os
import traceback
from importlib.metadata import version
from inspect import getdoc
from typing import Any

import click

from collector import registry
from collector.command import configured, load_named, naming
from collector.config import Configuration, load, render
from collector.config.text import write
from collector.errors import ConfigError, Permanent, Retryable
from collector.registry import BrokenComponentError, Kind

_COMMAND = "genai-collector"
_DESCRIPTION = "OTLP in, exact GenAI numbers in ClickHouse out"
_MISTAKES = 2
_FAILED = 1


class _Commands(click.Group):
    """Finds packages' commands beside its own; turns what goes wrong into lines for the user and the exit code."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *registry.command_names()})

    def get_command(self, context: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(context, cmd_name)
        if own is not None or cmd_name not in registry.command_names():
            return own
        try:
            return registry.command(cmd_name)
        except BrokenComponentError as error:
            return _Broken(cmd_name, error)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            context.exit(_MISTAKES)
        except (Retryable, Permanent) as error:
            click.echo(f"{_COMMAND}: {error}", err=True)
            context.exit(_FAILED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if context.find_root().meta.get("with_stack"):
                traceback.print_exc()
            reason = " ".join(str(error).split())
            click.echo(f"{_COMMAND}: {type(error).__name__}: {reason or 'no reason given'}", err=True)
            context.exit(_FAILED)


class _Broken(click.Command):
    """Stands for a command that cannot be loaded: help goes on, using it says why."""

    def __init__(self, name: str, error: BrokenComponentError) -> None:
        super().__init__(name, short_help=f"cannot be loaded: {error.text}", add_help_option=False)
        self.context_settings = {"ignore_unknown_options": True, "allow_extra_args": True}
        self._error = error

    def invoke(self, context: click.Context) -> Any:  # noqa: ARG002 - as the base class has it
        raise click.ClickException(str(self._error))


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@naming
@click.version_option(version(_COMMAND), prog_name=_COMMAND, message="%(prog)s version %(version)s")
@click.pass_context
def main(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Run the collector with a configuration, until SIGINT or SIGTERM; SIGHUP reads it again."""
    # gRPC's C library would put lines of its own between those of the log; it reads this when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    context.obj = (sources, overrides)
    if context.invoked_subcommand is None:
        configuration = load_named(context, (), (), look_at_files=True)
        context.find_root().meta["with_stack"] = configuration.telemetry.logs.level == "debug"
        from collector.life import Life, leave  # noqa: PLC0415 (only who runs needs the engine)

        leave(Life(configuration, lambda: load(sources, overrides, look_at_files=True)).run())


@main.command()
@naming
@click.pass_context
def validate(context: click.Context, sources: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Check a configuration and the files it names, and start nothing; silent when it has no mistakes."""
    load_named(context, sources, overrides, look_at_files=True)


@main.command("print-config")
@configured
@click.option("--mode", type=click.Choice(["redacted", "unredacted"]), default="redacted", help="Hide secrets or not.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="How to write it.")
def print_config(configuration: Configuration, mode: str, form: str) -> None:
    """Print the configuration as it is understood, defaults included."""
    written = render(configuration, unredacted=mode == "unredacted")
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


def _described(kind: Kind, type_: str) -> dict[str, str]:
    try:
        doc = getdoc(registry.find(kind, type_)) or ""
    except BrokenComponentError as error:
        return {"name": type_, "problem": str(error)}
    summary = " ".join(doc.partition("\n\n")[0].split())
    return {"name": type_, "module": registry.module(kind, type_), "summary": summary}
