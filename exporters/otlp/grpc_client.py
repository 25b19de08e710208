"""Sends requests over OTLP/gRPC: bytes in, bytes out, no protobuf object for the data."""

from typing import Any

import grpc

from collector.batch import Signal
from collector.component import Host
from collector.config.secrets import loggable
from collector.errors import Retryable
from collector.otlp.protocol import protocol_of
from collector.units import milliseconds
from collector.web.endpoint import split
from exporters.otlp.answers import LARGEST_ANSWER, details, grpc_refusal, partial_success, retry_info
from exporters.otlp.config import KeepaliveConfig, OtlpConfig, target
from exporters.otlp.tls import Files, credentials, presented, read_files

_RECONNECT_MS = (("grpc.initial_reconnect_backoff_ms", 500), ("grpc.max_reconnect_backoff_ms", 5000))
_NO_TLS = "WRONG_VERSION_NUMBER"


class GrpcClient:
    """Keeps one channel, which connects, and connects again, when there is something to send."""

    def __init__(self, config: OtlpConfig, host: Host, agent: str) -> None:
        self._config = config
        self._target, self._insecure = target(config.endpoint, config.tls.insecure)
        self._files = read_files(config.tls, host.base, host.id)
        self._agent = agent
        self._metadata = [_pair(name.lower(), value.get_secret_value()) for name, value in config.headers.items()]
        compress = config.compression == "gzip"
        self._compression = grpc.Compression.Gzip if compress else grpc.Compression.NoCompression
        self._channel: grpc.Channel | None = None

    def send(self, signal: Signal, body: bytes) -> tuple[int, str]:
        """Return how many items were rejected and why; raise what `grpc_refusal` says."""
        call = self._open().unary_unary(f"/{protocol_of(signal).service}/Export")
        try:
            answer = call(
                body,
                timeout=self._config.timeout,
                metadata=self._metadata,
                compression=self._compression,
                wait_for_ready=self._config.wait_for_ready,
            )
        except grpc.RpcError as error:
            raise self._refusal(error) from error
        return partial_success(signal, answer)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _refusal(self, error: Any) -> Exception:
        code, said = error.code(), error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED or (self._config.tls.insecure_skip_verify and _is_away(code)):
            # A dead connection answers nothing and would be kept; a server may show another certificate by now.
            self.close()
        hint = "; the server speaks without TLS: set tls.insecure: true" if _NO_TLS in said else ""
        text = loggable(f"{self._config.endpoint}: {code.name}: {said}{hint}")
        return grpc_refusal(code.value[0], text, retry_info(details(error.trailing_metadata())))

    def _open(self) -> grpc.Channel:
        if self._channel is None:
            options = self._options()
            if self._insecure:
                self._channel = grpc.insecure_channel(self._target, options)
            elif self._config.tls.insecure_skip_verify:
                self._channel = self._trusting_channel(options)
            else:
                self._channel = grpc.secure_channel(self._target, credentials(self._files), options)
        return self._channel

    def _trusting_channel(self, options: list[tuple[str, Any]]) -> grpc.Channel:
        try:
            shown, name = presented(*split(self._target), self._config.timeout)
        except (OSError, ValueError) as error:
            raise Retryable(loggable(f"{self._config.endpoint}: its certificate cannot be had: {error}")) from error
        files = Files(shown, self._files.certificate, self._files.key)
        return grpc.secure_channel(
            self._target, credentials(files), [*options, ("grpc.ssl_target_name_override", name)]
        )

    def _options(self) -> list[tuple[str, Any]]:
        config = self._config
        names = {
            "grpc.default_authority": config.authority,
            "grpc.ssl_target_name_override": config.tls.server_name_override,
            "grpc.primary_user_agent": self._agent,
            "grpc.lb_policy_name": config.balancer_name,
        }
        return [
            *((name, value) for name, value in names.items() if value),
            *_RECONNECT_MS,
            # A channel made anew shall not get the old one's connection.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", LARGEST_ANSWER),
            ("grpc.max_send_message_length", -1),
            *_keepalive(config.keepalive),
        ]


def _keepalive(config: KeepaliveConfig) -> list[tuple[str, Any]]:
    if not config.time:
        return []
    return [
        ("grpc.keepalive_time_ms", milliseconds(config.time)),
        ("grpc.keepalive_timeout_ms", milliseconds(config.timeout)),
        ("grpc.http2.ping_timeout_ms", milliseconds(config.timeout)),
        ("grpc.keepalive_permit_without_calls", int(config.permit_without_stream)),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def _is_away(code: grpc.StatusCode) -> bool:
    return code is grpc.StatusCode.UNAVAILABLE


def _pair(name: str, value: str) -> tuple[str, str | bytes]:
    return name, value.encode() if name.endswith("-bin") else value
