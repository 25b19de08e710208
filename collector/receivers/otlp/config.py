"""The options of the OTLP receiver, under the OpenTelemetry Collector's names."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, model_validator

from collector.batch import Signal
from collector.component import ComponentConfig
from collector.units import Duration
from collector.web.endpoint import Endpoint, split
from collector.web.tls import ServerTlsConfig

_MIB = 1024**2

_ELEMENTS = (
    "The most spans, points, records, attributes, events, links, counts of buckets and the like in one request; more "
    "are refused. JSON may hold twice as many objects and lists, of which an attribute takes two, and entries of lists."
    " 64 MiB of usual spans hold about 1,200,000."
)

Elements = Annotated[int, Field(ge=1, le=2_000_000, description=_ELEMENTS)]


class KeepaliveServerParameters(ComponentConfig):
    """Says how long connections live, and how dead ones are found. 0 means never."""

    max_connection_idle: Duration = 0.0
    """Close a connection that had no request for this long."""
    max_connection_age: Duration = 0.0
    """Close every connection after this long, so that clients spread over collectors anew."""
    max_connection_age_grace: Duration = 0.0
    """How much longer the requests of a connection that grew too old may run."""
    time: Duration = 30.0
    """Ping a silent client after this long. The Collector waits 2h; a hung client would hold a worker until then."""
    timeout: Duration = 20.0
    """Close the connection when a ping is not answered within this time."""


class KeepaliveEnforcementPolicy(ComponentConfig):
    """Says which clients ping too much; they are disconnected."""

    min_time: Duration = 300.0
    """The shortest time between two pings of a client."""
    permit_without_stream: bool = False
    """Whether a client without a running request may ping."""


class KeepaliveConfig(ComponentConfig):
    """Says when connections are pinged and closed."""

    server_parameters: KeepaliveServerParameters = KeepaliveServerParameters()
    enforcement_policy: KeepaliveEnforcementPolicy = KeepaliveEnforcementPolicy()


class GrpcConfig(ComponentConfig):
    """Says how OTLP/gRPC is served. Requests may be compressed with gzip or deflate."""

    endpoint: Endpoint = "localhost:4317"
    """Where to listen, ``host:port``."""
    transport: Literal["tcp"] = "tcp"
    """There is no other."""
    tls: ServerTlsConfig | None = None
    """Without it nothing is encrypted."""
    max_recv_msg_size_mib: int = Field(64, ge=1, le=2047)
    """The largest request in MiB, after decompression; larger ones get RESOURCE_EXHAUSTED."""
    max_request_elements: Elements = 1_500_000
    max_concurrent_streams: int = Field(100, ge=1)
    """Requests that one connection may have open; the client holds back the others."""
    workers: int = Field(32, ge=1)
    """Requests handled at the same time; others wait, still unread, in their connections."""
    keepalive: KeepaliveConfig = KeepaliveConfig()
    include_metadata: Literal[False] = False
    """Metadata of requests is not kept: no processor reads it."""

    @model_validator(mode="after")
    def _speaks_both_versions(self) -> "GrpcConfig":
        if self.tls is not None and self.tls.min_version != "1.2":
            raise ValueError("gRPC always speaks TLS 1.2 and 1.3; set tls.min_version to 1.2 or use http")
        return self


class CorsConfig(ComponentConfig):
    """Says which web pages may send from a browser."""

    allowed_origins: tuple[str, ...] = ()
    """Origins like ``https://app.example.com``; ``*`` stands for anything within one, alone for every origin."""
    allowed_headers: tuple[str, ...] = ()
    """Headers that pages may set besides Accept, Content-Type and X-Requested-With; ``*`` for any."""
    exposed_headers: tuple[str, ...] = ()
    """Headers of the answer that pages may read."""
    max_age: NonNegativeInt = 0
    """Seconds for which browsers remember that they may send; 0 leaves it to them."""


def _check_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not a path; start it with /")
    return path


UrlPath = Annotated[str, AfterValidator(_check_path)]
"""The path of a URL, from the slash on."""


class HttpConfig(ComponentConfig):
    """Says how OTLP/HTTP is served. Requests may be compressed with gzip, deflate, zlib or zstd."""

    endpoint: Endpoint = "localhost:4318"
    """Where to listen, ``host:port``."""
    tls: ServerTlsConfig | None = None
    """Without it nothing is encrypted."""
    cors: CorsConfig = CorsConfig()
    """Without origins browsers may not send."""
    max_request_body_size: int = Field(64 * _MIB, ge=1)
    """The largest request in bytes, after decompression; larger ones get 413."""
    max_request_elements: Elements = 1_500_000
    traces_url_path: UrlPath = "/v1/traces"
    """The path that takes spans."""
    metrics_url_path: UrlPath = "/v1/metrics"
    """The path that takes metrics."""
    logs_url_path: UrlPath = "/v1/logs"
    """The path that takes log records."""
    workers: int = Field(10, ge=1)
    """Requests handled at the same time; others wait. One that is still arriving occupies none."""
    max_connections: int = Field(512, ge=1)
    """Connections open at the same time; more are closed at once."""
    read_timeout: Duration = 30.0
    """How long one request may take to arrive, headers and body; slower ones get 408."""
    idle_timeout: Duration = 120.0
    """How long a connection may wait for its next request."""
    include_metadata: Literal[False] = False
    """Headers of requests are not kept: no processor reads them."""

    @property
    def paths(self) -> dict[str, Signal]:
        """What is taken where."""
        return {
            self.traces_url_path: Signal.TRACES,
            self.metrics_url_path: Signal.METRICS,
            self.logs_url_path: Signal.LOGS,
        }

    @model_validator(mode="after")
    def _paths_differ(self) -> "HttpConfig":
        if len(self.paths) < 3:
            raise ValueError("two signals have the same path; give each its own")
        return self


def _defaults_for_null(value: Any) -> Any:
    return {} if value is None else value


class Protocols(ComponentConfig):
    """Names the protocols that are served. One written without options has its defaults, an absent one is off."""

    grpc: Annotated[GrpcConfig | None, BeforeValidator(_defaults_for_null)] = None
    http: Annotated[HttpConfig | None, BeforeValidator(_defaults_for_null)] = None

    @model_validator(mode="after")
    def _endpoints_differ(self) -> "Protocols":
        if self.grpc and self.http and self.grpc.endpoint == self.http.endpoint and split(self.grpc.endpoint)[1]:
            raise ValueError(f"grpc and http cannot both listen on {self.grpc.endpoint}; give each its own endpoint")
        return self


class OtlpConfig(ComponentConfig):
    """Says how applications and other collectors send OTLP."""

    protocols: Annotated[Protocols, BeforeValidator(_defaults_for_null)] = Protocols()

    @model_validator(mode="after")
    def _serves_something(self) -> "OtlpConfig":
        if self.protocols.grpc is None and self.protocols.http is None:
            raise ValueError("no protocol is served; write 'grpc:', 'http:' or both under 'protocols:'")
        return self
