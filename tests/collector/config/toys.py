"""Small components of somebody else's package, installed for the tests: what a configuration is held against."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click
import pytest
from pydantic import Field

from collector.batch import Batch
from collector.command import configured, made
from collector.component import ComponentConfig, Exporter, ExporterConfig, Extension, Processor, Receiver
from collector.config import Configuration
from collector.errors import Retryable
from collector.units import Duration, Secret

HERE = "tests.collector.config.toys"
ENTRY_POINTS = f"""\
[genai_collector.receivers]
toy_in = {HERE}:ToyReceiver

[genai_collector.processors]
toy_step = {HERE}:ToyProcessor

[genai_collector.exporters]
toy_out = {HERE}:ToyExporter

[genai_collector.extensions]
toy_watch = {HERE}:ToyExtension

[genai_collector.commands]
toy-play = {HERE}:play
"""
GOOD = """\
receivers: {toy_in: }
exporters: {toy_out: {dsn: "memory://"}}
service: {pipelines: {traces: {receivers: [toy_in], exporters: [toy_out]}}}
"""


class Door(ComponentConfig):
    endpoint: str = "localhost:1"
    max_size_mib: int = Field(4, ge=1)


class Doors(ComponentConfig):
    grpc: Door | None = None
    http: Door | None = None


class ToyReceiverConfig(ComponentConfig):
    protocols: Doors = Doors()
    timeout: Duration = 90.0


class Action(ComponentConfig):
    key: str
    value: int | bool | None = None


class ToyProcessorConfig(ComponentConfig):
    mode: Literal["fast", "exact"] = "fast"
    ratio: float = Field(0.5, ge=0, le=1)
    enabled: bool = True
    actions: list[Action] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    doors: dict[str, Door] = Field(default_factory=dict)


class ToyExporterConfig(ExporterConfig):
    dsn: str
    password: Secret = Secret("")
    api_key: str = ""
    passphrases: list[Secret] = Field(default_factory=list)
    headers: dict[str, str] = Field(default_factory=dict)
    port: int | None = None


class ToyReceiver(Receiver):
    """Takes nothing in.

    It has a second paragraph.
    """

    Config = ToyReceiverConfig


class ToyProcessor(Processor):
    """Passes everything on."""

    Config = ToyProcessorConfig

    def process(self, batch: Batch) -> Iterable[Batch]:
        return [batch]


class ToyExporter(Exporter):
    """Forgets everything."""

    Config = ToyExporterConfig

    def export(self, batch: Batch) -> None:
        pass


class ToyExtension(Extension):
    """Watches."""


@click.group()
def play() -> None:
    """Plays with the toys."""


@play.command()
@configured
@click.argument("word")
@click.option("--loud", is_flag=True)
def say(configuration: Configuration, word: str, loud: bool) -> None:
    """Say a word for each exporter."""
    if word == "later":
        raise Retryable("ask later")
    for exporter in made(configuration, ToyExporter):
        click.echo(f"{exporter.host.id} {exporter.config.dsn} {word.upper() if loud else word}")


class NoComponent:
    """Is a class of another trade."""


def install(site: Path, entry_points: str = ENTRY_POINTS, name: str = "toys", metadata: str = "") -> Path:
    """Install a package with these entry points in the folder *site*, as pip leaves it there."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
    (info / "entry_points.txt").write_text(entry_points)
    return site


@contextmanager
def installed(site: Path) -> Iterator[None]:
    """Make the packages in *site* importable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        yield
