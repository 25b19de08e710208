"""Answers those who ask whether the collector runs: load balancers, Kubernetes probes, people with curl."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, ClassVar

from collector.component import ComponentConfig, Host
from collector.web.endpoint import Endpoint, resolve
from collector.web.listening import ListeningExtension

_NEVER = "0001-01-01T00:00:00Z"
"""Since when it is up while it is not, as the OpenTelemetry Collector writes it."""


class HealthCheckConfig(ComponentConfig):
    """Says where the health of the collector can be asked for."""

    endpoint: Endpoint = "localhost:13133"
    """Where to listen, ``host:port``."""
    path: str = "/"
    """The path that answers 200 while every receiver takes requests, and 503 while the collector starts or drains."""


class HealthCheckExtension(ListeningExtension):
    """Serves ``{"status": "Server available", "upSince": ..., "uptime": ...}``, as the OpenTelemetry Collector does."""

    Config: ClassVar[type[ComponentConfig]] = HealthCheckConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._ready_since: float | None = None

    def ready(self) -> None:
        """Answer 200 from now on."""
        self._ready_since = self.host.clock()

    def not_ready(self) -> None:
        """Answer 503 from now on."""
        self._ready_since = None

    def serve(self) -> "_Server":
        """Return the server, listening."""
        return _Server(self.config, self.health)

    def health(self) -> tuple[HTTPStatus, bytes]:
        """Return the status and the body of an answer."""
        since = self._ready_since
        if since is None:
            return HTTPStatus.SERVICE_UNAVAILABLE, _body("Server not available", _NEVER, "")
        up_since = datetime.fromtimestamp(since, UTC).isoformat().replace("+00:00", "Z")
        return HTTPStatus.OK, _body("Server available", up_since, _duration(self.host.clock() - since))


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, config: HealthCheckConfig, health: Callable[[], tuple[HTTPStatus, bytes]]) -> None:
        self.path = config.path
        self.health = health
        super().__init__(resolve(config.endpoint), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the question."""
        if self.path.partition("?")[0] != self.server.path:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"ask for {self.server.path}")
            return
        status, body = self.server.health()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name the base class looks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: probes come every few seconds."""


def _body(status: str, up_since: str, uptime: str) -> bytes:
    return json.dumps({"status": status, "upSince": up_since, "uptime": uptime}).encode()


def _duration(seconds: float) -> str:
    """Return seconds as Go writes a duration: ``1h2m3.5s``."""
    minutes, rest = divmod(max(seconds, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".") + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
