"""Takes OTLP from applications and other collectors, over gRPC and over HTTP.

A request is answered only after every pipeline has taken what it holds for good.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from collector.component import ComponentConfig, Consume, Host, Receiver
from collector.receivers.otlp.config import OtlpConfig
from collector.receivers.otlp.grpc_server import GrpcServer
from collector.receivers.otlp.http_server import OtlpHttpServer
from collector.receivers.otlp.intake import Intake
from collector.web.endpoint import EVERY_INTERFACE, split

_GRACE = 5.0


class OtlpReceiver(Receiver):
    """Listens for OTLP/gRPC and OTLP/HTTP and hands on what arrives."""

    Config: ClassVar[type[ComponentConfig]] = OtlpConfig

    def __init__(self, config: OtlpConfig, host: Host, consume: Consume) -> None:
        super().__init__(config, host, consume)
        grpc, http = config.protocols.grpc, config.protocols.http
        self._endpoints = [protocol.endpoint for protocol in (grpc, http) if protocol is not None]
        self._grpc: GrpcServer | None = None
        self._http: OtlpHttpServer | None = None
        if grpc is not None:
            self._grpc = GrpcServer(grpc, Intake(host, consume, "grpc", grpc.max_request_elements), host)
        if http is not None:
            self._http = OtlpHttpServer(http, Intake(host, consume, "http", http.max_request_elements), host)

    @property
    def grpc_port(self) -> int:
        """The port that serves gRPC; 0 before `start` and where it is off."""
        return 0 if self._grpc is None else self._grpc.port

    @property
    def http_port(self) -> int:
        """The port that serves HTTP; 0 before `start` and where it is off."""
        return 0 if self._http is None else self._http.port

    def start(self) -> None:
        """Listen at every endpoint, or at none and raise OSError."""
        try:
            for server in self._servers():
                server.start()
        except OSError:
            self.stop()
            raise
        if any(split(endpoint)[0] in EVERY_INTERFACE for endpoint in self._endpoints):
            self.host.log.warning(
                "listening on every network interface",
                endpoints=self._endpoints,
                hint="use localhost or one address unless the network is trusted",
            )
        self.host.log.info("receiver started", grpc_port=self.grpc_port, http_port=self.http_port)

    def stop(self) -> None:
        """Stop listening and let the running requests finish within a few seconds."""
        if servers := self._servers():
            with ThreadPoolExecutor(len(servers)) as pool:
                list(pool.map(lambda server: server.stop(_GRACE), servers))

    def _servers(self) -> list[GrpcServer | OtlpHttpServer]:
        return [server for server in (self._grpc, self._http) if server is not None]
