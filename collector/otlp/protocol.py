"""What the three signals of OTLP call the same things: requests, answers, and the levels of a request.

request ──> resource_spans ──> scope_spans ──> spans           TraceService
        ──> resource_metrics ──> scope_metrics ──> metrics     MetricsService
        ──> resource_logs ──> scope_logs ──> log_records       LogsService
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.batch import Signal
from collector.errors import Permanent


@dataclass(frozen=True, slots=True)
class Protocol:
    """Names what belongs to one signal; fields are those of protobuf."""

    request: type[Message]
    response: type[Message]
    service: str
    """The full name of the gRPC service."""
    resources: str
    """The field of the request with an entry for each resource."""
    scopes: str
    """The field of that with an entry for each scope."""
    items: str
    """The field of that with what is sent."""
    rejected: str
    """The field of a partial success with the number of items that were refused."""


PROTOCOLS: Mapping[Signal, Protocol] = MappingProxyType(
    {
        Signal.TRACES: Protocol(
            trace_service_pb2.ExportTraceServiceRequest,
            trace_service_pb2.ExportTraceServiceResponse,
            "opentelemetry.proto.collector.trace.v1.TraceService",
            *("resource_spans", "scope_spans", "spans", "rejected_spans"),
        ),
        Signal.METRICS: Protocol(
            metrics_service_pb2.ExportMetricsServiceRequest,
            metrics_service_pb2.ExportMetricsServiceResponse,
            "opentelemetry.proto.collector.metrics.v1.MetricsService",
            *("resource_metrics", "scope_metrics", "metrics", "rejected_data_points"),
        ),
        Signal.LOGS: Protocol(
            logs_service_pb2.ExportLogsServiceRequest,
            logs_service_pb2.ExportLogsServiceResponse,
            "opentelemetry.proto.collector.logs.v1.LogsService",
            *("resource_logs", "scope_logs", "log_records", "rejected_log_records"),
        ),
    }
)


def protocol_of(signal: Signal) -> Protocol:
    """Return what OTLP calls the parts of *signal*; raise Permanent for one that OTLP does not have."""
    protocol = PROTOCOLS.get(signal)
    if protocol is None:
        raise Permanent(f"{signal}: OTLP has no such signal; its signals are {', '.join(PROTOCOLS)}")
    return protocol
