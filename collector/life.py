"""The life of the process: it runs a `Service` until a signal, and starts it anew when the configuration is read again.

SIGINT, SIGTERM   drain and end; the second one ends at once
SIGHUP            read the configuration again; drain and start again with it, or go on as before if it has mistakes
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, NoReturn

import pyarrow as pa
import structlog

from collector import allocator
from collector.config import Configuration
from collector.errors import ConfigError
from collector.service import Service, StartError, configure_logging

_LOOK_UP = 0.5
"""Seconds after which the main thread looks up for signals that did not wake it."""
_ENDS = (signal.SIGINT, signal.SIGTERM)


class Life:
    """Starts a configuration, and what *reread* returns whenever SIGHUP asks for it."""

    def __init__(self, configuration: Configuration, reread: Callable[[], Configuration]) -> None:
        self._service = Service(configuration)
        self._reread = reread
        # Unlike an Event it may be told something by a signal that comes while the same thread is waiting for it.
        self._asked: SimpleQueue[int] = SimpleQueue()
        self._ending = False

    @property
    def _log(self) -> Any:
        return structlog.get_logger()

    def run(self) -> int:
        """Run until SIGINT or SIGTERM and return the exit code: 0, or 1 when something cannot start."""
        configure_logging(self._service.configuration.telemetry)
        # Batches are small: handing their columns to a pool of threads costs more than it saves.
        pa.set_cpu_count(1)
        self._log.info("Starting genai-collector...")
        for number in (*_ENDS, signal.SIGHUP):
            signal.signal(number, self._heard)
        try:
            self._start(self._service)
            while self._next() not in _ENDS:
                self._reload()
        except StartError as error:
            self._log.error(str(error))
            return 1
        self._log.info("Starting shutdown...")
        self._service.stop()
        self._log.info("Shutdown complete.")
        return 0

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        if number in _ENDS and self._ending:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._ending = self._ending or number in _ENDS
        self._asked.put(number)

    def _next(self) -> int:
        """Wait for a signal."""
        while True:
            try:
                # A signal that comes while the wait begins does not end it: Python tells of it when the wait is over.
                return self._asked.get(timeout=_LOOK_UP)
            except Empty:
                continue

    def _start(self, service: Service) -> None:
        configure_logging(service.configuration.telemetry)
        service.start()
        allocator.settle()
        self._log.info("Everything is ready. Begin running and processing data.")

    def _reload(self) -> None:
        """Go on with the configuration as it is now; as before when it has mistakes or cannot start."""
        try:
            fresh = Service(self._reread())
        except ConfigError as error:
            self._unchanged([str(problem) for problem in error.problems])
            return
        except Exception as error:
            self._unchanged([f"{type(error).__name__}: {error}"])
            return
        for warning in fresh.configuration.warnings:
            self._log.warning("the configuration is odd", warning=str(warning))
        before = self._service
        self._log.info("Config updated, restart service")
        before.stop()
        if self._ending:
            return
        try:
            self._service = fresh
            self._start(fresh)
        except StartError as error:
            self._log.error("going back to the configuration before", error=str(error))
            self._service = Service(before.configuration)
            self._start(self._service)

    def _unchanged(self, problems: Sequence[str]) -> None:
        for problem in problems:
            self._log.error("the configuration has a mistake; everything goes on as before", problem=problem)


def leave(code: int) -> NoReturn:
    """End the process: Python itself would wait for the thread of a request whose delivery hangs."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
