"""Hypothesis strategies for the bytes of requests: as an encoder writes them, and as a careless one would."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

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
scope_spans = st.fixed_dictionaries(
    {
        "scope": st.one_of(st.none(), _with_attributes(name=texts, version=texts)),
        "spans": st.lists(spans, max_size=3),
        "schema_url": texts,
    }
)
_entity = st.fixed_dictionaries({"type": texts, "id_keys": st.lists(texts, max_size=2)})
resource_spans = st.fixed_dictionaries(
    {
        "resource": st.one_of(st.none(), _with_attributes(entity_refs=st.lists(_entity, max_size=2))),
        "scope_spans": st.lists(scope_spans, max_size=2),
        "schema_url": texts,
    }
)
requests = st.lists(resource_spans, max_size=2).map(lambda items: ExportTraceServiceRequest(resource_spans=items))
"""Requests as an encoder would make them."""

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
    "ScopeSpans": {1: "Scope", 2: "Span", 3: "text"},
    "ResourceSpans": {1: "Resource", 2: "ScopeSpans", 3: "text"},
    "Request": {1: "ResourceSpans"},
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
    if shape == "fixed64":
        return tag(number, FIXED64) + draw(st.binary(min_size=8, max_size=8))
    if shape == "fixed32":
        return tag(number, FIXED32) + draw(st.binary(min_size=4, max_size=4))
    if shape == "text":
        return sized(number, draw(st.sampled_from([b"", "é".encode(), b"\xffx"])) if draw(_rarely) else b"text")
    if shape == "bytes" or not levels:
        return sized(number, draw(st.binary(max_size=4)) if shape == "bytes" else b"")
    return sized(number, draw(careless_messages(shape, levels - 1)))


_rarely = st.integers(0, 15).map(lambda number: number == 7)

careless_requests = st.one_of(
    careless_messages(),
    careless_messages("Span", 5).map(request_with),
    careless_messages("AnyValue", 5).map(request_with_value),
)
"""Requests in which every level of the protocol is reached often."""
