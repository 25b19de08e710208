"""Reads what ``--config`` and ``--set`` name: files, environment variables, and YAML given directly."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from collector.config.secrets import redact, redact_text
from collector.config.text import parse
from collector.config.tree import Entry, Map, Node, Place, Report, Scalar, plain

_URI = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(.*)$", re.DOTALL)  # two letters at least: C:\ is a file


def read(uri: str, environ: Mapping[str, str], report: Report) -> Map | None:
    """Return the tree of one ``--config`` value, or None after telling *report* why there is none."""
    match = _URI.match(uri)
    scheme, rest = (match[1].lower(), match[2]) if match else ("file", uri)
    label = {"file": rest, "yaml": "yaml:"}.get(scheme, uri).removesuffix(":")
    report.opened(label)
    text = _text(scheme, rest, Place(label), environ, report)
    node = None if text is None else parse(text, label, report)
    if isinstance(node, Scalar) and node.value is None:
        return Map(Place(label))
    if isinstance(node, Map):
        return _nested(node)
    if node is not None:
        report.problem(node.place, "", "must be a map of keys", "start with receivers:, exporters: and service:")
    return None


def assignment(override: str, report: Report) -> Map | None:
    """Return the tree of one ``--set a.b=value``, or None after telling *report* why there is none.

    ``a::b=value`` serves keys that hold a dot.
    """
    key, equals, value = override.partition("=")
    keys = [part.strip() for part in key.split("::" if "::" in key else ".")]
    place = Place(f"--set {key}{equals}{_shown(value, tuple(keys))}")
    report.opened(place.source)
    if not equals or not all(keys):
        hint = "write --set processors.name.key=value"
        report.problem(place, "", "missing equal sign" if not equals else "a key is empty", hint)
        return None
    node = parse(value.strip(), place.source, report, at=place)
    if isinstance(node, Scalar) and node.value is not None:
        node = Scalar(place, node.value, node.value if isinstance(node.value, str) else value.strip())
    return None if node is None else _under(keys, node, place)


def _shown(value: str, keys: tuple[str, ...]) -> str:
    """Return the value of ``--set`` as a message may tell it: secrets hidden, also those inside a map."""
    node = parse(value, "", Report())
    if isinstance(node, Scalar):
        return str(redact(value, keys))
    return "..." if node is None else json.dumps(redact(plain(node), keys))


def read_file(path: str, place: Place, where: str, report: Report) -> str | None:
    """Return the text of a file, or None after telling *report* why not."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        report.problem(place, where, f"no such file: {path}", f"paths start from {Path.cwd()}")
    except OSError as error:
        report.problem(place, where, f"cannot read {path}: {error.strerror or error}")
    except UnicodeDecodeError as error:
        report.problem(place, where, f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8")
    return None


def _text(scheme: str, rest: str, place: Place, environ: Mapping[str, str], report: Report) -> str | None:
    if scheme == "file":
        return read_file(rest, place, "", report)
    if scheme == "yaml":
        return rest
    if scheme == "env" and rest in environ:
        return environ[rest]
    if scheme == "env":
        report.problem(place, "", f"environment variable {rest} is not set")
    elif scheme in {"http", "https"}:
        hidden = Place(redact_text(place.source))
        report.problem(hidden, "", "a configuration is not read from the web", "download it and give the file")
    else:
        known = "known: file:, env:, yaml:; a file whose name holds a colon is written file:name"
        report.problem(place, "", f'unknown scheme "{scheme}:"', known)
    return None


def _nested(tree: Map) -> Map:
    """Split top-level keys at ``::``, the OpenTelemetry Collector's short form."""
    nested = Map(tree.place, {key: entry for key, entry in tree.entries.items() if "::" not in key})
    for key, entry in tree.entries.items():
        if "::" in key:
            nested = merge(nested, _under(key.split("::"), entry.node, entry.place))
    return nested


def _under(keys: list[str], node: Node, place: Place) -> Map:
    for key in reversed(keys):
        node = Map(place, {key: Entry(place, node)})
    assert isinstance(node, Map)  # noqa: S101 (there is at least one key)
    return node


def merge(base: Map, over: Map) -> Map:
    """Return *base* with *over* laid on it: maps merge, all else (lists, scalars, null) is replaced."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        if below is not None and isinstance(below.node, Map) and isinstance(entry.node, Map):
            entries[key] = Entry(entry.place, merge(below.node, entry.node))
        else:
            entries[key] = entry
    return Map(base.place, entries)
