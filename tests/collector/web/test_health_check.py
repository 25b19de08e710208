"""The health answer."""

import json
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from collector.component import Host
from collector.web.health_check import HealthCheckConfig, HealthCheckExtension
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_760_000_000.0)


@pytest.fixture
def health(clock: Clock) -> Iterator[HealthCheckExtension]:
    config = HealthCheckConfig(endpoint="localhost:0", path="/health")
    extension = HealthCheckExtension(config, Host("health_check", clock=clock))
    extension.start()
    extension.ready()
    yield extension
    extension.stop()


@pytest.mark.parametrize(("seconds", "uptime"), [(0.0, "0s"), (0.25, "0.25s"), (62.5, "1m2.5s"), (90_000.0, "25h0m0s")])
def test_a_running_collector_says_since_when(
    health: HealthCheckExtension, clock: Clock, seconds: float, uptime: str
) -> None:
    clock.now += seconds
    with urlopen(f"http://127.0.0.1:{health.port}/health?x=1") as response:
        body = json.load(response)
        assert response.headers["Content-Type"] == "application/json"
    assert body == {"status": "Server available", "upSince": "2025-10-09T08:53:20Z", "uptime": uptime}


def test_what_starts_or_drains_is_not_available(health: HealthCheckExtension, clock: Clock) -> None:
    url = f"http://127.0.0.1:{health.port}/health"
    health.not_ready()
    with pytest.raises(HTTPError) as caught:
        urlopen(url)
    with caught.value as error:
        assert (error.code, json.load(error)) == (
            503,
            {"status": "Server not available", "upSince": "0001-01-01T00:00:00Z", "uptime": ""},
        )

    clock.now += 1
    health.ready()
    with urlopen(url) as response:
        assert json.load(response)["upSince"] == "2025-10-09T08:53:21Z"


def test_head_has_no_body(health: HealthCheckExtension) -> None:
    with urlopen(Request(f"http://127.0.0.1:{health.port}/health", method="HEAD")) as response:
        assert response.read() == b""


def test_other_paths_are_not_found(health: HealthCheckExtension) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(f"http://127.0.0.1:{health.port}/")
    with caught.value as error:
        assert error.code == 404


def test_a_taken_address_is_a_clear_error(health: HealthCheckExtension) -> None:
    second = HealthCheckExtension(HealthCheckConfig(endpoint=f"localhost:{health.port}"), Host("health_check/2"))
    with pytest.raises(OSError, match=r"health_check/2: endpoint: cannot listen on localhost:\d+: .*; stop"):
        second.start()
    second.stop()


def test_stop_is_safe_twice_and_without_start_and_frees_the_port(health: HealthCheckExtension) -> None:
    port = health.port
    health.stop()
    health.stop()
    again = HealthCheckExtension(HealthCheckConfig(endpoint=f"localhost:{port}"), Host("health_check"))
    again.stop()
    again.start()
    assert again.port == port
    again.stop()
