"""TLS of what the collector serves: certificates from files, and clients that must show one."""

import ssl
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import model_validator

from collector.component import ComponentConfig
from collector.units import ReadableFile

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class ServerTlsConfig(ComponentConfig):
    """Says who the server is, and which clients it talks to. The files are read when the collector starts."""

    cert_file: ReadableFile
    """A PEM file with the server's certificate, followed by the ones that vouch for it."""
    key_file: ReadableFile
    """A PEM file with the key of ``cert_file``."""
    client_ca_file: ReadableFile = ""
    """A PEM file with authorities: clients must then show a certificate of one of them."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""

    @model_validator(mode="after")
    def _names_files(self) -> "ServerTlsConfig":
        if not self.cert_file or not self.key_file:
            raise ValueError("cert_file and key_file must name files; leave out tls for a server without it")
        return self


class Files(NamedTuple):
    """Holds what is in the files; *authorities* is empty where any client is welcome."""

    certificate: bytes
    key: bytes
    authorities: bytes


def server_files(config: ServerTlsConfig, base: Path, where: str) -> Files:
    """Return what is in the files, checked by `server_context`; raise OSError as that does."""
    server_context(config, base, where)
    authorities = (base / config.client_ca_file).read_bytes() if config.client_ca_file else b""
    return Files((base / config.cert_file).read_bytes(), (base / config.key_file).read_bytes(), authorities)


def server_context(config: ServerTlsConfig, base: Path, where: str) -> ssl.SSLContext:
    """Return what a server encrypts with; raise OSError that says *where* the files are named that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    place = f"{where}.cert_file, key_file"
    try:
        context.load_cert_chain(base / config.cert_file, base / config.key_file, password=_no_password)
        if config.client_ca_file:
            place = f"{where}.client_ca_file"
            context.load_verify_locations(base / config.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise OSError(f"{place}: cannot be used: {error}; name readable PEM files that belong together") from error
    return context


def _no_password() -> str:
    """Refuse an encrypted key, for which OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")
