"""What every registered component must keep, ours and third parties' alike."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from collector.batch import Batch, Signal
from collector.component import (
    Component,
    ComponentConfig,
    Exporter,
    Extension,
    Host,
    Processor,
    Receiver,
)
from tests.batches import spans

KINDS: dict[str, type[Component]] = {
    "receivers": Receiver,
    "processors": Processor,
    "exporters": Exporter,
    "extensions": Extension,
}
FOUND = [(kind, point) for kind in KINDS for point in entry_points(group=f"genai_collector.{kind}")]
PROCESSORS = [(kind, point) for kind, point in FOUND if kind == "processors"]

# The least configuration of components that cannot do without one.
NEEDED: dict[str, dict[str, Any]] = {
    "otlp": {"protocols": {"grpc": {"endpoint": "localhost:0"}, "http": {"endpoint": "localhost:0"}}},
    "exporters/file": {"path": "otlp.json"},
    "exporters/otlp": {"endpoint": "localhost:1"},
    "otlp_grpc": {"endpoint": "localhost:1"},
    "otlp_http": {"endpoint": "http://localhost:1"},
    "otlphttp": {"endpoint": "http://localhost:1"},
    "clickhouse": {"dsn": "clickhouse://localhost:1/"},
    "clickhouse_http": {"endpoint": "localhost:0"},
    "health_check": {"endpoint": "localhost:0"},
    "attributes": {"actions": [{"key": "a", "action": "insert", "value": 1}]},
    "memory_limiter": {"limit_percentage": 100},
    "probabilistic_sampler": {"sampling_percentage": 50},
    "resource": {"attributes": [{"key": "a", "action": "insert", "value": 1}]},
}


def name(value: object) -> str | None:
    return value.name if isinstance(value, EntryPoint) else None


every_component = pytest.mark.parametrize(("kind", "point"), FOUND, ids=name)
every_processor = pytest.mark.parametrize(("kind", "point"), PROCESSORS, ids=name)


def make(kind: str, point: EntryPoint, base: Path) -> Component:
    cls = point.load()
    config = cls.Config.model_validate(NEEDED.get(f"{kind}/{point.name}", NEEDED.get(point.name, {})))
    more = [lambda batch: None] if kind == "receivers" else []
    component: Component = cls(config, Host(point.name, base=base), *more)
    return component


def fields(model: type[ComponentConfig]) -> Iterator[tuple[str, Any]]:
    for field_name, field in model.model_fields.items():
        yield f"{model.__name__}.{field_name}", field
        for inner in nested(field):
            yield from fields(inner)


def nested(field: Any) -> list[type[ComponentConfig]]:
    kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ComponentConfig)]


def documented(field: Any) -> bool:
    return bool(field.description or any(kind.__doc__ for kind in nested(field)))


def test_there_is_something_of_every_kind():
    assert {kind for kind, _ in FOUND} == set(KINDS)


def test_what_pyproject_registers_is_installed():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    groups = project["entry-points"]
    installed = {group: {point.name: point.value for point in entry_points(group=group)} for group in groups}

    missing = {
        f"{group}: {name}"
        for group, lines in groups.items()
        for name, value in lines.items()
        if installed[group].get(name) != value
    }
    assert not missing, "only installing reads pyproject.toml: run .venv/bin/pip install -e '.[dev]'"


@every_component
def test_it_is_a_class_of_its_kind_and_says_what_it_is_for(kind, point):
    cls = point.load()

    assert issubclass(cls, KINDS[kind])
    assert (cls.__doc__ or "").strip()


@every_component
def test_its_config_documents_every_key_and_refuses_unknown_ones(kind, point):
    config = point.load().Config
    undocumented = [path for path, field in fields(config) if not documented(field)]

    assert undocumented == []
    assert config.model_config.get("extra") == "forbid"
    assert config.model_config.get("frozen")


@every_component
def test_it_stops_without_start_and_twice(kind, point, tmp_path):
    component = make(kind, point, tmp_path)

    component.stop()
    component.stop()


@every_component
def test_it_starts_and_stops_twice(kind, point, tmp_path):
    component = make(kind, point, tmp_path)

    component.start()
    component.stop()
    component.stop()


@every_component
def test_making_it_opens_nothing(kind, point, tmp_path):
    make(kind, point, tmp_path)

    assert list(tmp_path.iterdir()) == []


@every_processor
def test_a_processor_keeps_its_input_as_it_is_and_repeats_itself(kind, point, tmp_path):
    processor = make(kind, point, tmp_path)
    assert isinstance(processor, Processor)
    batch = spans("a", "b")
    before = batch.dump()

    first = [result.dump() for result in processor.process(batch)]
    second = [result.dump() for result in processor.process(Batch.load(before))]

    assert batch.dump() == before
    assert first == second


@every_processor
def test_a_processor_passes_on_what_it_does_not_understand(kind, point, tmp_path):
    processor = make(kind, point, tmp_path)
    assert isinstance(processor, Processor)
    foreign = Batch("x", Signal.LOGS, {"records": spans("a").main})

    assert [foreign] == list(processor.process(foreign))


@every_processor
def test_a_processor_takes_an_empty_batch(kind, point, tmp_path):
    processor = make(kind, point, tmp_path)
    assert isinstance(processor, Processor)

    assert [result.rows for result in processor.process(spans())] in ([0], [])
