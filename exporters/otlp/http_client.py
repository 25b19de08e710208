"""Sends requests over OTLP/HTTP."""

import zlib
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import pyarrow as pa
import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from collector.batch import Signal
from collector.component import Host
from collector.config.secrets import loggable
from collector.errors import Retryable
from exporters.otlp.answers import (
    LARGEST_ANSWER,
    Unwelcome,
    http_refusal,
    parse_status,
    partial_success,
    retry_after,
    retry_info,
)
from exporters.otlp.config import OtlpHttpConfig
from exporters.otlp.tls import context

_TYPES = {"proto": "application/x-protobuf", "json": "application/json"}
_GZIP_LEVEL = 1
"""Prompts and repeated keys shrink nearly as much at the fastest level."""
_GZIP_WINDOW = 31
_PIECE = 64 * 1024


class HttpClient:
    """Keeps connections to the server, opened when there is something to send."""

    def __init__(self, config: OtlpHttpConfig, host: Host, agent: str) -> None:
        self._config = config
        self._clock = host.clock
        self._headers = urllib3.HTTPHeaderDict({"User-Agent": agent})
        for name, value in config.headers.items():
            self._headers[name] = value.get_secret_value()
        self._headers |= {"Content-Type": _TYPES[config.encoding], "Accept-Encoding": "identity"}
        if config.compression in {"gzip", "zstd"}:
            self._headers["Content-Encoding"] = config.compression
        if config.tls.insecure_skip_verify:
            urllib3.disable_warnings(InsecureRequestWarning)
        options: dict[str, Any] = {"ssl_context": context(config.tls, host.base, host.id)}
        if config.tls.server_name_override:
            options["server_hostname"] = config.tls.server_name_override
        self._options = {"retries": False, **options}
        self._pools: dict[str, urllib3.PoolManager] = {}

    def send(self, signal: Signal, body: bytes) -> tuple[int, str]:
        """Return how many items were rejected and why; raise what `http_refusal` says."""
        url = self._config.url(signal)
        if not url:
            raise Unwelcome(f"no endpoint for {signal}; set endpoint or {signal}_endpoint")
        deadline = monotonic() + self._config.timeout
        try:
            answer = self._pool(url).request(
                "POST",
                url,
                body=_compressed(body, self._config.compression),
                headers=self._headers,
                timeout=urllib3.Timeout(self._config.timeout),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError) as error:
            raise Retryable(loggable(f"{url}: {error}")) from error
        said = _read(answer, deadline)
        if 200 <= answer.status < 300:
            return partial_success(signal, said, json=_is_json(answer))
        raise self._refusal(url, answer, said)

    def close(self) -> None:
        """Close the connections; the next request opens others."""
        for pool in self._pools.values():
            pool.clear()

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = self._config.proxy_url or _usual_proxy(url)
        if proxy not in self._pools:
            direct = urllib3.PoolManager(**self._options)
            self._pools[proxy] = urllib3.ProxyManager(proxy, **self._options) if proxy else direct
        return self._pools[proxy]

    def _refusal(self, url: str, answer: urllib3.BaseHTTPResponse, said: bytes) -> Exception:
        status = parse_status(said, json=_is_json(answer))
        moved = answer.headers.get("Location")
        told = status.message or (f"moved to {moved}" if moved else said[:_PIECE].decode(errors="replace"))
        after = retry_after(answer.headers.get("Retry-After"), self._clock())
        text = loggable(f"{url}: {answer.status} {answer.reason or ''}: {told}")
        return http_refusal(answer.status, text, retry_info(status) if after is None else after)


def _usual_proxy(url: str) -> str:
    """Return the proxy that the environment names for *url*, as usual (``https_proxy``, ``no_proxy``)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host == "localhost" or host.startswith("127.") or host == "::1" or proxy_bypass(parts.netloc):
        return ""
    return getproxies().get(parts.scheme, "")


def _compressed(body: bytes, how: str) -> bytes:
    if how == "gzip":
        packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
        return packer.compress(body) + packer.flush()
    if how == "zstd":
        return bytes(pa.Codec("zstd").compress(body, asbytes=True))
    return body


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Return the body of an answer, as much as counts and comes in time; the status alone says what was decided."""
    body = bytearray()
    try:
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) >= LARGEST_ANSWER or monotonic() > deadline:
                answer.close()
                break
    except (HTTPError, OSError):
        answer.close()
    answer.release_conn()
    return bytes(body)


def _is_json(answer: urllib3.BaseHTTPResponse) -> bool:
    return answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() == _TYPES["json"]
