"""What happens to a request's bytes, whichever door they came through: decode, admit, hand on, answer."""

import math
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.admission import admit
from collector.batch import Batch, Signal
from collector.component import Consume, Host
from collector.errors import Permanent, Retryable
from collector.otlp.decode import decode
from collector.otlp.json import from_json

_DEFAULT_WAIT = 1.0
_LONGEST_MESSAGE = 500
_OUTCOMES = {Code.OK: "success", Code.INTERNAL: "failure"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what a client hears: a google.rpc *code* and, where not all went well, why.

    *retry_after* is in seconds and given only when the same request may be sent again. *rejected* spans of an
    otherwise accepted request (*code* OK) are lost for good, which OTLP calls a partial success.
    """

    code: int = Code.OK
    message: str = ""
    retry_after: float | None = None
    rejected: int = 0

    def encode(self, *, json: bool = False) -> bytes:
        """Return the body: an ExportTraceServiceResponse when the code is OK, a google.rpc.Status otherwise."""
        if self.code == Code.OK and not self.message:
            return b"{}" if json else b""
        body = self._response() if self.code == Code.OK else self._status()
        return json_format.MessageToJson(body, indent=None).encode() if json else body.SerializeToString()

    @property
    def text(self) -> str:
        """The message as valid UTF-8, cut to a length that fits any header."""
        text = self.message.encode(errors="replace").decode()
        return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"

    def _response(self) -> Message:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = self.rejected
        response.partial_success.error_message = self.text
        return response

    def _status(self) -> Status:
        status = Status(code=self.code, message=self.text)
        if self.retry_after is not None:
            delay = RetryInfo()
            delay.retry_delay.FromMilliseconds(math.ceil(self.retry_after * 1000))
            status.details.add().Pack(delay)
        return status


class Intake:
    """Takes the requests of one transport in, answers each, and counts their spans."""

    def __init__(self, host: Host, consume: Consume, transport: str) -> None:
        self._host = host
        self._consume = consume
        self._labels = {"receiver": host.id, "transport": transport}
        for name in ("accepted", "refused", "failed"):
            self._count_spans(name, 0)

    def take(self, body: bytes, *, json: bool = False) -> Answer:
        """Hand the spans of an ExportTraceServiceRequest on and return what the client shall hear; never raises."""
        spans = 0
        try:
            batch = decode(Signal.TRACES, from_json(Signal.TRACES, body) if json else body)
            spans = batch.rows
            answer = self._hand_on(batch)
        except Retryable as refusal:
            after = _DEFAULT_WAIT if refusal.after is None else max(refusal.after, 0.0)
            answer = Answer(Code.UNAVAILABLE, str(refusal) or "try again later", after)
        except Permanent as refusal:
            answer = Answer(Code.INVALID_ARGUMENT, str(refusal) or "refused")
        except Exception:
            self._host.log.exception("request failed", transport=self._labels["transport"], spans=spans)
            answer = Answer(Code.INTERNAL, "internal error; the collector's log tells more")
        self._count(answer, spans)
        return answer

    def _hand_on(self, batch: Batch) -> Answer:
        admitted = admit(batch)
        if admitted.batch.rows:
            self._consume(admitted.batch)
        return Answer(message=admitted.reason, rejected=admitted.rejected)

    def _count(self, answer: Answer, spans: int) -> None:
        outcome = _OUTCOMES.get(answer.code, "refused")
        self._host.metrics.count("otelcol_receiver_requests", 1, outcome=outcome, **self._labels)
        if answer.code == Code.OK:
            self._count_spans("accepted", spans - answer.rejected)
            if answer.rejected:
                self._count_spans("refused", answer.rejected)
        elif spans:
            self._count_spans("failed" if answer.code == Code.INTERNAL else "refused", spans)

    def _count_spans(self, what: str, spans: int) -> None:
        self._host.metrics.count(f"otelcol_receiver_{what}_spans", spans, **self._labels)
