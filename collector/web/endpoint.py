"""Addresses that the collector listens on, written ``host:port`` as the OpenTelemetry Collector does."""

import errno
import socket
from typing import Annotated, Any

from pydantic import AfterValidator

EVERY_INTERFACE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - to warn about it, not to listen there


def split(endpoint: str) -> tuple[str, int]:
    """Return host and port of ``host:port``; raise ValueError for anything else. IPv6 hosts stand in brackets."""
    host, colon, port = endpoint.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    numbered = port.isascii() and port.isdecimal() and int(port) <= 65_535
    if not colon or not numbered or (":" in host and not bracketed) or not is_name(host):
        raise ValueError(f"{endpoint!r} is not host:port; write it like localhost:4317 or [::1]:4317")
    return host[1:-1] if bracketed else host, int(port)


def is_name(text: str) -> bool:
    """Tell whether a host or a URL may look like this: without blanks and control signs."""
    return text.isprintable() and not any(map(str.isspace, text))


def _check(endpoint: str) -> str:
    split(endpoint)
    return endpoint


Endpoint = Annotated[str, AfterValidator(_check)]
"""``host:port``; port 0 lets the system choose a free one."""


def resolve(endpoint: str) -> tuple[str, int]:
    """Return the numeric address to listen on, IPv4 before IPv6; raise OSError for an unknown host."""
    host, port = split(endpoint)
    found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - as ':4318' says
    address = min(found, key=lambda info: info[0] != socket.AF_INET)[4]
    return str(address[0]), int(address[1])


def every_address(endpoint: str) -> list[str]:
    """Return the endpoint for each address of its host that this machine has; raise OSError where one is taken.

    A program that holds one of them would get the data of the clients that try it first.
    """
    host, port = split(endpoint)
    found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - as ':4317' says
    free = [str(address[0]) for family, *_, address in found if _is_free(family, address)]
    if not free:
        raise OSError(errno.EADDRNOTAVAIL, f"this machine has no address {host}")
    return [f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address in dict.fromkeys(free)]


def _is_free(family: int, address: Any) -> bool:
    """Return False for an address that this machine does not have; raise OSError where it is taken."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        # A container without IPv6 may still call ::1 localhost.
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return False
        raise
    return True


def cannot_listen(where: str, endpoint: str, reason: object) -> OSError:
    """Return the error that tells a user that an address of the configuration cannot be had."""
    return OSError(
        f"{where}: cannot listen on {endpoint}: {reason}; stop the process that uses it or set another endpoint"
    )
