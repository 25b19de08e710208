"""An OTLP receiver that forgets: takes requests over gRPC and HTTP, counts what is in them and keeps nothing.

It is a process of its own, so its work is not counted: ``python -m tests.bench.otlp_sink HTTP_PORT GRPC_PORT``.
``GET /counts`` tells what came, by signal, as JSON.
"""

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import grpc

from collector.batch import Signal
from collector.otlp.protocol import PROTOCOLS


class Counts:
    """Holds how many items came of each signal."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._items: Counter[str] = Counter()

    def take(self, signal: Signal, body: bytes) -> bytes:
        """Count one request and return the answer to it."""
        count = items_of(signal, body)
        with self._lock:
            self._items[signal.value] += count
        return b""

    def text(self) -> str:
        """Return everything as JSON: ``{signal: number}``."""
        with self._lock:
            return json.dumps(self._items)


def items_of(signal: Signal, body: bytes) -> int:
    """Return how many spans, points or records a request holds."""
    protocol = PROTOCOLS[signal]
    resources = getattr(protocol.request.FromString(body), protocol.resources)
    scopes = [scope for one in resources for scope in getattr(one, protocol.scopes)]
    items = [item for scope in scopes for item in getattr(scope, protocol.items)]
    if signal is not Signal.METRICS:
        return len(items)
    return sum(len(getattr(item, str(item.WhichOneof("data"))).data_points) for item in items)


class Service(grpc.GenericRpcHandler):
    """Answers Export of all three signals."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._signals = {f"/{protocol.service}/Export": signal for signal, protocol in PROTOCOLS.items()}

    def service(self, handler_call_details: Any) -> Any:
        """Return what handles one call, None for what is no Export."""
        signal = self._signals.get(handler_call_details.method)
        if signal is None:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda body, _: self._counts.take(signal, body))


def handler_of(counts: Counts) -> type[BaseHTTPRequestHandler]:
    """Return what handles HTTP requests."""
    unpack: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(counts.text().encode(), "application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = unpack.get(self.headers.get("Content-Encoding", ""), bytes)(body)
            self._reply(counts.take(Signal(self.path.removeprefix("/v1/")), body), "application/x-protobuf")

        def _reply(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing about each request."""

    return Handler


def main(http_port: str, grpc_port: str) -> None:
    """Serve both doors until the process is ended."""
    counts = Counts()
    options = [("grpc.max_receive_message_length", 64 * 1024**2), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    server.add_generic_rpc_handlers((Service(counts),))
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    server.start()
    ThreadingHTTPServer(("127.0.0.1", int(http_port)), handler_of(counts)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
