"""Runs the collector and kills it without a word at a named point: ``DIE_AT=Journal.add:after:3``.

The point is a method of the engine or of an exporter, before or after its n-th call.
"""

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

from collector.cli import main
from collector.journal import Journal
from collector.otlp import decode
from exporters.clickhouse import ClickhouseExporter
from exporters.clickhouse import client as clickhouse

PLACES: dict[str, Any] = {
    "Journal": Journal,
    "ClickhouseExporter": ClickhouseExporter,
    "client": clickhouse,
    "decode": decode,
}


def die() -> None:
    """End the process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Make the named method deadly at its n-th call."""
    name, when, turn = point.split(":")
    place, method = name.split(".")
    owner = PLACES[place]
    original: Callable[..., Any] = getattr(owner, method)
    turns = count(1)

    @wraps(original)
    def deadly(*args: Any, **kwargs: Any) -> Any:
        mine = next(turns) == int(turn)
        if mine and when == "before":
            die()
        result = original(*args, **kwargs)
        if mine and when == "after":
            die()
        return result

    setattr(owner, method, deadly)


if __name__ == "__main__":
    if os.environ.get("DIE_AT"):
        arm(os.environ["DIE_AT"])
    sys.exit(main())
