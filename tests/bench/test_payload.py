import itertools

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench import payload
from tests.bench.spans import PAYLOADS


def spans_of(data: bytes):
    request = ExportTraceServiceRequest.FromString(data)
    return [span for rs in request.resource_spans for scope in rs.scope_spans for span in scope.spans]


@pytest.mark.parametrize("count", payload.SIZES)
@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_request_is_valid_and_holds_as_many_spans_as_asked(kind, count):
    for data in itertools.islice(payload.requests(kind, count, seed=1), 3):
        spans = spans_of(data)

        assert count == len(spans)
        assert all(15 <= len(span.attributes) <= 25 for span in spans)
        assert all(0 < span.start_time_unix_nano < span.end_time_unix_nano < 2**63 for span in spans)


def test_a_slim_span_is_small_and_content_has_one_to_four_kib():
    slim = len(payload.Template("slim", 512, 0).fresh()) / 512
    content = len(payload.Template("content", 512, 0).fresh()) / 512

    assert slim < 1200
    assert 1024 <= content - slim <= 4096


def test_no_two_requests_share_an_id_a_time_or_a_response():
    template = payload.Template("slim", 32, 0)
    first, second = spans_of(template.fresh()), spans_of(template.fresh())

    def facts(spans):
        responses = [a.value.string_value for span in spans for a in span.attributes if a.key == "gen_ai.response.id"]
        return [
            {span.trace_id for span in spans},
            {span.span_id for span in spans},
            {span.end_time_unix_nano for span in spans},
            set(responses),
        ]

    for one, other in zip(facts(first), facts(second), strict=True):
        assert not one & other


def test_spans_of_a_trace_name_its_first_span_as_their_parent():
    spans = spans_of(payload.Template("slim", 32, 0).fresh())
    roots = {span.trace_id: span.span_id for span in spans if not span.parent_span_id}

    assert len(roots) == 8
    assert all(roots[span.trace_id] == span.parent_span_id for span in spans if span.parent_span_id)
    assert len({span.span_id for span in spans}) == 32


def test_numbers_of_tokens_differ_from_request_to_request():
    template = payload.Template("slim", 512, 0)

    def tokens(spans):
        return [
            a.value.int_value
            for span in spans
            for a in span.attributes
            if a.key in ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
        ]

    first, second = tokens(spans_of(template.fresh())), tokens(spans_of(template.fresh()))

    assert len(first) > 450
    assert all(128 <= count < 4096 for count in first + second)
    assert sum(a != b for a, b in zip(first, second, strict=True)) > 450


def test_some_calls_fail_with_an_exception_event_of_the_same_minute():
    spans = spans_of(payload.Template("slim", 512, 0).fresh())
    failed = [span for span in spans if span.status.code == 2]

    assert 4 <= len(failed) <= 40
    for span in failed:
        assert [event.name for event in span.events] == ["exception"]
        assert span.end_time_unix_nano == span.events[0].time_unix_nano
