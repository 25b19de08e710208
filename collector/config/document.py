"""The Collector's grammar: which sections there are, what an id looks like, what refers to what."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import Field

from collector import registry
from collector.batch import Signal
from collector.component import ComponentConfig, Exporter, ExporterConfig, Processor
from collector.config.message import suggestion
from collector.config.model import ComponentSpec, Configuration, PipelineSpec, TelemetryConfig
from collector.config.tree import Entry, Items, Map, Place, Report, Scalar, join, plain
from collector.config.validate import validate
from collector.queue_file import file_of, hindrance, too_long
from collector.registry import Kind

T = TypeVar("T")

_TYPE = re.compile(r"[a-zA-Z][0-9a-zA-Z_]{0,62}")
_SIGNALS = (Signal.TRACES, Signal.METRICS, Signal.LOGS)


class Document(ComponentConfig):
    """Is the whole file: its sections."""

    receivers: dict[str, Any] = Field(default_factory=dict)
    processors: dict[str, Any] = Field(default_factory=dict)
    exporters: dict[str, Any] = Field(default_factory=dict)
    extensions: dict[str, Any] = Field(default_factory=dict)
    connectors: dict[str, Any] = Field(default_factory=dict)
    service: dict[str, Any] = Field(default_factory=dict)


class ServiceSection(ComponentConfig):
    """Says what of the configured is used, and how."""

    extensions: list[str] = Field(default_factory=list)
    pipelines: dict[str, Any] = Field(default_factory=dict)
    telemetry: dict[str, Any] = Field(default_factory=dict)


class PipelineSection(ComponentConfig):
    """Says what telemetry passes through, in this order."""

    receivers: list[str] = Field(default_factory=list)
    processors: list[str] = Field(default_factory=list)
    exporters: list[str] = Field(default_factory=list)


def build(tree: Map, report: Report) -> Configuration | None:
    """Return the configuration that *tree* says, or None after telling *report* every mistake."""
    if not tree.entries:
        report.problem(tree.place, "", "empty configuration file", "start with receivers:, exporters: and service:")
        return None
    root = Entry(tree.place, tree)
    validate(Document, root, "", report)
    sections = {kind: _components(kind, _below(root, kind.value), report) for kind in Kind}
    for kind in (Kind.RECEIVERS, Kind.EXPORTERS):
        if _empty(_below(root, kind.value)) and kind.value not in report.spoiled:
            text = f"no {kind.one} configuration specified in config"
            report.problem(_below(root, kind.value).place, "", text, f"add {kind.value}: with at least one {kind.one}")
    for name, entry in _entries(_below(root, "connectors")).items():
        hint = "remove it: one pipeline carries everything from receivers to exporters"
        report.problem(entry.place, join("connectors", name), "connectors do not exist here", hint)
    service = _below(root, "service")
    validate(ServiceSection, service, "service", report)
    telemetry = validate(TelemetryConfig, _below(service, "telemetry"), "service::telemetry", report)
    used = _extensions(root, report)
    pipelines = _pipelines(root, report)
    _check_order(pipelines, sections[Kind.PROCESSORS], root, report)
    _check_exporters(pipelines, sections, root, report)
    _check_queues(pipelines, sections[Kind.EXPORTERS], _below(root, Kind.EXPORTERS.value), report)
    if telemetry is None or report.problems:
        return None
    receivers, processors, exporters, extensions = sections.values()
    return Configuration(receivers, processors, exporters, extensions, used, pipelines, telemetry)


def _components(kind: Kind, section: Entry, report: Report) -> Mapping[str, ComponentSpec]:
    return _made(section, lambda id_, entry: _component(kind, id_, entry, report))


def _made(section: Entry, make: Callable[[str, Entry], T | None]) -> Mapping[str, T]:
    """Return what *make* made of each entry of the section, without those it found mistakes in."""
    made = ((id_, make(id_, entry)) for id_, entry in _entries(section).items())
    return {id_: spec for id_, spec in made if spec is not None}


def _component(kind: Kind, id_: str, entry: Entry, report: Report) -> ComponentSpec | None:
    path = join(kind.value, id_)
    type_ = _type(id_, entry.place, path, report)
    if type_ is None:
        return None
    try:
        cls = registry.find(kind, type_)
    except registry.UnknownComponentError as error:
        hint = _elsewhere().get(kind.value, {}).get(type_) or suggestion(type_, error.known, f"known {kind.value}")
        report.problem(entry.place, path, str(error), hint)
        return None
    except registry.BrokenComponentError as error:
        report.problem(entry.place, path, error.text, error.hint)
        return None
    config = validate(cls.Config, entry, path, report)
    return None if config is None else ComponentSpec(id_, kind, cls, config)


@cache
def _elsewhere() -> Mapping[str, Mapping[str, str]]:
    """Return what to say about components of other Collectors that have no place here."""
    loaded: Mapping[str, Mapping[str, str]] = yaml.safe_load(
        files("collector.config").joinpath("elsewhere.yaml").read_text("utf-8")
    )
    return loaded


def _type(id_: str, place: Place, path: str, report: Report) -> str | None:
    """Return the type of an id ``type[/name]``; the rules are the OpenTelemetry Collector's."""
    type_, slash, name = id_.partition("/")
    text = ""
    if not _TYPE.fullmatch(type_):
        text = f'"{type_}" is no type: letters, digits and _ only, a letter first, 63 at most'
    elif slash and not name:
        text = "the name after / is empty"
    elif len(name) > 1024 or any(unicodedata.category(sign)[0] in "ZCS" for sign in name):
        text = f'"{name}" is no name: no blanks, control signs or symbols, 1024 signs at most'
    if text:
        report.problem(place, path, text, "write type or type/name")
        return None
    return type_


