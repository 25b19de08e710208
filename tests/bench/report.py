"""How results look: one line a case, each figure beside its ratio to protobuf's FromString on the same bytes."""

from collections.abc import Sequence

from tests.bench.cases import Case
from tests.bench.measure import Result

_WIDTHS = (38, 14, 9, 17, 15, 17, 8)
_TITLES = ("case", "CPU us/item", "FromStr.", "items/s", "peak MiB", "p99 ack ms", "refused")


def _row(cells: Sequence[str]) -> str:
    first, *others = (f"{cell:{'<' if number == 0 else '>'}{_WIDTHS[number]}}" for number, cell in enumerate(cells))
    return "  ".join([first, *others])


HEAD = f"{_row(_TITLES)}  bars\n{'-' * (sum(_WIDTHS) + 2 * len(_WIDTHS) + 20)}"
NOTES = """
CPU is user and system time of the collector process alone, from the end of the warming up until every item (span,
point, record) is stored.
(N x) compares with protobuf's FromString in the same minute: CPU of an item; items a second on one core; memory of a
process that only parses; time to parse one request. Requests are refused while the collector's queue is full."""


def line(case: Case, result: Result | str) -> str:
    """Return the line of one case; a text says why there is no result."""
    if isinstance(result, str):
        return f"{case.name:<{_WIDTHS[0]}}  {result}"
    cost = result.reference_cpu
    cells = (
        case.name,
        f"{result.cpu:.1f} ({result.cpu / cost:.1f} x)",
        f"{cost:.2f}",
        f"{result.rate:,.0f} ({result.rate * cost / 1e6:.3f} x)",
        f"{result.memory:.0f} ({result.memory / result.reference_memory:.1f} x)",
        f"{result.wait:.1f} ({result.wait * 1000 / (cost * case.items):.0f} x)",
        str(result.refused),
    )
    return f"{_row(cells)}  {', '.join(verdicts(case, result))}"


def verdicts(case: Case, result: Result) -> list[str]:
    """Return a text for each bar of the case, ``pass ...`` or ``FAIL ...``, and one for items lost or doubled."""
    found = []
    if case.ratio_bar is not None:
        found.append(_verdict(result.cpu / result.reference_cpu <= case.ratio_bar, f"CPU <= {case.ratio_bar:g} x"))
    if case.memory_bar is not None:
        found.append(_verdict(result.memory <= case.memory_bar, f"memory <= {case.memory_bar:g} MiB"))
    if result.missing:
        found.append(f"FAIL {result.missing} of {result.items} missing")
    return found


def _verdict(passed: bool, bar: str) -> str:
    return f"{'pass' if passed else 'FAIL'} {bar}"
