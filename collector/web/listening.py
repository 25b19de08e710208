"""An extension that answers on a port of its own: the life that the health check and other small servers share."""

from abc import abstractmethod
from socketserver import TCPServer
from threading import Thread
from typing import Any

from collector.component import Extension, Host
from collector.web.endpoint import cannot_listen

_WAKE = 0.1  # seconds after which the serving thread looks for the end


class ListeningExtension(Extension):
    """Serves on ``config.endpoint`` from `start` to `stop`, in a thread of its own."""

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._server: TCPServer | None = None

    @abstractmethod
    def serve(self) -> TCPServer:
        """Return the server, listening; raise OSError when the address is taken."""

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, or raise OSError when the address is taken."""
        try:
            self._server = self.serve()
        except OSError as error:
            raise cannot_listen(f"{self.host.id}: endpoint", self.config.endpoint, error) from error
        Thread(target=self._server.serve_forever, args=(_WAKE,), name=self.host.id, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
