"""Prints the benchmark's table: ``python -m tests.bench``; ``--help`` lists what may be chosen."""

import argparse
import re
import sys

from collector import allocator
from tests.bench import steps
from tests.bench.cases import CASES, Case
from tests.bench.measure import Result, measure
from tests.bench.report import HEAD, NOTES, line, verdicts
from tests.bench.subject import NotInstalledError


def main() -> int:
    """Measure the chosen cases one after the other; return 1 when a bar is missed or an item is."""
    chosen = _arguments()
    if chosen.steps:
        return _steps(chosen.only, chosen.seconds)
    cases = [case for case in CASES if re.search(chosen.only, case.name)]
    cases = [case for case in cases if not case.long or chosen.memory > 0]
    if chosen.list:
        _say("\n".join(case.name for case in cases))
        return 0
    _say(HEAD)
    missed = 0
    for case in cases:
        result = _measured(case, chosen.memory if case.long else chosen.seconds)
        _say(line(case, result))
        if isinstance(result, Result):
            missed += sum(verdict.startswith("FAIL") for verdict in verdicts(case, result))
    _say(NOTES)
    return 1 if missed else 0


def _steps(only: str, seconds: float) -> int:
    """Print what each step alone costs."""
    allocator.economise()  # as the collector does
    _say(steps.head())
    for kind, count in steps.LINES:
        if re.search(only, f"{kind} {count}"):
            _say(steps.text(steps.measure(kind, count, seconds)))
    _say(steps.NOTES)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _measured(case: Case, seconds: float) -> Result | str:
    try:
        return measure(case, seconds)
    except NotInstalledError as reason:
        return f"skipped: {reason}"
    except (RuntimeError, TimeoutError) as error:
        return f"FAIL: {error}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the collector under full load.")
    parser.add_argument(
        "--only", default="", metavar="REGEX", help="the cases (or steps) whose name matches; default: all"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="load of each case; default: 8")
    parser.add_argument("--memory", type=float, default=60.0, metavar="SECONDS", help="load of memory cases; 0: none")
    parser.add_argument("--steps", action="store_true", help="time every step alone, in this process")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
