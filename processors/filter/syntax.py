"""Conditions as users write them, taken apart: a subset of the grammar of OTTL.

or          a or b
and         a and b                            each line binds tighter than the one above
not         not a
comparison  a == b   != < <= > >=
sum         a + b    a - b
product     a * b    a / b
value       "text"  12  1.5  true  nil  0x0f  UPPER_CASE  path.of["key"]  Function(a, b)  (a)
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class MistakeError(ValueError):
    """Says what is wrong with a condition, and where: *at* is the number of a character."""

    def __init__(self, at: int, text: str) -> None:
        super().__init__(text)
        self.at = at
        self.text = text


class Literal(NamedTuple):
    """Is a value as such; *kind* is ``string``, ``int``, ``double``, ``bool``, ``bytes``, ``nil`` or ``enum``."""

    at: int
    kind: str
    value: Any


class Path(NamedTuple):
    """Is a property: names with dots between them, then keys in brackets."""

    at: int
    names: tuple[str, ...]
    keys: tuple[str | int, ...]


class Call(NamedTuple):
    """Is a function of some values."""

    at: int
    name: str
    arguments: "tuple[Node, ...]"


class Operation(NamedTuple):
    """Is an operator between two values or, for ``not``, before one."""

    at: int
    operator: str
    operands: "tuple[Node, ...]"


Node = Literal | Path | Call | Operation

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<bytes>0x[0-9a-fA-F]*)
  | (?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)
  | (?P<int>[0-9]+)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator>==|!=|<=|>=|[<>+\-*/().,\[\]])
    )""",
    re.VERBOSE,
)
_LEVELS = (("or",), ("and",), ("not",), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))
_CONSTANTS = {"true": ("bool", True), "false": ("bool", False), "nil": ("nil", None)}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_DEEPEST = 40


class _Token(NamedTuple):
    at: int
    kind: str
    text: str


def parse(text: str) -> Node:
    """Return the condition that *text* is; raise `MistakeError` where it is none."""
    parser = _Parser([*_tokens(text)], len(text))
    node = parser.level(0)
    parser.expect_end()
    return node


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            place = at + len(text[at:]) - len(text[at:].lstrip())
            what = "this text has no end" if text[place] == '"' else f"{text[place]!r} is not understood"
            raise MistakeError(place, what)
        yield _Token(found.start(found.lastgroup), found.lastgroup, found[found.lastgroup])
        at = found.end()


class _Parser:
    """Reads tokens from left to right."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = [*tokens, _Token(length, "end", "")]
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def expect_end(self) -> None:
        """Refuse what is left over."""
        if self._token.kind != "end":
            raise MistakeError(self._token.at, f'"{self._token.text}" is one too many here')

    def level(self, number: int) -> Node:
        """Read an expression whose operators are those of this level or bind tighter."""
        if number == len(_LEVELS):
            return self._value()
        if _LEVELS[number] == ("not",):
            return self._not(number)
        left = self.level(number + 1)
        while self._token.kind in {"operator", "word"} and self._token.text in _LEVELS[number]:
            operator = self._take()
            left = Operation(operator.at, operator.text, (left, self.level(number + 1)))
        return left

    def _not(self, number: int) -> Node:
        if self._token.text == "not" and self._token.kind == "word":
            token = self._take()
            return self._deeper(lambda: Operation(token.at, "not", (self.level(number),)))
        return self.level(number + 1)

    def _value(self) -> Node:
        token = self._take()
        match token.kind:
            case "string":
                return Literal(token.at, "string", _unquoted(token.text))
            case "int" | "double" | "bytes":
                return _number(token, 1)
            case "word":
                return self._word(token)
        if token.text in {"+", "-"} and self._token.kind in {"int", "double"}:
            return _number(self._take(), -1 if token.text == "-" else 1)
        if token.text == "(":
            return self._deeper(self._inner)
        raise MistakeError(token.at, f"expected a value, not {_shown(token)}")

    def _inner(self) -> Node:
        node = self.level(0)
        self._expect(")")
        return node

    def _word(self, token: _Token) -> Node:
        if token.text in _CONSTANTS:
            return Literal(token.at, *_CONSTANTS[token.text])
        if self._token.text == "(":
            return self._deeper(lambda: self._call(token))
        if token.text.isupper():
            return Literal(token.at, "enum", token.text)
        names, keys = [token.text], []
        while self._token.text in {".", "["}:
            if self._take().text == "[":
                keys.append(self._key())
            elif keys:
                raise MistakeError(self._token.at, "a name may not follow a key")
            else:
                names.append(self._name())
        return Path(token.at, tuple(names), tuple(keys))

    def _call(self, token: _Token) -> Node:
        self._take()
        arguments: list[Node] = []
        while self._token.text != ")":
            if arguments:
                self._expect(",")
            arguments.append(self.level(0))
        self._take()
        return Call(token.at, token.text, tuple(arguments))

    def _key(self) -> str | int:
        token = self._take()
        self._expect("]")
        if token.kind == "string":
            return _unquoted(token.text)
        if token.kind == "int":
            return int(token.text)
        raise MistakeError(token.at, f"a key is a text in double quotes or a number, not {_shown(token)}")

    def _name(self) -> str:
        token = self._take()
        if token.kind != "word":
            raise MistakeError(token.at, f"expected a name, not {_shown(token)}")
        return token.text

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text:
            raise MistakeError(token.at, f'expected "{text}", not {_shown(token)}')

    def _take(self) -> _Token:
        token = self._token
        if token.kind != "end":
            self._next += 1
        return token

    def _deeper(self, read: Any) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MistakeError(self._token.at, "nested too deep")
        node: Node = read()
        self._depth -= 1
        return node


def _number(token: _Token, sign: int) -> Literal:
    if token.kind == "bytes":
        if len(token.text) % 2:
            raise MistakeError(token.at, "bytes are written as an even number of hexadecimal digits")
        return Literal(token.at, "bytes", bytes.fromhex(token.text[2:]))
    value = sign * (int(token.text) if token.kind == "int" else float(token.text))
    if token.kind == "int" and not -(2**63) <= value < 2**63:
        raise MistakeError(token.at, "this number is too large")
    return Literal(token.at, token.kind, value)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1], flags=re.DOTALL)


def _shown(token: _Token) -> str:
    return "the end" if token.kind == "end" else f'"{token.text}"'
