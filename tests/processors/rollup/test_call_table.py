import pytest

from processors.rollup.call_table import call_table

CLASSES = {
    "auth",
    "cancelled",
    "connection",
    "invalid_request",
    "not_found",
    "other",
    "rate_limit",
    "server_error",
    "timeout",
}


def test_the_vocabulary():
    assert sorted(CLASSES) == call_table().classes


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "invalid_request"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (408, "timeout"),
        (413, "invalid_request"),
        (422, "invalid_request"),
        (429, "rate_limit"),
        (499, "cancelled"),
        (500, "server_error"),
        (503, "server_error"),
        (504, "timeout"),
        (529, "server_error"),
        (302, "other"),
    ],
)
def test_status(status, expected):
    assert expected == call_table().class_of(status)
    assert expected == call_table().class_of(None, str(status))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RateLimitError", "rate_limit"),
        ("openai.RateLimitError", "rate_limit"),
        ("langchain_openai.chat_models.base.OpenAIRateLimitError", "rate_limit"),
        ("rate_limit_error", "rate_limit"),
        ("ThrottlingException", "rate_limit"),
        ("APITimeoutError", "timeout"),
        ("APIConnectionTimeoutError", "timeout"),
        ("httpx.ReadTimeout", "timeout"),
        ("client_timeout_error", "timeout"),
        ("AuthenticationError", "auth"),
        ("PermissionDeniedError", "auth"),
        ("not_found_error", "not_found"),
        ("BadRequestError", "invalid_request"),
        ("OpenAIInvalidRequestError", "invalid_request"),
        ("ValidationException", "invalid_request"),
        ("APIConnectionError", "connection"),
        ("httpx.RemoteProtocolError", "connection"),
        ("aiohttp.ServerDisconnectedError", "connection"),
        ("asyncio.CancelledError", "cancelled"),
        ("GeneratorExit", "cancelled"),
        ("InternalServerError", "server_error"),
        ("overloaded_error", "server_error"),
        ("api_error", "server_error"),
        ("429 Too Many Requests", "rate_limit"),
        ("500: overloaded", "server_error"),
        ("HTTP 401", "auth"),
        ("HTTP/1.1 404 whatever", "not_found"),
        ("status code: 408", "timeout"),
        ("4290 things", "other"),
        ("504ms", "other"),
        ("404.5", "other"),
        ("302 Found", "other"),
        ("too many requests", "rate_limit"),
        ("Bad Gateway", "server_error"),
        ("BadGateway", "server_error"),
        ("ContentPolicyViolationError", "invalid_request"),
        ("content-policy violation", "invalid_request"),
        ("AI_APICallError", "other"),
        ("APIStatusError", "other"),
        ("KeyError", "other"),
        ("", "other"),
    ],
)
def test_name(name, expected):
    assert expected == call_table().class_of(None, name)


def test_the_status_comes_before_the_name_and_the_name_before_the_exception():
    table = call_table()

    assert table.class_of(429, "APITimeoutError") == "rate_limit"
    assert table.class_of(200, "connection_error") == "connection"
    assert table.class_of(None, "RateLimitError", "KeyError") == "rate_limit"
    assert table.class_of(None, None, "openai.NotFoundError") == "not_found"
    assert table.class_of(None, "_OTHER", "429") == "rate_limit"


@pytest.mark.parametrize("status", [-1, 200, 429])
@pytest.mark.parametrize("name", [None, "KeyError", "x" * 300 + "Timeout"])
def test_numbers_are_those_of_the_classes(status, name):
    table = call_table()
    expected = table.class_of(status if status >= 0 else None, name, "openai.NotFoundError")

    assert expected == table.classes[table.number_of(status, name, "openai.NotFoundError")]
    assert expected == table.classes[table.number_of(status, name, "openai.NotFoundError")]


def test_long_names_are_not_remembered():
    table = call_table()
    before = table._known.cache_info().currsize
    table.number_of(-1, "y" * 257)

    assert before == table._known.cache_info().currsize
    table.number_of(-1, "never seen before")
    assert before + 1 == table._known.cache_info().currsize
