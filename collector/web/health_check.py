"""Answers those who ask whether the collector runs: load balancers, Kubernetes probes, people with curl."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import ClassVar

from collector.component import ComponentConfig, Extension, Host
from collector.web.endpoint import Endpoint, cannot_listen, resolve

_WAKE = 0.1  # seconds after which the serving thread looks for the end


class HealthCheckConfig(ComponentConfig):
    """Says where the health of the collector can be asked for."""

    endpoint: Endpoint = "localhost:13133"
    """Where to listen, ``host:port``."""
    path: str = "/"
    """The path that answers 200 while the collector runs."""


class HealthCheckExtension(Extension):
    """Serves ``{"status": "Server available", "upSince": ..., "uptime": ...}``, as the OpenTelemetry Collector does."""

    Config: ClassVar[type[ComponentConfig]] = HealthCheckConfig

    def __init__(self, config: HealthCheckConfig, host: Host) -> None:
        super().__init__(config, host)
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before `start`."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Listen, or raise OSError when the address is taken."""
        try:
            self._server = _Server(self.config, self.host)
        except OSError as error:
            raise cannot_listen(f"{self.host.id}: endpoint", self.config.endpoint, error) from error
        Thread(target=self._server.serve_forever, args=(_WAKE,), name=self.host.id, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, config: HealthCheckConfig, host: Host) -> None:
        address = resolve(config.endpoint)
        self.path = config.path
        self.clock = host.clock
        self.started = host.clock()
        super().__init__(address, _Handler)

    def health(self) -> bytes:
        since = datetime.fromtimestamp(self.started, UTC).isoformat().replace("+00:00", "Z")
        uptime = _duration(self.clock() - self.started)
        return json.dumps({"status": "Server available", "upSince": since, "uptime": uptime}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the question."""
        if self.path.partition("?")[0] != self.server.path:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"ask for {self.server.path}")
            return
        body = self.server.health()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name the base class looks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: probes come every few seconds."""


def _duration(seconds: float) -> str:
    """Return seconds as Go writes a duration: ``1h2m3.5s``."""
    minutes, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
