"""Conditions made ready: checked against the properties and functions there are, then asked of many rows at once."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Signal
from collector.rows import Mask
from processors.filter.fields import CONTEXTS, ENUMS, FIELDS, OTHER_NAMES, Frame
from processors.filter.functions import FUNCTIONS, Failure
from processors.filter.operand import COMPARISONS, Operand, compared, constant, descended
from processors.filter.syntax import Call, Literal, MistakeError, Node, Operation, Path, parse


class Answer(NamedTuple):
    """Tells for which rows a condition holds, and for which that could not be told."""

    holds: Mask
    failed: Mask


class Value(NamedTuple):
    """Is what some rows have, and for which of them that could not be told."""

    operand: Operand
    failed: Mask


Ask = Callable[[Frame], Answer]
Read = Callable[[Frame], Value]


class Condition(NamedTuple):
    """Is a condition made ready: the *context* that it is about, its *text*, and how to *ask* it."""

    context: str
    text: str
    ask: Ask


@lru_cache(maxsize=1024)
def condition(text: str, signal: Signal, context: str = "") -> Condition:
    """Return the condition that *text* says, about *context* or what its properties begin with.

    Raise ValueError that tells the column where it is wrong.
    """
    try:
        node = parse(text)
        level = context or _inferred(node, signal)
        return Condition(level, text, _Maker(signal, level, bare=bool(context)).ask(node))
    except MistakeError as mistake:
        raise ValueError(f"column {mistake.at + 1} of the condition: {mistake.text}: {text!r}") from None


def _inferred(node: Node, signal: Signal) -> str:
    """Return the lowest context that the condition's properties name."""
    levels = CONTEXTS[signal]
    named = [OTHER_NAMES.get(path.names[0], path.names[0]) for path in _paths(node)]
    found = [levels.index(name) for name in named if name in levels]
    return levels[max(found)] if found else levels[2]


def _paths(node: Node) -> Sequence[Path]:
    match node:
        case Path():
            return [node]
        case Call(arguments=inner) | Operation(operands=inner):
            return [path for each in inner for path in _paths(each)]
    return []


class _Maker:
    """Makes conditions about one *context*; *bare* ones need not begin with its name."""

    def __init__(self, signal: Signal, context: str, *, bare: bool) -> None:
        self._contexts = CONTEXTS[signal][: CONTEXTS[signal].index(context) + 1]
        self._context = context
        self._bare = bare

    def ask(self, node: Node) -> Ask:
        """Return how to ask a condition."""
        match node:
            case Operation(operator="or" | "and", operands=(left, right)):
                return _joined(self.ask(left), self.ask(right), is_or=node.operator == "or")
            case Operation(operator="not", operands=(inner,)):
                return _negated(self.ask(inner))
            case Operation() if node.operator in COMPARISONS:
                return self._compared(node)
            case Literal(kind="bool"):
                return _truth(self.read(node))
            case Call() if node.name in FUNCTIONS and FUNCTIONS[node.name].tells:
                return _truth(self.read(node))
            case Call():
                self.read(node)
        raise MistakeError(node.at, 'this is no condition; compare it with something, as in name == "chat"')

    def _compared(self, node: Operation) -> Ask:
        left, right = (self.read(each) for each in node.operands)

        def ask(frame: Frame) -> Answer:
            one, other = left(frame), right(frame)
            failed = one.failed | other.failed
            return Answer(compared(node.operator, one.operand, other.operand, frame.count) & ~failed, failed)

        return ask

    def read(self, node: Node) -> Read:
        """Return how to read a value."""
        match node:
            case Literal(kind="enum"):
                return _constant("int", self._enum(node))
            case Literal():
                return _constant(node.kind, node.value)
            case Path():
                return self._path(node)
            case Call():
                return self._call(node)
            case Operation() if node.operator in _SUMS:
                return self._calculated(node)
        answer = self.ask(node)

        def read(frame: Frame) -> Value:
            told = answer(frame)
            return Value({"bool": pa.array(told.holds)}, told.failed)

        return read

    def _enum(self, node: Literal) -> int:
        if node.value not in ENUMS:
            raise MistakeError(node.at, _unknown("constant", node.value, [*ENUMS]))
        return ENUMS[node.value]

    def _path(self, node: Path) -> Read:
        first = OTHER_NAMES.get(node.names[0], node.names[0])
        names, context = node.names, self._context
        if first in self._contexts and (len(names) > 1 or not self._bare):
            names, context = names[1:], first
        elif not self._bare:
            raise MistakeError(node.at, _unknown("context", node.names[0], self._contexts, "begin with one of"))
        name = ".".join(names)
        if name == "attributes":
            return self._attribute(node, context)
        if name not in FIELDS[context]:
            known = [*FIELDS[context], "attributes", *(() if context != self._context else self._contexts[:-1])]
            raise MistakeError(node.at, _unknown(f"property of a {context}", name, known))
        field = FIELDS[context][name]
        if node.keys and field.kind != "any":
            raise MistakeError(node.at, f"{name} has nothing under keys")
        return _reading(lambda frame: _under(field.of(frame, context), node.keys))

    def _attribute(self, node: Path, context: str) -> Read:
        if not node.keys or not isinstance(node.keys[0], str):
            raise MistakeError(node.at, 'write which attribute: attributes["key"]')
        first, *others = node.keys
        return _reading(lambda frame: _under(frame.attribute(context, str(first)), others))

    def _call(self, node: Call) -> Read:
        function = FUNCTIONS.get(node.name)
        if function is None:
            raise MistakeError(node.at, _unknown("function", node.name, [*FUNCTIONS]))
        if function.context not in {"", self._context}:
            raise MistakeError(node.at, f"{node.name} is a question about a {function.context}")
        if len(node.arguments) != len(function.parameters):
            raise MistakeError(node.at, f"{node.name} takes {', '.join(function.parameters) or 'nothing'} in brackets")
        literals = []
        reads = []
        for parameter, argument in zip(function.parameters, node.arguments, strict=True):
            if parameter == "value":
                reads.append(self.read(argument))
            elif isinstance(argument, Literal) and argument.kind == _LITERALS[parameter]:
                literals.append(argument.value)
            else:
                raise MistakeError(argument.at, f"{node.name} needs a {parameter} here, written out")
        try:
            work = function.make(*literals)
        except ValueError as error:
            raise MistakeError(node.arguments[-1].at, str(error)) from None
        return lambda frame: _applied(work, frame, [read(frame) for read in reads])

    def _calculated(self, node: Operation) -> Read:
        left, right = (self.read(each) for each in node.operands)

        def read(frame: Frame) -> Value:
            one, other = left(frame), right(frame)
            return _calculate(node.operator, one, other, frame.count)

        return read


