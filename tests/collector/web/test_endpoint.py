"""Addresses to listen on."""

import socket
from contextlib import closing

import pytest

from collector.web.endpoint import every_address, resolve, split


@pytest.mark.parametrize(
    ("endpoint", "parts"),
    [
        ("localhost:4317", ("localhost", 4317)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        (":4317", ("", 4317)),
        ("[::1]:4317", ("::1", 4317)),
    ],
)
def test_host_and_port(endpoint: str, parts: tuple[str, int]) -> None:
    assert split(endpoint) == parts


@pytest.mark.parametrize(
    "endpoint",
    ["", "localhost", "localhost:", "localhost:x", "a:70000", "::1:4317", "a:-1", "a b:1", "a\n:1", " a:1", "a:\u0661"],
)
def test_anything_else_is_a_mistake(endpoint: str) -> None:
    with pytest.raises(ValueError, match="write it like localhost:4317"):
        split(endpoint)


def test_localhost_is_ipv4_first_and_no_host_is_every_interface() -> None:
    assert resolve("localhost:1") == ("127.0.0.1", 1)
    assert resolve(":1") == ("0.0.0.0", 1)
    with pytest.raises(OSError, match=r"not known|resolution"):
        resolve("no-such-host.invalid:1")


def test_every_address_of_a_host_has_to_be_free() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "localhost", ""):
            with pytest.raises(OSError, match="in use"):
                every_address(f"{host}:{port}")
    assert f"127.0.0.1:{port}" in every_address(f"localhost:{port}")
    assert every_address(f":{port}") == [f"0.0.0.0:{port}"]


def test_an_address_of_another_machine_cannot_be_had() -> None:
    with pytest.raises(OSError, match=r"no address 192\.0\.2\.1"):
        every_address("192.0.2.1:4317")
