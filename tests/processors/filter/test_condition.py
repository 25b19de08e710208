import pytest

from collector.batch import Signal
from processors.filter.condition import condition
from processors.filter.fields import Frame
from tests.processors.items import START, batch_of_items

SPANS = batch_of_items(
    Signal.TRACES,
    [
        {
            "name": "chat gpt",
            "resource": {"service.name": "api"},
            "scope": {"name": "lib", "version": "1"},
            "attributes": {"n": 5, "s": "5", "list": ["a", 2], "map": {"in": {"deep": True}}},
            "parent_span_id": "02" * 8,
            "end_time_unix_nano": START + 2_500_000_000,
        },
        {
            "name": "GET /health",
            "kind": 2,
            "resource": {"service.name": "web"},
            "attributes": {"n": 5.5, "b": True, "s": ""},
            "status_code": 2,
            "status_message": "boom",
            "trace_state": "ot=th:8",
        },
        {"name": "x", "attributes": {"n": "5", "z": None, "bytes": b"\x01"}, "trace_id": "ff" * 16, "kind": 0},
    ],
)


def told(text, batch=SPANS, context="span"):
    answer = condition(text, batch.signal, context).ask(Frame(batch))
    return answer.holds.nonzero()[0].tolist(), answer.failed.nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('name == "x"', [2]),
        ('not name == "x"', [0, 1]),
        ('name != "x" and kind == SPAN_KIND_CLIENT', [0]),
        ('name == "x" or kind == 2 and status.code == STATUS_CODE_ERROR', [1, 2]),
        ('(name == "x" or kind == 2) and status.code == STATUS_CODE_ERROR', [1]),
        ('span.name == "x"', [2]),
        ('kind.string == "Server" or kind.deprecated_string == "SPAN_KIND_UNSPECIFIED"', [1, 2]),
        ('status.message == "boom"', [1]),
        ('attributes["n"] == 5', [0]),
        ('attributes["n"] == 5.0', [0]),
        ('attributes["n"] == "5"', [2]),
        ('attributes["n"] > 5', [1]),
        ('attributes["n"] >= 5 and attributes["n"] <= 5.5', [0, 1]),
        ('attributes["s"] < "5"', [1]),
        ('attributes["s"] == nil', [2]),
        ('attributes["s"] != nil', [0, 1]),
        ('attributes["z"] == nil', [0, 1, 2]),
        ('attributes["b"]==true', [1]),
        ('attributes["b"] != true', [0, 2]),
        ('attributes["bytes"] == 0x01', [2]),
        ('attributes["list"][1] == 2', [0]),
        ('attributes["list"][7] == nil', [0, 1, 2]),
        ('attributes["map"]["in"]["deep"] == true', [0]),
        ('attributes["n"] == attributes["s"]', []),
        ('resource.attributes["service.name"] == "web"', [1]),
        ('instrumentation_scope.name == "lib" and scope.version == "1"', [0]),
        ('IsMatch(name, "^(chat|GET) ")', [0, 1]),
        ('IsMatch(name, "HEALTH") == true', []),
        ('IsMatch(attributes["n"], "^5$")', [0, 2]),
        ('not IsMatch(attributes["none"], ".")', [0, 1, 2]),
        ('HasPrefix(name, "GET") or HasSuffix(name, "t")', [0, 1]),
        ('IsString(attributes["n"])', [2]),
        ('IsInt(attributes["n"]) or IsDouble(attributes["n"])', [0, 1]),
        ('IsBool(attributes["b"]) or IsMap(attributes["map"]) or IsList(attributes["n"])', [0, 1]),
        ("Len(name) == 1", [2]),
        ('Int(attributes["n"]) == 5', [0, 1, 2]),
        ('Double(attributes["n"]) > 5', [1]),
        ('String(attributes["n"]) == "5"', [0, 2]),
        ('ToLowerCase(name) == "get /health"', [1]),
        ('ToUpperCase(name) == "X"', [2]),
        ("IsRootSpan()", [1, 2]),
        ('end_time - start_time > Duration("2s")', [0]),
        ("end_time_unix_nano - start_time_unix_nano > 2000000000", [0]),
        ("(end_time_unix_nano - start_time_unix_nano) / 1000000 == 2500", [0]),
        ('start_time + Duration("1s") == end_time', [1, 2]),
        ("1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and -1 < .5", [0, 1, 2]),
        ("trace_id == TraceID(0xffffffffffffffffffffffffffffffff)", [2]),
        ('trace_id.string == "ffffffffffffffffffffffffffffffff"', [2]),
        ("parent_span_id == SpanID(0x0202020202020202)", [0]),
        ('trace_state == "ot=th:8"', [1]),
        ("true", [0, 1, 2]),
        ("not true or false", []),
        ("not not (true)", [0, 1, 2]),
    ],
)
def test_what_holds(text, rows):
    assert told(text) == (rows, [])


@pytest.mark.parametrize(
    ("text", "holds", "failed"),
    [
        ('attributes["n"] + 1 == 6', [0], [1, 2]),
        ('attributes["n"] / 0 == 6', [], [0, 1, 2]),
        ('name == "x" or attributes["n"] + 1 == 6', [0, 2], [1]),
        ('name == "x" and attributes["n"] + 1 == 6', [], [2]),
        ('not (name == "x" and attributes["n"] + 1 == 6)', [0, 1], [2]),
        ('HasPrefix(attributes["n"], "5")', [2], [0, 1]),
        ('Len(attributes["n"]) > 0', [2], [0, 1]),
    ],
)
def test_what_cannot_be_told(text, holds, failed):
    assert told(text) == (holds, failed)


