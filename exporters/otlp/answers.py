"""What a server's answer means for the data that was sent, by OTLP's rules.

Retryable    the same request again, later, after the delay the server asks for
Permanent    never again; the request is halved, since something in it, or its size, is to blame
Unwelcome    never again, whatever is in it: who sends is refused, or nobody there takes this kind
"""

from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.batch import Signal
from collector.config.secrets import loggable
from collector.errors import Permanent, Retryable
from collector.otlp.protocol import protocol_of

M = TypeVar("M", bound=Message)

LARGEST_ANSWER = 4 * 1024**2
"""Bytes of an answer that are read at most."""

_LONGEST_WAIT = 3600.0

_LATER = {Code.CANCELLED, Code.DEADLINE_EXCEEDED, Code.ABORTED, Code.OUT_OF_RANGE, Code.UNAVAILABLE, Code.DATA_LOSS}
_CONTENT = {Code.UNKNOWN, Code.INVALID_ARGUMENT, Code.INTERNAL, Code.RESOURCE_EXHAUSTED}
_STATUS_LATER = {408, 429, 502, 503, 504}
"""OTLP's four, and 408: a server that gave up reading has not looked at the data."""
_STATUS_CONTENT = {400, 413, 422, 500}


class Unwelcome(Exception):
    """Says that a request was refused whatever is in it, so that sending half of it would change nothing."""


def grpc_refusal(code: int, text: str, after: float | None) -> Exception:
    """Return what to raise for a gRPC status that is not OK."""
    if code in _LATER or (code == Code.RESOURCE_EXHAUSTED and after is not None):
        return Retryable(text, after=after)
    return Permanent(text) if code in _CONTENT else Unwelcome(text)


def http_refusal(status: int, text: str, after: float | None) -> Exception:
    """Return what to raise for an HTTP status that is not 2xx."""
    if status in _STATUS_LATER:
        return Retryable(text, after=after)
    return Permanent(text) if status in _STATUS_CONTENT else Unwelcome(text)


def parse_status(body: bytes, *, json: bool = False) -> Status:
    """Return the google.rpc.Status in *body*, an empty one where it is none."""
    return _parsed(Status, body, json) or Status()


def retry_info(status: Status) -> float | None:
    """Return the seconds to wait that a status asks for."""
    for detail in status.details:
        info = RetryInfo()
        try:
            if detail.Unpack(info):
                return _bounded(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
        except DecodeError:
            continue
    return None


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds to wait that a Retry-After header asks for, as a number or a date."""
    try:
        return None if not header else _bounded(float(header))
    except ValueError:
        pass
    try:
        return _bounded(parsedate_to_datetime(str(header)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else 0.0  # noqa: PLR0124 - it may be NaN


def partial_success(signal: Signal, body: bytes, *, json: bool = False) -> tuple[int, str]:
    """Return how many items of an accepted request were rejected, and why; nothing where the answer is unreadable."""
    protocol = protocol_of(signal)
    response: Any = _parsed(protocol.response, body, json)
    if response is None:
        return 0, ""
    rejected = getattr(response.partial_success, protocol.rejected)
    return max(rejected, 0), loggable(response.partial_success.error_message)


def _parsed(kind: type[M], body: bytes, json: bool) -> M | None:
    try:
        return json_format.Parse(body, kind(), ignore_unknown_fields=True) if json else kind.FromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError):
        return None


def details(metadata: Iterable[tuple[str, str | bytes]] | None) -> Status:
    """Return the status that a gRPC server sent in its trailing metadata, an empty one where it sent none."""
    for key, value in metadata or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            return parse_status(value)
    return Status()
