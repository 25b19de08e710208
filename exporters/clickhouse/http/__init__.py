"""Lets others query the embedded ClickHouse while the collector runs: curl, clickhouse-connect, dashboards."""

import hmac
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from threading import BoundedSemaphore
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, PositiveInt, model_validator

from collector.component import ComponentConfig
from collector.units import Duration, Secret
from collector.web.endpoint import Endpoint, resolve, split
from collector.web.listening import ListeningExtension
from exporters.clickhouse.client import query_connection
from exporters.clickhouse.http.guard import Guard, Limits
from exporters.clickhouse.http.handler import Answer, ClickhouseHandler, Question, RefusedError

_PATIENCE = 5.0  # seconds that a query waits for others to end


class ClickhouseHttpConfig(ComponentConfig):
    """Says where the embedded ClickHouse is offered for queries, to whom, and what one may cost."""

    model_config = ConfigDict(hide_input_in_errors=True)

    endpoint: Endpoint = "localhost:8123"
    """Where to listen, ``host:port``. Beyond this machine only with a password."""
    user: str = "default"
    """Who may ask."""
    password: Secret = Secret("")
    """With what password. Without one only programs on this machine are answered."""
    timeout: Duration = 60.0
    """How long a query may run."""
    max_result_bytes: PositiveInt = 104_857_600
    """The largest answer, before it is packed."""
    max_memory_bytes: PositiveInt = 1_073_741_824
    """The most memory for one query."""
    max_request_bytes: PositiveInt = 1_048_576
    """The longest query."""
    max_queries: PositiveInt = 8
    """Queries that run at the same time; others wait some seconds and are told to come back then."""
    max_connections: PositiveInt = 64
    """Connections open at the same time; more are closed at once."""

    @model_validator(mode="after")
    def _closed(self) -> "ClickhouseHttpConfig":
        if not self.password.get_secret_value() and not _is_local(split(self.endpoint)[0]):
            raise ValueError("endpoint: other machines could read everything; set a password, or listen on localhost")
        return self


class ClickhouseHttpExtension(ListeningExtension):
    """Answers queries on the embedded ClickHouse over its HTTP interface; nothing can be changed through it."""

    Config: ClassVar[type[ComponentConfig]] = ClickhouseHttpConfig

    def serve(self) -> "_Server":
        """Return the server, listening."""
        return _Server(self.config)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, config: ClickhouseHttpConfig) -> None:
        self.config = config
        self.guard = Guard(Limits(config.timeout, config.max_result_bytes, config.max_memory_bytes))
        self.queries = BoundedSemaphore(config.max_queries)
        self.connections = BoundedSemaphore(config.max_connections)
        super().__init__(resolve(config.endpoint), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client went away."""


class _Handler(ClickhouseHandler):
    server: _Server
    version = "embedded"

    def setup(self) -> None:
        super().setup()
        self.most_bytes = self.server.config.max_request_bytes

    def allowed(self, user: str, password: str) -> bool:
        config = self.server.config
        secret = config.password.get_secret_value()
        if not secret and not _is_local(urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""):
            return False  # a page of the web that calls itself this machine
        right_user = hmac.compare_digest(user.encode(), config.user.encode())
        return hmac.compare_digest(password.encode(), secret.encode()) and right_user

    def answer(self, question: Question) -> Answer:
        if not self.server.queries.acquire(timeout=_PATIENCE):
            raise RefusedError(202, "Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)")
        try:
            with query_connection() as connection:
                return self.server.guard.answer(connection, question)
        finally:
            self.server.queries.release()


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