LOGS = batch_of_items(
    Signal.LOGS,
    [
        {"body": "the password", "severity_number": 5, "event_name": "e"},
        {"body": {"msg": "password", "n": [1]}, "severity_number": 13, "severity_text": "WARN"},
        {"attributes": {"event.name": "gen_ai.choice"}, "trace_id": "01" * 16},
    ],
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('IsMatch(body, "password")', [0, 1]),
        ('body == "the password"', [0]),
        ("body == nil", [2]),
        ('body["msg"] == "password" and body["n"][0] == 1', [1]),
        ('body.string == "{\\"msg\\":\\"password\\",\\"n\\":[1]}"', [1]),
        ("severity_number < SEVERITY_NUMBER_INFO and severity_number != SEVERITY_NUMBER_UNSPECIFIED", [0]),
        ("severity_number == SEVERITY_NUMBER_WARN", [1]),
        ('severity_text == "WARN" or event_name == "e"', [0, 1]),
        ('attributes["event.name"] == "gen_ai.choice"', [2]),
        ('trace_id.string == ""', [0, 1]),
    ],
)
def test_logs(text, rows):
    assert told(text, LOGS, "log") == (rows, [])


POINTS = batch_of_items(
    Signal.METRICS,
    [
        {
            "metric": {"name": "a", "type": "histogram", "unit": "s", "aggregation_temporality": 1},
            "count": 3,
            "sum": 1.5,
        },
        {"metric": {"name": "b", "is_monotonic": True}, "as_int": 5, "attributes": {"k": "v"}},
        {"metric": {"name": "b", "is_monotonic": True}, "as_double": 0.5},
    ],
)


@pytest.mark.parametrize(
    ("text", "context", "rows"),
    [
        ('name == "a" and unit == "s" and type == METRIC_DATA_TYPE_HISTOGRAM', "metric", [0]),
        ("is_monotonic == true", "metric", [1, 2]),
        ("aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA", "metric", [0]),
        ('HasAttrKeyOnDatapoint("k")', "metric", [1, 2]),
        ('HasAttrOnDatapoint("k", "v")', "metric", [1, 2]),
        ('HasAttrOnDatapoint("k", "w")', "metric", []),
        ('metric.name == "b" and attributes["k"] == "v"', "datapoint", [1]),
        ("value_int == 5 or value_double < 1", "datapoint", [1, 2]),
        ("count > 2 and sum == 1.5 and metric.type != METRIC_DATA_TYPE_SUM", "datapoint", [0]),
    ],
)
def test_metrics(text, context, rows):
    assert told(text, POINTS, context) == (rows, [])


@pytest.mark.parametrize(
    ("text", "signal", "context"),
    [
        ('resource.attributes["a"] == 1', Signal.TRACES, "resource"),
        ('scope.name == "a" and resource.attributes["a"] == 1', Signal.TRACES, "scope"),
        ('span.name == "a"', Signal.TRACES, "span"),
        ('resource.attributes["a"] == 1 or spanevent.name == "x"', Signal.TRACES, "spanevent"),
        ('metric.name == "a" and datapoint.attributes["a"] == 1', Signal.METRICS, "datapoint"),
        ("IsRootSpan()", Signal.TRACES, "span"),
    ],
)
def test_the_lowest_context_named_is_what_a_condition_is_about(text, signal, context):
    assert condition(text, signal).context == context


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "expected a value"),
        ('name = "a"', 6, "not understood"),
        ('name == "a', 9, "has no end"),
        ("name == 'a'", 9, "not understood"),
        ('name == "a" name', 13, "one too many"),
        ('(name == "a"', 13, 'expected ")"'),
        ("attributes[key] == 1", 12, "a key is a text"),
        ("attributes == nil", 1, "write which attribute"),
        ('name["a"] == 1', 1, "nothing under keys"),
        ('name == "a" and', 16, "expected a value"),
        ("name", 1, "no condition"),
        ("name and kind == 1", 1, "no condition"),
        ('IsMatch(name, "(?=x)")', 15, "invalid regular expression"),
        ("IsMatch(name, name)", 15, "needs a pattern here, written out"),
        ('Duration("5 apples") == 1', 10, "not a duration"),
        ("TraceID(0xff) == trace_id", 9, "has 16 bytes"),
        ("trace_id == 0xfff", 13, "even number"),
        ("Sha256(name) == 1", 1, 'unknown function "Sha256"'),
        ('spanevent.name == "a"', 1, "unknown property"),
        ("kind == SPAN_KIND_CLEINT", 9, 'did you mean "SPAN_KIND_CLIENT"'),
        ("kind == 99999999999999999999", 9, "too large"),
        ("(" * 60, 42, "too deep"),
        ("not " * 60 + "true", 165, "too deep"),
    ],
)
def test_mistakes_tell_their_column(text, column, said):
    with pytest.raises(ValueError, match="column") as caught:
        condition(text, Signal.TRACES, "span")

    assert f"column {column} of the condition" in str(caught.value)
    assert said in str(caught.value)
