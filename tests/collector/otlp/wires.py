"""Hypothesis strategies for the bytes of requests: as an encoder writes them, and as a careless one would."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = 0, 1, 2, 3, 4, 5
SPAN_PATH = (2, 2, 1)


def varint(number: int) -> bytes:
    """Return the shortest varint of an unsigned number."""
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*result, number))


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def sized(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return tag(number, BYTES) + varint(len(content)) + content


def request_with(span: bytes) -> bytes:
    """Return a request with one span of these bytes."""
    for number in SPAN_PATH:
        span = sized(number, span)
    return span


def request_with_value(value: bytes) -> bytes:
    """Return a request with one span that has one attribute, whose AnyValue has these bytes."""
    return request_with(sized(9, sized(1, b"k") + sized(2, value)))


def nested_value(levels: int) -> bytes:
    """Return an AnyValue of arrays within arrays."""
    layers = [b""]
    for _ in range(levels):
        layers.append(sized(5, sized(1, layers.pop())))
    return layers[0]


texts = st.text(max_size=8)
counts = st.sampled_from([0, 0, 1, 2**31, 2**32 - 1])
nanos = st.sampled_from([0, 1, 1795290077304568341, 2**63 - 1, 2**63, 2**64 - 1])
ids = st.one_of(st.just(b""), st.just(bytes(16)), st.just(bytes(8)), st.binary(min_size=1, max_size=16))
int64s = st.sampled_from([0, 1, -1, -64, 443, 2**63 - 1, -(2**63)])
# One NaN is enough: JSON has no way to write the sign of another.
doubles = st.one_of(st.floats(allow_nan=False), st.sampled_from([0.0, -0.0, float("nan"), float("inf")]))


def _members(nested: st.SearchStrategy[dict]) -> st.SearchStrategy[dict]:
    return st.one_of(
        st.just({}),
        st.fixed_dictionaries({"string_value": texts}),
        st.fixed_dictionaries({"bool_value": st.booleans()}),
        st.fixed_dictionaries({"int_value": int64s}),
        st.fixed_dictionaries({"double_value": doubles}),
        st.fixed_dictionaries({"bytes_value": st.binary(max_size=8)}),
        st.fixed_dictionaries({"array_value": st.fixed_dictionaries({"values": st.lists(nested, max_size=3)})}),
        st.fixed_dictionaries({"kvlist_value": st.fixed_dictionaries({"values": _pairs(nested)})}),
    )


def _pairs(value: st.SearchStrategy[dict]) -> st.SearchStrategy[list]:
    key = st.one_of(st.sampled_from(["", "gen_ai.system", "k"]), texts)
    pair = st.one_of(st.fixed_dictionaries({"key": key, "value": value}), st.fixed_dictionaries({"key": key}))
    return st.lists(pair, max_size=4)


values = _members(st.recursive(st.just({}), _members, max_leaves=4))
attributes = st.fixed_dictionaries({"attributes": _pairs(values), "dropped_attributes_count": counts})


def _with_attributes(**members: st.SearchStrategy) -> st.SearchStrategy[dict]:
    return st.builds(lambda own, more: {**own, **more}, st.fixed_dictionaries(members), attributes)


events = _with_attributes(time_unix_nano=nanos, name=texts)
links = _with_attributes(trace_id=ids, span_id=ids, trace_state=texts, flags=counts)
statuses = st.one_of(st.none(), st.fixed_dictionaries({"code": st.integers(-1, 5), "message": texts}))
spans = _with_attributes(
    trace_id=ids,
    span_id=ids,
    trace_state=texts,
    parent_span_id=ids,
    flags=counts,
    name=texts,
    kind=st.integers(-1, 9),
    start_time_unix_nano=nanos,
    end_time_unix_nano=nanos,
    events=st.lists(events, max_size=2),
    dropped_events_count=counts,
    links=st.lists(links, max_size=2),
    dropped_links_count=counts,
    status=statuses,
)
_entity = st.fixed_dictionaries({"type": texts, "id_keys": st.lists(texts, max_size=2)})


def _requests(request: type, plural: str, items: str, item: st.SearchStrategy[dict]) -> st.SearchStrategy:
    """Return requests of a signal, each with *items* below its scopes."""
    inner = st.fixed_dictionaries(
        {
            "scope": st.one_of(st.none(), _with_attributes(name=texts, version=texts)),
            items: st.lists(item, max_size=3),
            "schema_url": texts,
        }
    )
    outer = st.fixed_dictionaries(
        {
            "resource": st.one_of(st.none(), _with_attributes(entity_refs=st.lists(_entity, max_size=2))),
            f"scope_{plural}": st.lists(inner, max_size=2),
            "schema_url": texts,
        }
    )
    return st.lists(outer, max_size=2).map(lambda found: request(**{f"resource_{plural}": found}))


requests = _requests(ExportTraceServiceRequest, "spans", "spans", spans)
"""Requests with spans as an encoder would make them."""

uint64s = st.sampled_from([0, 1, 300, 2**63, 2**64 - 1])
int32s = st.sampled_from([0, 1, -1, 5, -(2**31), 2**31 - 1])
_number = st.one_of(
    st.just({}), st.fixed_dictionaries({"as_double": doubles}), st.fixed_dictionaries({"as_int": int64s})
)
_exemplars = st.builds(
    lambda own, number: {**own, **number},
    st.fixed_dictionaries(
        {"filtered_attributes": _pairs(values), "time_unix_nano": nanos, "span_id": ids, "trace_id": ids}
    ),
    _number,
)
_times = {"attributes": _pairs(values), "start_time_unix_nano": nanos, "time_unix_nano": nanos, "flags": counts}
_optional_sums = {name: doubles for name in ("sum", "min", "max")}
_buckets = st.fixed_dictionaries({}, optional={"offset": int32s, "bucket_counts": st.lists(uint64s, max_size=3)})
_number_points = st.builds(
    lambda own, number: {**own, **number},
    st.fixed_dictionaries({**_times, "exemplars": st.lists(_exemplars, max_size=2)}),
    _number,
)
_histogram_points = st.fixed_dictionaries(
    {
        **_times,
        "exemplars": st.lists(_exemplars, max_size=2),
        "count": uint64s,
        "bucket_counts": st.lists(uint64s, max_size=3),
        "explicit_bounds": st.lists(doubles, max_size=3),
    },
    optional=_optional_sums,
)
_exponential_points = st.fixed_dictionaries(
    {
        **_times,
        "exemplars": st.lists(_exemplars, max_size=2),
        "count": uint64s,
        "scale": int32s,
        "zero_count": uint64s,
        "zero_threshold": doubles,
    },
    optional={**_optional_sums, "positive": _buckets, "negative": _buckets},
)
_quantiles = st.lists(st.fixed_dictionaries({"quantile": doubles, "value": doubles}), max_size=2)
_summary_points = st.fixed_dictionaries({**_times, "count": uint64s, "sum": doubles, "quantile_values": _quantiles})
_temporality = {"aggregation_temporality": st.integers(-1, 4)}


def _data(name: str, points: st.SearchStrategy[dict], **more: st.SearchStrategy) -> st.SearchStrategy[dict]:
    members = st.fixed_dictionaries({"data_points": st.lists(points, max_size=3), **more})
    return members.map(lambda found: {name: found})


metrics = st.builds(
    lambda own, data: {**own, **data},
    st.fixed_dictionaries({"name": texts, "description": texts, "unit": texts, "metadata": _pairs(values)}),
    st.one_of(
        st.just({}),
        _data("gauge", _number_points),
        _data("sum", _number_points, **_temporality, is_monotonic=st.booleans()),
        _data("histogram", _histogram_points, **_temporality),
        _data("exponential_histogram", _exponential_points, **_temporality),
        _data("summary", _summary_points),
    ),
)
records = _with_attributes(
    time_unix_nano=nanos,
    observed_time_unix_nano=nanos,
    severity_number=st.integers(-1, 25),
    severity_text=texts,
    body=st.one_of(st.none(), values),
    flags=counts,
    trace_id=ids,
    span_id=ids,
    event_name=texts,
)
any_request = {
    Signal.TRACES: requests,
    Signal.METRICS: _requests(ExportMetricsServiceRequest, "metrics", "metrics", metrics),
    Signal.LOGS: _requests(ExportLogsServiceRequest, "logs", "log_records", records),
}
"""Requests of each signal as an encoder would make them."""

_FIXED = {"fixed64": (FIXED64, 8), "fixed32": (FIXED32, 4)}
_SHAPES: dict[str, dict[int, str]] = {
    "AnyValue": {1: "text", 2: "varint", 3: "varint", 4: "fixed64", 5: "ArrayValue", 6: "KeyValueList", 7: "bytes"},
    "ArrayValue": {1: "AnyValue"},
    "KeyValueList": {1: "KeyValue"},
    "KeyValue": {1: "text", 2: "AnyValue"},
    "EntityRef": {1: "text", 2: "text", 3: "text"},
    "Resource": {1: "KeyValue", 2: "varint", 3: "EntityRef"},
    "Scope": {1: "text", 2: "text", 3: "KeyValue", 4: "varint"},
    "Event": {1: "fixed64", 2: "text", 3: "KeyValue", 4: "varint"},
    "Link": {1: "bytes", 2: "bytes", 3: "text", 4: "KeyValue", 5: "varint", 6: "fixed32"},
    "Status": {2: "text", 3: "varint"},
    "Span": {
        **{1: "bytes", 2: "bytes", 3: "text", 4: "bytes", 5: "text", 6: "varint", 7: "fixed64", 8: "fixed64"},
        **{9: "KeyValue", 10: "varint", 11: "Event", 12: "varint", 13: "Link", 14: "varint", 15: "Status"},
        16: "fixed32",
    },
    "Exemplar": {2: "fixed64", 3: "fixed64", 4: "bytes", 5: "bytes", 6: "fixed64", 7: "KeyValue"},
    "NumberPoint": {
        **{2: "fixed64", 3: "fixed64", 4: "fixed64", 5: "Exemplar", 6: "fixed64", 7: "KeyValue", 8: "varint"},
    },
    "HistogramPoint": {
        **{2: "fixed64", 3: "fixed64", 4: "fixed64", 5: "fixed64", 6: "packed64", 7: "packed64", 8: "Exemplar"},
        **{9: "KeyValue", 10: "varint", 11: "fixed64", 12: "fixed64"},
    },
    "Buckets": {1: "varint", 2: "packed"},
    "ExponentialPoint": {
        **{1: "KeyValue", 2: "fixed64", 3: "fixed64", 4: "fixed64", 5: "fixed64", 6: "varint", 7: "fixed64"},
        **{8: "Buckets", 9: "Buckets", 10: "varint", 11: "Exemplar", 12: "fixed64", 13: "fixed64", 14: "fixed64"},
    },
    "Quantile": {1: "fixed64", 2: "fixed64"},
    "SummaryPoint": {
        **{2: "fixed64", 3: "fixed64", 4: "fixed64", 5: "fixed64", 6: "Quantile", 7: "KeyValue", 8: "varint"},
    },
    "Gauge": {1: "NumberPoint"},
    "Sum": {1: "NumberPoint", 2: "varint", 3: "varint"},
    "Histogram": {1: "HistogramPoint", 2: "varint"},
    "Exponential": {1: "ExponentialPoint", 2: "varint"},
    "Summary": {1: "SummaryPoint"},
    "Metric": {
        **{1: "text", 2: "text", 3: "text", 5: "Gauge", 7: "Sum", 9: "Histogram", 10: "Exponential", 11: "Summary"},
        12: "KeyValue",
    },
    "LogRecord": {
        **{1: "fixed64", 2: "varint", 3: "text", 5: "AnyValue", 6: "KeyValue", 7: "varint", 8: "fixed32"},
        **{9: "bytes", 10: "bytes", 11: "fixed64", 12: "text"},
    },
    **{f"Scope{item}": {1: "Scope", 2: item, 3: "text"} for item in ("Span", "Metric", "LogRecord")},
    **{f"Resource{item}": {1: "Resource", 2: f"Scope{item}", 3: "text"} for item in ("Span", "Metric", "LogRecord")},
    "Request": {1: "ResourceSpan"},
    "MetricsRequest": {1: "ResourceMetric"},
    "LogsRequest": {1: "ResourceLogRecord"},
}
_unknown = st.builds(
    lambda number, field: tag(number, field[0]) + field[1],
    st.integers(1, 40).filter(lambda number: number not in (3, 8)),  # the string indexes of profiles
    st.one_of(
        st.tuples(st.just(VARINT), st.integers(0, 2**64 - 1).map(varint)),
        st.tuples(st.just(FIXED64), st.binary(min_size=8, max_size=8)),
        st.tuples(st.just(FIXED32), st.binary(min_size=4, max_size=4)),
    ),
)
_groups = st.integers(1, 40).map(lambda number: tag(number, GROUP) + sized(3, b"x") + tag(number, END_GROUP))


@st.composite
def careless_messages(draw: st.DrawFn, kind: str = "Request", levels: int = 9) -> bytes:
    """Return a message whose fields stand in any order, repeat, have wrong types or are not known."""
    fields = []
    for _ in range(draw(st.integers(0 if levels < 5 else 1, 4))):
        if draw(_rarely):
            fields.append(draw(st.one_of(_unknown, _groups)))
        else:
            number = draw(st.sampled_from(sorted(_SHAPES[kind])))
            fields.append(_field(draw, number, _SHAPES[kind][number], levels))
    return b"".join(fields)


def _field(draw: st.DrawFn, number: int, shape: str, levels: int) -> bytes:
    if shape == "varint":
        return tag(number, VARINT) + varint(draw(st.sampled_from([0, 1, 3, 300, 2**32 + 7, 2**64 - 1])))
    if shape in _FIXED:
        wire_type, size = _FIXED[shape]
        return tag(number, wire_type) + draw(st.binary(min_size=size, max_size=size))
    if shape == "text":
        return sized(number, draw(st.sampled_from([b"", "é".encode(), b"\xffx"])) if draw(_rarely) else b"text")
    if shape in ("packed", "packed64"):
        return _packed(draw, number, shape)
    if shape == "bytes" or not levels:
        return sized(number, draw(st.binary(max_size=4)) if shape == "bytes" else b"")
    return sized(number, draw(careless_messages(shape, levels - 1)))


def _packed(draw: st.DrawFn, number: int, shape: str) -> bytes:
    """Return a few numbers in one field, sometimes cut short, or one in a field of its own."""
    one = draw(st.binary(min_size=8, max_size=8)) if shape == "packed64" else varint(draw(uint64s))
    if draw(_rarely):
        return tag(number, FIXED64 if shape == "packed64" else VARINT) + one
    return sized(number, (one * draw(st.integers(0, 3)))[draw(_rarely) :])


_rarely = st.integers(0, 15).map(lambda number: number == 7)


def point_request(field: int, data: bytes) -> bytes:
    """Return a request with one metric, whose *field* for its type has these bytes."""
    return request_with(sized(field, data))


careless_requests = st.one_of(
    careless_messages(),
    careless_messages("Span", 5).map(request_with),
    careless_messages("AnyValue", 5).map(request_with_value),
)
"""Requests with spans in which every level of the protocol is reached often."""

careless_metrics = st.one_of(
    careless_messages("MetricsRequest"),
    careless_messages("Metric", 5).map(request_with),
    *(
        careless_messages(shape, 4).map(lambda data, field=field: point_request(field, sized(1, data)))
        for field, shape in (
            *((5, "NumberPoint"), (7, "NumberPoint"), (9, "HistogramPoint")),
            *((10, "ExponentialPoint"), (11, "SummaryPoint")),
        )
    ),
)
careless_logs = st.one_of(
    careless_messages("LogsRequest"),
    careless_messages("LogRecord", 5).map(request_with),
    careless_messages("AnyValue", 5).map(lambda value: request_with(sized(5, value))),
)
careless_request = {
    Signal.TRACES: careless_requests,
    Signal.METRICS: careless_metrics,
    Signal.LOGS: careless_logs,
}
