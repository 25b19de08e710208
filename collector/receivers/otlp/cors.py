"""What browsers ask before a web page may send to another origin, and what they are told."""

import re
from collections.abc import Mapping

from collector.receivers.otlp.config import CorsConfig

_ALWAYS_ALLOWED = ("Accept", "Content-Type", "X-Requested-With")


class Cors:
    """Knows which pages may send."""

    def __init__(self, config: CorsConfig) -> None:
        self._config = config
        patterns = (".*".join(map(re.escape, origin.split("*"))) for origin in config.allowed_origins)
        self._origins = re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)

    def headers(self, origin: str) -> Mapping[str, str]:
        """Return the headers of an answer to a page of *origin*; none when it may not read one."""
        if not self._config.allowed_origins:
            return {}
        if not self._allows(origin):
            return {"Vary": "Origin"}
        told = {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}
        if self._config.exposed_headers:
            told["Access-Control-Expose-Headers"] = ", ".join(self._config.exposed_headers)
        return told

    def is_preflight(self, method: str, origin: str, wanted_method: str) -> bool:
        """Tell whether a browser asks beforehand, and not a page afterwards."""
        return bool(self._config.allowed_origins and method == "OPTIONS" and origin and wanted_method)

    def preflight(self, origin: str, wanted_headers: str) -> Mapping[str, str]:
        """Return the headers of the answer to a browser that asks whether a page of *origin* may POST."""
        told = {**self.headers(origin), "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
        if not self._allows(origin):
            return told
        told["Access-Control-Allow-Methods"] = "POST"
        if self._config.allowed_headers == ("*",):
            told["Access-Control-Allow-Headers"] = wanted_headers or "*"
        else:
            told["Access-Control-Allow-Headers"] = ", ".join((*_ALWAYS_ALLOWED, *self._config.allowed_headers))
        if self._config.max_age:
            told["Access-Control-Max-Age"] = str(self._config.max_age)
        return told

    def _allows(self, origin: str) -> bool:
        return bool(origin and self._origins.fullmatch(origin))
