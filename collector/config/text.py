"""Turns YAML text into a tree that knows places, with YAML 1.2's few plain types and bounded aliases."""

import re

import yaml

from collector.config.tree import Entry, Items, Map, Node, Place, Report, Scalar, Value

_TAG = "tag:yaml.org,2002:"
_MOST_VALUES = 100_000
_MOST_LEVELS = 100

_HINTS = {
    "cannot start any token": "indent with spaces, and quote texts that start with a special sign",
    "mapping values are not allowed": "check the indentation, and quote texts that hold a colon",
    "expected <block end>": "check the indentation: the keys of one block start in the same column",
    "could not find expected ':'": "write key: value, with a colon and a blank after the key",
    "but found another document": "put each document into a file of its own and give --config twice",
    "undefined alias": "define it above with &name, or quote the text",
}


class _Loader(yaml.SafeLoader):
    """Reads plain words as YAML 1.2 does, and as the OpenTelemetry Collector does: ``yes`` and dates are texts."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (the library's own way to start without YAML 1.1's types)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or 1.2 would take for something else."""


for _name, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40})$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
    ("merge", r"^<<$", ["<"]),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)
    _Dumper.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _first)


def parse(text: str, source: str, report: Report, at: Place | None = None) -> Node | None:
    """Return the tree of YAML *text*, or None after telling *report* why not.

    *at*, where given, is the place of every value: that of the expression the text came in by.
    """
    try:
        node = _Loader(text).get_single_node()
        place = at or Place(source, 1, 1)
        return Scalar(place, None) if node is None else _Builder(source, report, at).build(node)
    except yaml.MarkedYAMLError as error:
        report.problem(*_explained(error, source, at))
    except yaml.reader.ReaderError as error:
        line, column = text.count("\n", 0, error.position), error.position - text.rfind("\n", 0, error.position)
        reason = f"not valid YAML: character {error.character:#x} is not allowed"
        report.problem(at or Place(source, line + 1, column), "", reason)
    except (RecursionError, _TooLargeError) as error:
        place = error.args[0] if isinstance(error, _TooLargeError) else at or Place(source)
        reason = f"more than {_MOST_LEVELS} levels or {_MOST_VALUES} values"
        report.problem(place, "", reason, "aliases count each time they are used")
    return None


def write(data: object) -> str:
    """Return plain *data* as YAML that `parse` reads back the same."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, indent=4)
    return text


class _TooLargeError(Exception):
    """Stops a text whose aliases multiply; its argument is the place."""


class _Builder:
    """Makes a tree of one YAML document."""

    def __init__(self, source: str, report: Report, at: Place | None) -> None:
        self._source = source
        self._report = report
        self._at = at
        self._values = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node) -> Node:
        """Return the tree of *node*; every use of an alias counts again."""
        self._values += 1
        if self._values > _MOST_VALUES or len(self._open) > _MOST_LEVELS or id(node) in self._open:
            raise _TooLargeError(self._place(node))
        self._open.add(id(node))
        place = self._place(node)
        try:
            self._check_tag(node, place)
            if isinstance(node, yaml.MappingNode):
                return Map(place, self._entries(node))
            if isinstance(node, yaml.SequenceNode):
                return Items(place, tuple(self.build(each) for each in node.value))
            return Scalar(place, self._value(node))
        finally:
            self._open.discard(id(node))

    def _entries(self, node: yaml.MappingNode) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                for key, entry in self._merged(value_node).items():
                    merged.setdefault(key, entry)
            elif not isinstance(key_node, yaml.ScalarNode):
                self._report.problem(self._place(key_node), "", "a key must be a text", "quote it")
            elif key_node.value in entries:
                first = entries[key_node.value].place
                text = f'duplicate key "{key_node.value}"'
                self._report.problem(self._place(key_node), "", text, f"it stands at {first} already")
            else:
                entries[key_node.value] = Entry(self._place(key_node), self.build(value_node))
        return entries | {key: entry for key, entry in merged.items() if key not in entries}

    def _merged(self, node: yaml.Node) -> dict[str, Entry]:
        """Return what ``<<: *alias`` or ``<<: [*alias, *alias]`` brings in; the first wins."""
        found: dict[str, Entry] = {}
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            built = self.build(each)
            if isinstance(built, Map):
                found = {**built.entries, **found}
            else:
                self._report.problem(built.place, "", "<< takes a map or a list of maps", "write <<: *name")
        return found

    def _value(self, node: yaml.Node) -> Value:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return int(text, 0 if text[:2] in {"0x", "0o"} else 10)
            if kind == "float":
                return float(re.sub(r"\.(?=[iInN])", "", text))
        except ValueError:
            self._report.problem(self._place(node), "", f"{text!r} is no {kind}")
        return text

    def _check_tag(self, node: yaml.Node, place: Place) -> None:
        if node.tag.removeprefix(_TAG) not in {"null", "bool", "int", "float", "str", "seq", "map", "merge"}:
            self._report.problem(place, "", f"YAML tag {node.tag} is not known here", "remove it")

    def _place(self, node: yaml.Node) -> Place:
        return self._at or _at_mark(node.start_mark, self._source)


def _at_mark(mark: yaml.Mark, source: str) -> Place:
    return Place(source, mark.line + 1, mark.column + 1)


def _explained(error: yaml.MarkedYAMLError, source: str, at: Place | None) -> tuple[Place, str, str, str]:
    mark = error.problem_mark or error.context_mark
    reason = str(error.problem or error.context)
    hint = next((hint for part, hint in _HINTS.items() if part in f"{error.context} {reason}"), "")
    place = at or (_at_mark(mark, source) if mark else Place(source))
    return place, "", f"not valid YAML: {reason}", hint
