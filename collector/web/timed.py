"""What servers read of a request has a deadline, and its head a limit, so that no client holds them up."""

import math
import socket
from time import monotonic
from typing import Any

HEADER_LIMIT = 64 * 1024
"""The most bytes before a body."""


class TimedSocket(socket.SocketIO):
    """Ends a request that is not whole by its deadline, however steadily its bytes drip in."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, "rb")
        self._timed = sock
        self.deadline = math.inf

    @property
    def overdue(self) -> bool:
        """Tell whether the deadline is over."""
        return monotonic() >= self.deadline

    def readinto(self, buffer: Any) -> int | None:
        """Fill *buffer* from the socket; raise TimeoutError after the deadline."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._timed.settimeout(left)
        return super().readinto(buffer)