def _reading(operand: Callable[[Frame], Operand]) -> Read:
    return lambda frame: Value(operand(frame), np.zeros(frame.count, dtype=bool))


def _constant(kind: str, value: object) -> Read:
    return _reading(lambda frame: constant(kind, value, frame.count))


def _under(operand: Operand, keys: Sequence[str | int]) -> Operand:
    for key in keys:
        operand = descended(operand, key)
    return operand


def _joined(left: Ask, right: Ask, *, is_or: bool) -> Ask:
    """Join two conditions; the second is asked only of rows that the first has not settled, so only there it fails."""

    def ask(frame: Frame) -> Answer:
        one, other = left(frame), right(frame)
        settled = one.holds if is_or else ~one.holds & ~one.failed
        failed = one.failed | (~settled & other.failed)
        holds = one.holds | other.holds if is_or else one.holds & other.holds
        return Answer(holds & ~failed, failed)

    return ask


def _negated(inner: Ask) -> Ask:
    def ask(frame: Frame) -> Answer:
        told = inner(frame)
        return Answer(~told.holds & ~told.failed, told.failed)

    return ask


def _truth(read: Read) -> Ask:
    def ask(frame: Frame) -> Answer:
        value = read(frame)
        holds = np.asarray(value.operand["bool"].fill_null(False)) if "bool" in value.operand else value.failed & False
        return Answer(holds & ~value.failed, value.failed)

    return ask


def _applied(work: Callable[..., Operand | Failure], frame: Frame, values: Sequence[Value]) -> Value:
    failed = np.zeros(frame.count, dtype=bool)
    for value in values:
        failed |= value.failed
    made = work(frame, *(value.operand for value in values))
    return Value(made.operand, failed | made.failed) if isinstance(made, Failure) else Value(made, failed)


_SUMS: Mapping[str, Callable[[pa.Array, pa.Array], pa.Array]] = MappingProxyType(
    {"+": pc.add, "-": pc.subtract, "*": pc.multiply, "/": pc.divide}
)
_RESULTS: Mapping[tuple[str, str, str], str] = MappingProxyType(
    {(operator, kind, kind): kind for operator in _SUMS for kind in ("int", "double")}
    | {("-", "time", "time"): "duration", ("+", "time", "duration"): "time", ("-", "time", "duration"): "time"}
    | {("+", "duration", "time"): "time"}
    | {(operator, "duration", "duration"): "duration" for operator in "+-"}
)
"""What two kinds give; others cannot be calculated with."""


def _calculate(operator: str, one: Value, other: Value, count: int) -> Value:
    made: dict[str, pa.Array] = {}
    told = np.zeros(count, dtype=bool)
    for (name, left, right), result in _RESULTS.items():
        if name != operator or left not in one.operand or right not in other.operand:
            continue
        divisor = other.operand[right]
        if operator == "/":
            zero = pc.equal(divisor, pa.scalar(0, divisor.type))
            divisor = pc.if_else(zero, pa.scalar(None, divisor.type), divisor)
        found = _SUMS[operator](one.operand[left], divisor)
        made[result] = pc.coalesce(made[result], found) if result in made else found
        told |= np.asarray(found.is_valid())
    return Value(made, one.failed | other.failed | ~told)


_MOST_LISTED = 24
_LITERALS = {"pattern": "string", "text": "string", "id": "bytes"}


def _unknown(what: str, word: str, known: Sequence[str], label: str = "there are") -> str:
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    listed = ", ".join([*known[:_MOST_LISTED], *(["..."] if len(known) > _MOST_LISTED else [])])
    return f'unknown {what} "{word}"; ' + (f'did you mean "{near[0]}"?' if near else f"{label}: {listed}")