def _extensions(root: Entry, report: Report) -> tuple[str, ...]:
    listed = _below(_below(root, "service"), "extensions")
    known = tuple(_entries(_below(root, Kind.EXTENSIONS.value)))
    return _references(listed, Kind.EXTENSIONS, known, "service::extensions", report)


def _pipelines(root: Entry, report: Report) -> Mapping[str, PipelineSpec]:
    section = _below(_below(root, "service"), "pipelines")
    if _empty(section):
        text, hint = "service must have at least one pipeline", "add service: pipelines: traces:"
        report.problem(section.place, "service::pipelines", text, hint)
    return _made(section, lambda id_, entry: _pipeline(id_, entry, root, report))


def _pipeline(id_: str, entry: Entry, root: Entry, report: Report) -> PipelineSpec | None:
    path = join("service::pipelines", id_)
    signal = _type(id_, entry.place, path, report)
    if signal is not None and signal not in _SIGNALS:
        report.problem(entry.place, path, f'unknown signal "{signal}"', suggestion(signal, _SIGNALS, "known signals"))
    validate(PipelineSection, entry, path, report)
    lists = {}
    for kind in (Kind.RECEIVERS, Kind.PROCESSORS, Kind.EXPORTERS):
        listed, known = _below(entry, kind.value), tuple(_entries(_below(root, kind.value)))
        lists[kind.value] = _references(listed, kind, known, path, report)
        if kind is not Kind.PROCESSORS and _empty(listed):
            hint = f"add {kind.value}: [...] with ids from the section {kind.value}"
            report.problem(entry.place, path, f"must have at least one {kind.one}", hint)
    return PipelineSpec(id_, Signal(signal), **lists) if signal in _SIGNALS else None


def _check_order(
    pipelines: Mapping[str, PipelineSpec], processors: Mapping[str, ComponentSpec], root: Entry, report: Report
) -> None:
    """Warn of each processor that stands before all of a type whose work it reads."""
    for pipeline in pipelines.values():
        types = [id_.partition("/")[0] for id_ in pipeline.processors]
        for number, node in enumerate(_listed(root, pipeline.id, Kind.PROCESSORS)):
            spec = processors.get(str(node.value))
            reads = spec.cls.reads if spec is not None and issubclass(spec.cls, Processor) else frozenset()
            for late in sorted(reads & set(types[number:]) - set(types[:number])):
                text = f'processor "{node.value}" stands before "{late}", whose work it reads'
                report.warning(node.place, join("service::pipelines", pipeline.id), text, "put it behind")


