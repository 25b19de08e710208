"""Replaces ``${env:NAME}``, ``${NAME}``, ``${env:NAME:-default}``, ``${file:path}`` and ``${yaml:text}`` in a tree.

A value that is one expression and nothing else becomes what YAML makes of the text (``${env:PORT}`` is a number), and
fields of type text still get exactly the text. Inside a longer text the text is put in. A text that comes in is left
as it is, whatever it holds: it may be a password. The values of a map or a list that comes in may hold expressions
themselves. ``$$`` is a plain ``$``; ``$NAME`` without braces is left alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from collector.config.source import read_file
from collector.config.text import parse
from collector.config.tree import Entry, Items, Map, Node, Place, Report, Scalar, join

_SIGN = re.compile(r"\$\$|\$\{|\}")
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(?!-)(.*)$", re.DOTALL)
_VARIABLE = re.compile(r"^([a-zA-Z_][a-zA-Z0-9_]*)(?::-(.*))?$", re.DOTALL)
_MOST_EXPRESSIONS = 1000
_MOST_LEVELS = 50
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class _Expression:
    """Is ``${...}``: its inner parts are texts and further expressions."""

    parts: tuple["str | _Expression", ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """Is what an expression stands for; *quoted* says that it is a text whatever it looks like."""

    text: str
    source: str
    quoted: bool = False


class _RefusedError(Exception):
    """Stops one value: *text* and *hint* tell the mistake, unless it has been told."""

    def __init__(self, text: str = "", hint: str = "write $$ for a plain $") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


def expand(tree: Map, environ: Mapping[str, str], report: Report) -> Map:
    """Return *tree* with every expression replaced; keys stay as they are."""
    expanded = _Expander(environ, report).node(tree, "")
    return expanded if isinstance(expanded, Map) else Map(tree.place)


def _split(text: str, start: int = 0, level: int = 0) -> tuple[tuple[str | _Expression, ...], int]:
    """Return the parts of *text* from *start* to the brace that closes this level, and where the next level goes on."""
    parts: list[str | _Expression] = []
    if level > _MOST_LEVELS:
        raise _RefusedError("more than 50 expressions inside each other")
    while match := _SIGN.search(text, start):
        parts.append(text[start : match.start()])
        start = match.end()
        if match[0] == "$$":
            parts.append("$")
        elif match[0] == "${":
            inner, start = _split(text, start, level + 1)
            parts.append(_Expression(inner))
        elif level:
            return tuple(filter(None, parts)), start
        else:
            parts.append("}")
    if level:
        raise _RefusedError("${ without its closing brace")
    return tuple(filter(None, [*parts, text[start:]])), len(text)


class _Expander:
    """Walks one tree; counts expressions so that none can go on without end."""

    def __init__(self, environ: Mapping[str, str], report: Report) -> None:
        self._environ = environ
        self._report = report
        self._count = 0

    def node(self, node: Node, path: str, level: int = 0) -> Node:
        """Return *node* with its expressions replaced; a value with a mistake becomes null."""
        if isinstance(node, Map):
            entries = node.entries.items()
            made = {k: Entry(e.place, self.node(e.node, join(path, k), level)) for k, e in entries}
            return replace(node, entries=made)
        if isinstance(node, Items):
            nodes = enumerate(node.nodes)
            return replace(node, nodes=tuple(self.node(each, join(path, i), level) for i, each in nodes))
        if not isinstance(node.value, str) or "$" not in node.value:
            return node
        try:
            return self._scalar(node, path, level)
        except _RefusedError as error:
            if error.text:
                self._report.problem(node.place, path, error.text, error.hint)
            self._report.spoiled.add(path)
            return Scalar(node.place, None, "")

    def _scalar(self, node: Scalar, path: str, level: int) -> Node:
        parts, _ = _split(str(node.value))
        if len(parts) != 1 or isinstance(parts[0], str):
            text = self._joined(parts, node.place, path, level)
            return Scalar(node.place, text, text)
        found = self._found(parts[0], node.place, path, level)
        if found is None:
            return Scalar(node.place, None, "")
        return self._parsed(found, node.place, path, level)

    def _parsed(self, found: _Found, place: Place, path: str, level: int) -> Node:
        """Return what YAML makes of the found text: a text stays as it was found, quotes and all."""
        quiet = Report()
        node = None if found.quoted else parse(found.text, found.source, quiet, None if found.source else place)
        if isinstance(node, Map | Items) and (found.source or not quiet.problems):
            self._report.take(quiet, found.source)
            return self.node(replace(node, text=found.text), path, level + 1)
        value = node.value if isinstance(node, Scalar) else found.text
        # A comment alone is null for YAML, and perhaps a password.
        if isinstance(value, str) or (value is None and found.text.strip() not in _NULLS):
            value = found.text
        return Scalar(place, value, found.text)

    def _joined(self, parts: tuple[str | _Expression, ...], place: Place, path: str, level: int) -> str:
        return "".join(part if isinstance(part, str) else self._text(part, place, path, level) for part in parts)

    def _text(self, expression: _Expression, place: Place, path: str, level: int) -> str:
        found = self._found(expression, place, path, level)
        return found.text if found else ""

    def _found(self, expression: _Expression, place: Place, path: str, level: int) -> _Found | None:
        """Return what *expression* stands for, None for a variable that is not set; `_RefusedError` after a mistake."""
        self._count += 1
        if level > _MOST_LEVELS or self._count > _MOST_EXPRESSIONS:
            raise _RefusedError("expands to itself, or to more than 1000 expressions", "")
        inner = self._joined(expression.parts, place, path, level)
        match = _SCHEME.match(inner)
        scheme, rest = (match[1], match[2]) if match else ("env", inner)
        if scheme == "env":
            return self._variable(rest, place, path)
        if scheme == "yaml":
            return _Found(rest, "")
        if scheme == "file":
            text = read_file(rest, place, path, self._report)
            if text is None:
                raise _RefusedError
            return _Found(text.removesuffix("\n").removesuffix("\r"), rest)
        raise _RefusedError(f'unknown scheme "{scheme}:" in an expression', "known: env:, file:, yaml:")

    def _variable(self, rest: str, place: Place, path: str) -> _Found | None:
        match = _VARIABLE.match(rest)
        if match is None:
            raise _RefusedError("an expression names no environment variable: letters, digits and _ only")
        name, default = match[1], match[2]
        if name in self._environ:
            return _Found(self._environ[name], "")
        if default is not None:
            return _Found(default, "", quoted=default == "")
        self._report.warning(place, path, f"environment variable {name} is not set", f"${{env:{name}}} is empty here")
        return None
