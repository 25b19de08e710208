"""What happens to a request's bytes, whichever door they came through: decode, admit, hand on, answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from collector.admission import admit
from collector.batch import UNITS, Signal
from collector.component import Consume, Host
from collector.errors import Divided, Permanent, Retryable
from collector.gather import Gather
from collector.otlp.count import check_count, check_json
from collector.otlp.decode import decode
from collector.otlp.json import from_json, to_json
from collector.otlp.protocol import PROTOCOLS

_TOGETHER_BYTES = 4 * 1024**2
"""Requests that wait at the same time are decoded together up to this size: many cost little more than one."""
_DEFAULT_WAIT = 1.0
_LONGEST_MESSAGE = 500
_OUTCOMES = {Code.OK: "success", Code.INTERNAL: "failure"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what a client hears: a google.rpc *code* and, where not all went well, why.

    *retry_after* is in seconds and given only when the same request may be sent again. *rejected* items of an
    otherwise accepted request (*code* OK) are lost for good, which OTLP calls a partial success.
    """

    code: int = Code.OK
    message: str = ""
    retry_after: float | None = None
    rejected: int = 0

    def encode(self, signal: Signal, *, json: bool = False) -> bytes:
        """Return the body: the response that belongs to *signal* when the code is OK, a google.rpc.Status otherwise."""
        if self.code == Code.OK and not self.message:
            return b"{}" if json else b""
        body = self._response(signal) if self.code == Code.OK else self._status()
        return to_json(body) if json else body.SerializeToString()

    @property
    def text(self) -> str:
        """The message as valid UTF-8, cut to a length that fits any header."""
        text = self.message.encode(errors="replace").decode()
        return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"

    def _response(self, signal: Signal) -> Message:
        protocol = PROTOCOLS[signal]
        partial = {protocol.rejected: self.rejected, "error_message": self.text}
        return protocol.response(partial_success=partial)

    def _status(self) -> Status:
        status = Status(code=self.code, message=self.text)
        if self.retry_after is not None:
            delay = RetryInfo()
            delay.retry_delay.FromMilliseconds(math.ceil(self.retry_after * 1000))
            status.details.add().Pack(delay)
        return status


@dataclass(frozen=True, slots=True)
class _Request:
    """Is what a client sent: the protobuf bytes of an export request."""

    signal: Signal
    body: bytes


class Intake:
    """Takes the requests of one transport in, answers each, and counts their items."""

    def __init__(self, host: Host, consume: Consume, transport: str, most: int) -> None:
        self._host = host
        self._consume = consume
        self._most = most
        self._labels = {"receiver": host.id, "transport": transport}
        self._share = Gather(self._answers, lambda request: len(request.body), _TOGETHER_BYTES)
        for signal in PROTOCOLS.keys() & host.signals:
            for name in ("accepted", "refused", "failed"):
                self._count_items(signal, name, 0)

    def closed(self, signal: Signal) -> str:
        """Return why nothing of *signal* is taken and what to do about it; empty where it is taken."""
        if signal in self._host.signals:
            return ""
        return (
            f"no pipeline takes {signal} from receiver {self._host.id}; "
            f"add service::pipelines::{signal} with receivers: [{self._host.id}]"
        )

    def take(self, signal: Signal, body: bytes, *, json: bool = False) -> Answer:
        """Hand the items of an export request on and return what the client shall hear; never raises."""
        try:
            if json:
                check_json(body, self._most)
                body = from_json(signal, body)
            check_count(signal, body, self._most)
        except Exception as error:
            return self._answered(self._heard(error, 0), signal, 0, 1)
        if not body:
            return self._answered(Answer(), signal, 0, 1)
        return self._share(_Request(signal, body))

    def _answers(self, requests: Sequence[_Request]) -> list[Answer]:
        """Return the answer of each request; those of one signal are handed on together while nothing is wrong."""
        together = {}
        for signal in dict.fromkeys(request.signal for request in requests):
            bodies = [request.body for request in requests if request.signal is signal]
            together[signal] = self._together(signal, bodies) if len(bodies) > 1 else None
        return [together[request.signal] or self._alone(request) for request in requests]

    def _together(self, signal: Signal, bodies: Sequence[bytes]) -> Answer | None:
        """Return what all the clients shall hear, or None when each needs an answer of its own."""
        try:
            batch = decode(signal, *dict.fromkeys(bodies))
            if admit(batch).rejected:
                return None
            self._consume(batch)
        except Divided:
            return None
        except Retryable as refusal:
            return self._answered(self._heard(refusal, batch.rows), signal, batch.rows, len(bodies))
        except Exception:  # whoever is to blame hears of it alone
            return None
        return self._answered(Answer(), signal, batch.rows, len(bodies))

    def _alone(self, request: _Request) -> Answer:
        items = 0
        try:
            batch = decode(request.signal, request.body)
            items = batch.rows
            admitted = admit(batch)
            if admitted.batch.rows:
                self._consume(admitted.batch)
            answer = Answer(message=admitted.reason, rejected=admitted.rejected)
        except Exception as error:
            answer = self._heard(error, items)
        return self._answered(answer, request.signal, items, 1)

    def _heard(self, error: Exception, items: int) -> Answer:
        """Return what the client hears of an error; called while it is handled."""
        if isinstance(error, Retryable):
            after = _DEFAULT_WAIT if error.after is None else max(error.after, 0.0)
            return Answer(Code.UNAVAILABLE, str(error) or "try again later", after)
        if isinstance(error, Permanent):
            return Answer(Code.INVALID_ARGUMENT, str(error) or "refused")
        self._host.log.exception("request failed", transport=self._labels["transport"], items=items)
        return Answer(Code.INTERNAL, "internal error; the collector's log tells more")

    def _answered(self, answer: Answer, signal: Signal, items: int, requests: int) -> Answer:
        """Count what was answered and return it."""
        outcome = _OUTCOMES.get(answer.code, "refused")
        self._host.metrics.count("otelcol_receiver_requests", requests, outcome=outcome, **self._labels)
        if answer.code == Code.OK:
            self._count_items(signal, "accepted", items - answer.rejected)
            if answer.rejected:
                self._count_items(signal, "refused", answer.rejected)
        elif items:
            self._count_items(signal, "failed" if answer.code == Code.INTERNAL else "refused", items)
        return answer

    def _count_items(self, signal: Signal, what: str, items: int) -> None:
        self._host.metrics.count(f"otelcol_receiver_{what}_{UNITS[signal]}", items, **self._labels)
