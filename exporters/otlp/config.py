"""The options of the OTLP exporters, under the OpenTelemetry Collector's names."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, PositiveInt, model_validator

from collector.batch import Signal
from collector.component import ComponentConfig, ExporterConfig
from collector.units import Duration, ReadableFile, Secret
from collector.web.endpoint import is_name, split

_HEADER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_OWN_HEADERS = {
    "te",
    "connection",
    "transfer-encoding",
    *(f"content-{part}" for part in ("type", "encoding", "length")),
}
_WEB_SCHEMES = {"http": True, "https": False}
_OTHER_SCHEMES = ("dns:", "unix:", "ipv4:", "ipv6:")


def _check_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower().startswith("grpc-"):
        raise ValueError(f"{name!r} is not the name of a header; use letters, digits, '-', '_' and '.'")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"{name!r} is set by the exporter itself; leave it out")
    return name


def _check_value(value: Secret) -> Secret:
    text = value.get_secret_value()
    if not (text.isascii() and (text.isprintable() or not text)):
        # The text is not repeated: it is a secret.
        raise ValueError("a header holds printable ASCII only; look for a line end or an odd quote")
    return value


HeaderName = Annotated[str, AfterValidator(_check_name)]
HeaderValue = Annotated[Secret, AfterValidator(_check_value)]


class TlsConfig(ComponentConfig):
    """Says how the connection is encrypted and how both sides know each other. Files are read at the start."""

    insecure: bool = False
    """Speak gRPC without TLS. ``http://`` or ``https://`` before the endpoint decides instead, where it is written."""
    insecure_skip_verify: bool = False
    """Encrypt without checking who answers: anybody in between can read along. For trials."""
    ca_file: ReadableFile = ""
    """A PEM file with the authorities to trust, instead of the usual ones."""
    cert_file: ReadableFile = ""
    """A PEM file with the certificate to show to the server, for servers that ask for one; goes with ``key_file``."""
    key_file: ReadableFile = ""
    """A PEM file with the key of ``cert_file``."""
    server_name_override: str = ""
    """The name the server's certificate must have, if it is not the host of the endpoint."""

    @model_validator(mode="after")
    def _pair(self) -> "TlsConfig":
        if bool(self.cert_file) != bool(self.key_file):
            raise ValueError("cert_file and key_file go together; give both or neither")
        return self


class ForwardConfig(ExporterConfig):
    """Is what both OTLP exporters are told alike."""

    # A header may hold a key.
    model_config = ConfigDict(hide_input_in_errors=True)

    headers: dict[HeaderName, HeaderValue] = {}  # noqa: RUF012 - pydantic gives each its own
    """Sent along with every request, such as ``signoz-ingestion-key: ${env:SIGNOZ_INGESTION_KEY}``."""
    tls: TlsConfig = TlsConfig()
    """How the connection is encrypted."""
    max_request_size: PositiveInt = 4 * 1024**2
    """Bytes of a request before compression; a larger delivery is cut in pieces. A Collector takes 4 MiB over gRPC
    and 20 MiB over HTTP unless told otherwise."""


def target(endpoint: str, insecure: bool) -> tuple[str, bool]:
    """Return what gRPC connects to and whether without TLS; raise ValueError when *endpoint* is no address."""
    scheme, found, rest = endpoint.partition("://")
    if found and scheme in _WEB_SCHEMES:
        endpoint, insecure = rest.rstrip("/"), _WEB_SCHEMES[scheme]
    if not endpoint.startswith(_OTHER_SCHEMES):
        split(endpoint)
    return endpoint, insecure


def _check_target(endpoint: str) -> str:
    target(endpoint, False)
    return endpoint


class KeepaliveConfig(ComponentConfig):
    """Says when a silent connection is probed."""

    time: Duration = 0.0
    """Ping after this long without an answer; 0 never. Most servers cut off who pings more often than every 5m."""
    timeout: Duration = 20.0
    """Connect anew when a ping is not answered within this time."""
    permit_without_stream: bool = False
    """Ping while nothing is being sent, too."""


class OtlpConfig(ForwardConfig):
    """Says where OTLP/gRPC goes."""

    endpoint: Annotated[str, AfterValidator(_check_target)]
    """``host:port`` of the server, with ``http://`` before it for no TLS, or ``https://``."""
    compression: Literal["gzip", "none", ""] = "gzip"
    """How requests are compressed."""
    balancer_name: Literal["round_robin", "pick_first"] = "round_robin"
    """How requests spread over the addresses that the host's name has."""
    authority: str = ""
    """Sent as ``:authority``, where a proxy needs another name than the host's."""
    wait_for_ready: bool = False
    """Wait for the connection until ``timeout`` rather than fail at once and try again later."""
    keepalive: KeepaliveConfig = KeepaliveConfig()


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _WEB_SCHEMES and parts.hostname and parts.port != 0 and is_name(url)
    except ValueError:
        usable = False
    if url and not usable:
        raise ValueError(f"{url!r} is not a URL; write it like https://host:4318")
    return url


Url = Annotated[str, AfterValidator(_check_url)]


class OtlpHttpConfig(ForwardConfig):
    """Says where OTLP/HTTP goes."""

    endpoint: Url = ""
    """The URL of the server; ``/v1/traces`` and so on are put behind it."""
    traces_endpoint: Url = ""
    """The whole URL for spans, if it is not ``endpoint`` and ``/v1/traces``."""
    metrics_endpoint: Url = ""
    """The whole URL for metrics, if it is not ``endpoint`` and ``/v1/metrics``."""
    logs_endpoint: Url = ""
    """The whole URL for logs, if it is not ``endpoint`` and ``/v1/logs``."""
    encoding: Literal["proto", "json"] = "proto"
    """How requests are written; ``json`` is for receivers that know nothing else, and costs many times more."""
    compression: Literal["gzip", "zstd", "none", ""] = "gzip"
    """How requests are compressed."""
    proxy_url: Url = ""
    """A proxy to go through; without it those of the environment (``HTTPS_PROXY``, ``NO_PROXY``) are used."""

    @model_validator(mode="after")
    def _goes_somewhere(self) -> "OtlpHttpConfig":
        if not (self.endpoint or self.traces_endpoint or self.metrics_endpoint or self.logs_endpoint):
            raise ValueError("no endpoint is given; write endpoint: https://host:4318")
        return self

    def url(self, signal: Signal) -> str:
        """Return where requests of *signal* go, or nothing where they cannot go anywhere."""
        own: str = getattr(self, f"{signal}_endpoint")
        return own or (f"{self.endpoint.rstrip('/')}/v1/{signal}" if self.endpoint else "")
