"""Answers those who ask whether the collector runs: load balancers, Kubernetes probes, people with curl."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import ClassVar

from collector.component import ComponentConfig, Host
from collector.web.endpoint import Endpoint, resolve
from collector.web.listening import ListeningExtension


class HealthCheckConfig(ComponentConfig):
    """Says where the health of the collector can be asked for."""

    endpoint: Endpoint = "localhost:13133"
    """Where to listen, ``host:port``."""
    path: str = "/"
    """The path that answers 200 while the collector runs."""


class HealthCheckExtension(ListeningExtension):
    """Serves ``{"status": "Server available", "upSince": ..., "uptime": ...}``, as the OpenTelemetry Collector does."""

    Config: ClassVar[type[ComponentConfig]] = HealthCheckConfig

    def serve(self) -> "_Server":
        """Return the server, listening."""
        return _Server(self.config, self.host)


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
