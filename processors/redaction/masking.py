"""Masking what is blocked within texts, and within the texts of lists and maps."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.patterns import matching, replaced
from collector.rows import Mask
from processors.redaction.config import RedactionConfig

MASK = "****"

_HASHES: Mapping[str, Callable[[bytes], str]] = MappingProxyType(
    {
        "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "sha3": lambda data: hashlib.sha3_256(data).hexdigest(),
    }
)


class Masker:
    """Masks as a configuration says."""

    def __init__(self, config: RedactionConfig) -> None:
        self._config = config
        self._new = _replacement(config)

    @property
    def is_idle(self) -> bool:
        """Whether no value is ever masked for what is in it."""
        return not self._config.blocked_values

    def whole(self, text: str) -> str:
        """Return what is written in place of *text*."""
        return self._new if isinstance(self._new, str) else self._new(text)

    def allowed(self, texts: pa.Array) -> Mask:
        """Tell which texts are kept whole."""
        return matching(texts, self._config.allowed_values)

    def texts(self, texts: pa.Array) -> pa.Array:
        """Return the texts with what is blocked in them masked."""
        made = texts
        for pattern in self._config.blocked_values:
            made = replaced(made, pattern, self._new)
        allowed = self.allowed(texts)
        return pa.compute.if_else(pa.array(allowed), texts, made) if allowed.any() else made

    def lookup(self, texts: set[str]) -> Mapping[str, str]:
        """Return those of *texts* in which something is masked, and what becomes of them."""
        if self.is_idle or not texts:
            return {}
        old = sorted(texts, key=lambda text: text.encode("utf-8", "surrogatepass"))
        # Half a character, which JSON can spell, is no text for Arrow; what is around it is looked into all the same.
        safe = pa.array([text.encode("utf-8", "replace").decode() for text in old], pa.string())
        made = self.texts(safe)
        changed = np.flatnonzero(~np.asarray(pa.compute.equal(safe, made)))
        return dict(zip([old[row] for row in changed.tolist()], made.take(pa.array(changed)).to_pylist(), strict=True))


def texts_within(value: AnyValue) -> set[str]:
    """Return all texts within a list or a map, keys aside."""
    match value.WhichOneof("value"):
        case "string_value":
            return {value.string_value}
        case "array_value":
            return set().union(*map(texts_within, value.array_value.values))
        case "kvlist_value":
            return set().union(*(texts_within(pair.value) for pair in value.kvlist_value.values))
    return set()


def replace_within(value: AnyValue, made: Mapping[str, str]) -> None:
    """Replace the texts within a list or a map."""
    match value.WhichOneof("value"):
        case "string_value":
            value.string_value = made.get(value.string_value, value.string_value)
        case "array_value":
            for item in value.array_value.values:
                replace_within(item, made)
        case "kvlist_value":
            for pair in value.kvlist_value.values:
                replace_within(pair.value, made)


def _replacement(config: RedactionConfig) -> str | Callable[[str], str]:
    if not config.hash_function:
        return MASK
    if config.hash_function.startswith("hmac"):
        key, digest = config.hmac_key.get_secret_value().encode(), config.hash_function.removeprefix("hmac-")
        return lambda text: hmac.new(key, text.encode(), digest).hexdigest()
    hashed = _HASHES[config.hash_function]
    return lambda text: hashed(text.encode())
