"""Sends what passes on to another OTLP receiver: a collector, SigNoz, any backend that speaks OTLP.

parcel ──divide──> pieces of at most max_request_size ──encode──> request ──gRPC or HTTP──> the next one

The same parcel is always the same requests, byte for byte, also after a crash: a receiver that remembers the bytes it
took, as genai-collector's own does, keeps a parcel once however often it is sent.
"""

from abc import abstractmethod
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise
from typing import Any, ClassVar, Protocol

from collector.batch import UNITS, Batch, Signal
from collector.component import ComponentConfig, Exporter, Host
from collector.errors import Permanent, Retryable
from collector.otlp.encode import encode
from collector.otlp.json import encode_json
from exporters.otlp.answers import Unwelcome
from exporters.otlp.config import OtlpConfig, OtlpHttpConfig
from exporters.otlp.grpc_client import GrpcClient
from exporters.otlp.http_client import HttpClient

_AGENT = f"genai-collector/{version('genai-collector')}"


class Client(Protocol):
    """Is a way to the next receiver."""

    def send(self, signal: Signal, body: bytes) -> tuple[int, str]:
        """Return how many items were rejected and why; raise `Retryable`, `Permanent` or `Unwelcome`."""

    def close(self) -> None:
        """Let go of the connection."""


class Forwarder(Exporter):
    """Is what both OTLP exporters share: everything but the way the bytes go."""

    consumes: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.METRICS, Signal.LOGS})

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._client: Client | None = None
        self._written: tuple[Batch, bytes] | None = None

    @abstractmethod
    def _connect(self) -> Client: ...

    def start(self) -> None:
        """Get ready to send; the server may be down. Raise ConfigError when a TLS file cannot be used."""
        if self._client is None:
            self._client = self._connect()
            if self.config.tls.insecure_skip_verify:
                self.host.log.warning("tls.insecure_skip_verify is set: nobody checks who receives the data")

    def stop(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._written = None

    def divide(self, batch: Batch) -> Iterator[Batch]:
        """Yield pieces of the batch whose requests are not larger than wanted, unless a single item is."""
        limit = self.config.max_request_size
        todo = [batch]
        while todo:
            part = todo.pop()
            pieces = min(-(-self._size(part) // limit), part.rows)
            if pieces <= 1:
                yield part
            else:
                edges = [part.rows * number // pieces for number in range(pieces + 1)]
                ranges = [range(*edge) for edge in pairwise(edges)]
                todo += [part.take(rows) for rows in reversed(ranges)]

    def export(self, batch: Batch) -> None:
        """Send the batch as one request; raise Retryable or Permanent as OTLP has it."""
        if self._client is None:
            raise Retryable(f"exporter {self.host.id} is not running")
        try:
            rejected, reason = self._client.send(batch.signal, self._write(batch))
        except Unwelcome as refusal:
            raise Permanent(str(refusal), rows=range(batch.rows)) from refusal
        self._written = None
        if rejected or reason:
            self._tell(batch.signal, rejected, reason)

    def _tell(self, signal: Signal, rejected: int, reason: str) -> None:
        """Log and count what the receiver says it lost for good, or warns of."""
        self.host.metrics.count(f"otelcol_exporter_rejected_{UNITS[signal]}", rejected, exporter=self.host.id)
        text = "the receiver rejected a part" if rejected else "the receiver accepted everything, with a warning"
        self.host.log.warning(text, signal=signal.value, rejected=rejected, reason=reason)

    def _size(self, batch: Batch) -> int:
        try:
            return len(self._write(batch))
        except Exception:  # whoever sends it hears of it, too, and can say what became of it
            return 0

    def _write(self, batch: Batch) -> bytes:
        """Return the request's bytes, kept until another batch is written: a retry need not write again."""
        if self._written is None or self._written[0] is not batch:
            self._written = None
            self._written = batch, self._encode(batch)
        return self._written[1]

    def _encode(self, batch: Batch) -> bytes:
        return encode(batch)


class OtlpExporter(Forwarder):
    """Sends spans, metrics and logs to another OTLP receiver over gRPC."""

    Config: ClassVar[type[ComponentConfig]] = OtlpConfig

    def _connect(self) -> Client:
        return GrpcClient(self.config, self.host, _AGENT)


class OtlpHttpExporter(Forwarder):
    """Sends spans, metrics and logs to another OTLP receiver over HTTP."""

    Config: ClassVar[type[ComponentConfig]] = OtlpHttpConfig

    def _connect(self) -> Client:
        return HttpClient(self.config, self.host, _AGENT)

    def _encode(self, batch: Batch) -> bytes:
        return encode_json(batch) if self.config.encoding == "json" else encode(batch)
