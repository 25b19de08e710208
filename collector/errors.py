"""The two answers a consumer may give besides taking a batch, and the shape of a configuration mistake.

Exception
├── Retryable     try the same thing again later: UNAVAILABLE at a receiver, a wait at an outbox
├── Permanent     never try this again: INVALID_ARGUMENT at a receiver, a dead letter at an outbox
└── ConfigError   every mistake of a configuration at once
"""

from collections.abc import Sequence
from dataclasses import dataclass


class Retryable(Exception):
    """Says that the same batch may be taken later.

    *after* is the number of seconds to wait, where the refuser knows it.
    """

    def __init__(self, message: str, *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Divided(Retryable):
    """Says that a batch made of several requests must come one request at a time: some were taken before."""


class Permanent(Exception):
    """Says that a batch will never be taken, however often it is sent.

    *rows*, where given, are the only refused row numbers: every other row of the batch was delivered.
    Without it nothing is known about single rows and the sender may split the batch to find them.
    """

    def __init__(self, message: str, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(message)
        self.rows = None if rows is None else tuple(rows)


@dataclass(frozen=True, slots=True)
class Problem:
    """Tells one configuration mistake: where it stands, what is wrong, what to do.

    *where* is ``file:line:column`` (or ``--set``), *path* the dotted place in the configuration.
    """

    where: str
    path: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        message = f"{self.where}: {self.path}: {self.text}" if self.path else f"{self.where}: {self.text}"
        return f"{message}; {self.hint}" if self.hint else message


class ConfigError(Exception):
    """Carries every mistake found in a configuration, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
