"""The gRPC door: OTLP's three services on raw bytes, so that no protobuf object is ever built for a request."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc

from collector.batch import Signal
from collector.component import Host
from collector.otlp.protocol import PROTOCOLS
from collector.receivers.otlp.config import GrpcConfig, KeepaliveConfig
from collector.receivers.otlp.intake import Intake
from collector.units import milliseconds
from collector.web.endpoint import cannot_listen, every_address, split
from collector.web.tls import server_files

_FOREVER_MS = milliseconds(math.inf)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcServer:
    """Serves OTLP/gRPC until it is stopped."""

    def __init__(self, config: GrpcConfig, intake: Intake, host: Host) -> None:
        self._config = config
        self._intake = intake
        self._where = host.id
        self._base = host.base
        self._server: grpc.Server | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.port = 0

    def start(self) -> None:
        """Listen and serve; raise OSError when the address is taken or a certificate cannot be used."""
        credentials = self._credentials()
        self._pool = ThreadPoolExecutor(self._config.workers, thread_name_prefix=self._where)
        self._server = grpc.server(self._pool, options=_options(self._config))
        self._server.add_generic_rpc_handlers((*self._handlers(),))
        try:
            self._bind(self._server, credentials)
        except (OSError, RuntimeError) as error:
            self.stop(0)
            reason = str(error).partition("; set GRPC_VERBOSITY")[0]
            raise cannot_listen(f"{self._where}: protocols.grpc.endpoint", self._config.endpoint, reason) from error
        self._server.start()

    def stop(self, grace: float) -> None:
        """Refuse new requests, give the running ones *grace* seconds, release the port."""
        if self._server is not None:
            self._server.stop(grace).wait(grace + 1)
            self._server = None
        if self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None

    def _bind(self, server: grpc.Server, credentials: grpc.ServerCredentials | None) -> None:
        """Take every address of the host: given the name, gRPC is content with the first that it can have."""
        port = split(self._config.endpoint)[1]
        # Only gRPC finds a port that is free at all of them.
        for address in every_address(self._config.endpoint) if port else [self._config.endpoint]:
            if credentials is None:
                self.port = server.add_insecure_port(address)
            else:
                self.port = server.add_secure_port(address, credentials)

    def _credentials(self) -> grpc.ServerCredentials | None:
        tls = self._config.tls
        if tls is None:
            return None
        files = server_files(tls, self._base, f"{self._where}: protocols.grpc.tls")
        pairs = [(files.key, files.certificate)]
        return grpc.ssl_server_credentials(pairs, files.authorities or None, bool(files.authorities))

    def _handlers(self) -> "Iterator[grpc.GenericRpcHandler[Any, Any]]":
        for signal, protocol in PROTOCOLS.items():
            reason = self._intake.closed(signal)
            answer = _refuser(reason) if reason else partial(self._export, signal)
            handler = grpc.unary_unary_rpc_method_handler(answer)
            yield grpc.method_handlers_generic_handler(protocol.service, {"Export": handler})

    def _export(self, signal: Signal, request: bytes, context: grpc.ServicerContext) -> bytes:
        answer = self._intake.take(signal, request)
        body = answer.encode(signal)
        if answer.code:
            context.set_trailing_metadata((("grpc-status-details-bin", body),))
            context.abort(_CODES[answer.code], answer.text)
        return body


def _refuser(reason: str) -> Callable[[bytes, grpc.ServicerContext], None]:
    def refuse(_request: bytes, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, reason)

    return refuse


def _options(config: GrpcConfig) -> list[tuple[str, int]]:
    limit = config.max_recv_msg_size_mib * 1024**2
    return [
        # gRPC checks the limit on the compressed size, and again while it decompresses.
        ("grpc.max_receive_message_length", limit),
        ("grpc.max_concurrent_streams", config.max_concurrent_streams),
        # Without this a second collector would silently share the port.
        ("grpc.so_reuseport", 0),
        *_keepalive_options(config.keepalive),
    ]


def _keepalive_options(config: KeepaliveConfig) -> list[tuple[str, int]]:
    server, policy = config.server_parameters, config.enforcement_policy
    durations = {
        "grpc.max_connection_idle_ms": server.max_connection_idle,
        "grpc.max_connection_age_ms": server.max_connection_age,
        "grpc.max_connection_age_grace_ms": server.max_connection_age_grace,
        "grpc.keepalive_time_ms": server.time,
        "grpc.keepalive_timeout_ms": server.timeout,
        # The timer that ends a connection whose pings stay unanswered; the one above alone does not.
        "grpc.http2.ping_timeout_ms": server.timeout,
    }
    return [
        *((name, milliseconds(seconds) or _FOREVER_MS) for name, seconds in durations.items()),
        ("grpc.http2.min_ping_interval_without_data_ms", milliseconds(policy.min_time)),
        ("grpc.keepalive_permit_without_calls", int(policy.permit_without_stream)),
        # A server that may not ping while nothing is sent could not find clients that died in a request.
        ("grpc.http2.max_pings_without_data", 0),
    ]
