"""Encrypted connections: gRPC's credentials and Python's TLS context out of the same options."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from collector.errors import ConfigError, Problem
from exporters.otlp.config import TlsConfig


@dataclass(frozen=True, slots=True)
class Files:
    """Is what the files of the options hold; empty where there is none."""

    authorities: bytes
    certificate: bytes
    key: bytes


def read_files(config: TlsConfig, base: Path, where: str) -> Files:
    """Read the files that the options name; raise ConfigError where one cannot be used."""
    context(config, base, where)
    found: dict[str, bytes] = {}
    for name in ("ca_file", "cert_file", "key_file"):
        path = getattr(config, name)
        found[name] = (base / path).read_bytes() if path else b""
    return Files(found["ca_file"], found["cert_file"], found["key_file"])


def context(config: TlsConfig, base: Path, where: str) -> ssl.SSLContext:
    """Return the context for HTTPS; raise ConfigError where a file does not hold what it should."""
    made = ssl.create_default_context()
    try:
        if config.ca_file:
            made = ssl.create_default_context(cafile=str(base / config.ca_file))
        if config.cert_file:
            made.load_cert_chain(base / config.cert_file, base / config.key_file)
    except (ssl.SSLError, OSError) as error:
        text = f"ca_file, cert_file or key_file cannot be used: {error}"
        raise ConfigError([Problem(where, "tls", text, "each is a readable PEM file")]) from error
    if config.insecure_skip_verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def credentials(files: Files) -> grpc.ChannelCredentials:
    """Return gRPC's credentials; without authorities those that come with it are trusted."""
    return grpc.ssl_channel_credentials(files.authorities or None, files.key or None, files.certificate or None)


def presented(host: str, port: int, timeout: float) -> tuple[bytes, str]:
    """Return the certificate a server shows, as PEM, and a name it is for, without checking either.

    gRPC has no switch to skip its checks; trusting exactly what is shown, under the name it has, comes to the same.
    """
    pem = ssl.get_server_certificate((host, port), timeout=timeout)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=pem)
    with socket.create_connection((host, port), timeout) as plain, trusting.wrap_socket(plain) as secure:
        shown: dict[str, Any] = secure.getpeercert() or {}
    names = [value for kind, value in shown.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}]
    common = [value for part in shown.get("subject", ()) for kind, value in part if kind == "commonName"]
    return pem.encode(), str([*names, *common, host][0])