def _check_exporters(
    pipelines: Mapping[str, PipelineSpec],
    sections: Mapping[Kind, Mapping[str, ComponentSpec]],
    root: Entry,
    report: Report,
) -> None:
    """Tell each exporter of a pipeline that has no use for anything that reaches it."""
    for pipeline in pipelines.values():
        made = [sections[Kind.PROCESSORS].get(id_) for id_ in pipeline.processors]
        derived = [spec.cls.derives for spec in made if spec is not None and issubclass(spec.cls, Processor)]
        reaching = frozenset({pipeline.signal}).union(*derived)
        for node in _listed(root, pipeline.id, Kind.EXPORTERS):
            spec = sections[Kind.EXPORTERS].get(str(node.value))
            if spec is not None and issubclass(spec.cls, Exporter) and not spec.cls.consumes & reaching:
                text = f'exporter "{spec.id}" does not take {pipeline.signal}'
                hint = f"it takes {', '.join(sorted(spec.cls.consumes))}; remove it here or choose another exporter"
                report.problem(node.place, join("service::pipelines", pipeline.id), text, hint)


def _check_queues(
    pipelines: Mapping[str, PipelineSpec], exporters: Mapping[str, ComponentSpec], section: Entry, report: Report
) -> None:
    """Tell each exporter of a pipeline whose queue can have no file of its own."""
    owners: dict[Path, str] = {}
    used = [exporters[id_] for pipeline in pipelines.values() for id_ in pipeline.exporters if id_ in exporters]
    for spec in {spec.id: spec for spec in used}.values():
        path = file_of(spec.id, spec.config, Path()) if isinstance(spec.config, ExporterConfig) else None
        if path is None:
            continue
        entry, where, text = _below(section, spec.id), join(Kind.EXPORTERS.value, spec.id), ""
        place = entry.place
        hint = "set another sending_queue.directory, or rename one of them"
        if excess := too_long(path):
            text, hint = f"the id is {excess} bytes too long for the name of its outbox's file", "shorten it"
        elif (owner := owners.setdefault(path, spec.id)) != spec.id:
            text = f'its outbox would use the file of exporter "{owner}", {path}'
        elif report.look_at_files and (reason := hindrance(path)):
            text, hint = reason, "let this user write there, or name another folder for the outbox"
            where = join(where, "sending_queue", "directory")
            place = _below(_below(entry, "sending_queue"), "directory").node.place
        if text:
            report.problem(place, where, text, hint)


def _references(listed: Entry, kind: Kind, known: tuple[str, ...], path: str, report: Report) -> tuple[str, ...]:
    """Return the ids of a list, after telling each that is not configured or stands there twice."""
    ids: list[str] = []
    for node in listed.node.nodes if isinstance(listed.node, Items) else ():
        id_ = node.value if isinstance(node, Scalar) else None
        if not isinstance(id_, str):
            continue
        if id_ in ids:
            report.problem(node.place, path, f'references {kind.one} "{id_}" multiple times', "name it once")
        elif id_ not in known:
            hint = suggestion(id_, known, f"configured {kind.value}")
            report.problem(node.place, path, f'references {kind.one} "{id_}" which is not configured', hint)
        ids.append(id_)
    return tuple(ids)


def _listed(root: Entry, pipeline: str, kind: Kind) -> list[Scalar]:
    """Return the ids that a pipeline names, with their places."""
    listed = _below(_below(_below(_below(root, "service"), "pipelines"), pipeline), kind.value)
    nodes = listed.node.nodes if isinstance(listed.node, Items) else ()
    return [node for node in nodes if isinstance(node, Scalar) and isinstance(node.value, str)]


def _below(entry: Entry, key: str) -> Entry:
    """Return what stands under *key*; where nothing does, null at the place of the nearest key."""
    if isinstance(entry.node, Map) and key in entry.node.entries:
        return entry.node.entries[key]
    return Entry(entry.place, Scalar(entry.place, None))


def _entries(entry: Entry) -> Mapping[str, Entry]:
    return entry.node.entries if isinstance(entry.node, Map) else {}


def _empty(entry: Entry) -> bool:
    """Tell whether nothing stands there: null, an empty map or an empty list."""
    return plain(entry.node) in (None, {}, [])
