"""The receiver's options."""

from typing import Any

import pytest
from pydantic import ValidationError

from collector.receivers.otlp.config import GrpcConfig, HttpConfig, OtlpConfig


def test_a_protocol_without_options_has_the_defaults_and_an_absent_one_is_off() -> None:
    both = OtlpConfig.model_validate({"protocols": {"grpc": None, "http": None}})
    assert both.protocols.grpc == GrpcConfig()
    assert both.protocols.http == HttpConfig()
    only_http = OtlpConfig.model_validate({"protocols": {"http": {}}})
    assert only_http.protocols.grpc is None


def test_both_protocols_take_the_64_mib_that_the_specification_recommends() -> None:
    assert GrpcConfig().max_recv_msg_size_mib * 1024**2 == HttpConfig().max_request_body_size == 67_108_864


@pytest.mark.parametrize("value", [{}, {"protocols": None}, {"protocols": {}}])
def test_no_protocol_is_a_mistake(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="no protocol is served; write 'grpc:', 'http:' or both"):
        OtlpConfig.model_validate(value)


@pytest.mark.parametrize(
    ("protocols", "text"),
    [
        ({"grpc": {"endpoint": "4317"}}, "is not host:port"),
        ({"http": {"traces_url_path": "v1/traces"}}, "start it with /"),
        ({"http": {"logs_url_path": "/v1/traces"}}, "two signals have the same path"),
        ({"http": {"max_request_body_size": 0}}, "greater than or equal to 1"),
        ({"grpc": {"max_recv_msg_size_mib": 4096}}, "less than or equal to 2047"),
        ({"grpc": {"tls": {"cert_file": "a", "key_file": "b", "min_version": "1.3"}}}, "always speaks TLS 1.2 and 1.3"),
        ({"http": {"tls": {"cert_file": "", "key_file": "b"}}}, "must name files"),
        ({"http": {"tls": {"cert_file": "a"}}}, "key_file"),
        ({"http": {"include_metadata": True}}, "should be False"),
        ({"grpc": {"endpint": "localhost:1"}}, "Extra inputs are not permitted"),
        ({"grpc": {"endpoint": ":4317"}, "http": {"endpoint": ":4317"}}, "cannot both listen on :4317"),
    ],
)
def test_mistakes_say_what_to_do(protocols: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        OtlpConfig.model_validate({"protocols": protocols})


def test_both_may_have_a_port_of_the_systems_choice() -> None:
    free = {"endpoint": "localhost:0"}
    assert OtlpConfig.model_validate({"protocols": {"grpc": free, "http": free}}).protocols.http is not None


def test_durations_are_written_as_in_the_collector() -> None:
    keepalive = {"server_parameters": {"max_connection_age": "1m30s"}}
    config = OtlpConfig.model_validate({"protocols": {"grpc": {"keepalive": keepalive}}})
    assert config.protocols.grpc is not None
    assert config.protocols.grpc.keepalive.server_parameters.max_connection_age == 90
