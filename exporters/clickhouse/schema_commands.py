"""``genai-collector schema``: the tables in ClickHouse planned, made and checked without running the collector."""

from contextlib import closing

import click

from collector.command import configured
from collector.config import Configuration
from collector.errors import Retryable
from exporters.clickhouse import ClickhouseExporter, schema
from exporters.clickhouse.attach import look, own_wanted
from exporters.clickhouse.catalog import Catalog
from exporters.clickhouse.client import Connection, UnusableError
from exporters.clickhouse.commands import connected, exporters_of
from exporters.clickhouse.plan import Stamp, Step, plan
from exporters.clickhouse.schema import Outlook
from exporters.clickhouse.verify import verify_attached, verify_created


@click.group("schema")
def schema_command() -> None:
    """Plan, make or check the tables in ClickHouse."""


@schema_command.command("plan")
@configured
def plan_command(configuration: Configuration) -> None:
    """Print the statements that `apply` would run.

    A ClickHouse that cannot be asked is taken for an empty one.
    """
    for exporter in exporters_of(configuration):
        remark, steps = _planned(exporter)
        click.echo(f"-- {exporter.host.id}: {remark}")
        for step in steps:
            click.echo(f"\n-- {step.why}\n{step.sql};")


@schema_command.command()
@configured
def apply(configuration: Configuration) -> None:
    """Make what is missing and bring up to date what is older."""
    for exporter in exporters_of(configuration):
        with closing(connected(exporter)) as connection:
            steps = _outlook(exporter, connection).steps
            exporter.prepare(connection)
        for step in steps:
            click.echo(f"{exporter.host.id}: {step.why}: done")
        if not steps:
            click.echo(f"{exporter.host.id}: nothing to do")


@schema_command.command()
@configured
@click.pass_context
def verify(context: click.Context, configuration: Configuration) -> None:
    """Check tables, columns, engines, lifetimes and settings; exit with 1 when something is wrong."""
    wrong = False
    for exporter in exporters_of(configuration):
        with closing(connected(exporter)) as connection:
            faults = (verify_attached if exporter.attaches else verify_created)(connection, exporter.options)
        for fault in faults:
            click.echo(f"{exporter.host.id}: {'' if fault.serious else 'note: '}{fault}")
        if not faults:
            click.echo(f"{exporter.host.id}: everything is as it should be")
        wrong = wrong or any(fault.serious for fault in faults)
    context.exit(int(wrong))


def _outlook(exporter: ClickhouseExporter, connection: Connection) -> Outlook:
    if exporter.attaches:
        return look(connection, exporter.options).own
    return schema.outlook(connection, exporter.options)


def _planned(exporter: ClickhouseExporter) -> tuple[str, list[Step]]:
    """Return a remark and the steps; nothing is made, not even a folder."""
    unasked = f"there is no {exporter.folder} yet"
    if exporter.folder is None or exporter.folder.exists():
        try:
            with closing(exporter.connect()) as connection:
                return f"{connection.name} as it is now", list(_outlook(exporter, connection).steps)
        except (Retryable, UnusableError) as error:
            unasked = str(error)
    wanted = own_wanted(exporter.options) if exporter.attaches else schema.wanted(exporter.options)
    return f"taken for empty, because {unasked}", plan(wanted, Catalog(), Stamp())
