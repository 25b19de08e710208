"""Addresses to listen on."""

import pytest

from collector.web.endpoint import resolve, split


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


@pytest.mark.parametrize("endpoint", ["", "localhost", "localhost:", "localhost:x", "a:70000", "::1:4317", "a:-1"])
def test_anything_else_is_a_mistake(endpoint: str) -> None:
    with pytest.raises(ValueError, match="write it like localhost:4317"):
        split(endpoint)


def test_localhost_is_ipv4_first_and_no_host_is_every_interface() -> None:
    assert resolve("localhost:1") == ("127.0.0.1", 1)
    assert resolve(":1") == ("0.0.0.0", 1)
    with pytest.raises(OSError, match=r"not known|resolution"):
        resolve("no-such-host.invalid:1")
