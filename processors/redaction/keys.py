"""What the names of attributes decide: which are kept as they are, deleted, masked whole, or looked into."""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.patterns import matching
from processors.redaction.config import RedactionConfig

SUMMARY = "redaction."
"""How the names of the attributes begin that tell what was done."""


_COUNT = re.compile(
    r"(?:^|\.)(?:usage|token_count)\."
    r"|(?:^|[._])(?:input|output|prompt|completion|total|cached?|read|creation|content|reasoning|thoughts|tool)"
    r"_token(?:s|_count)$"
)
"""How tokens are counted in spans and log records: ``gen_ai.usage.input_tokens``, ``cached_content_token_count``."""


class Fate(IntEnum):
    """Says what happens to an attribute."""

    IGNORE = 0
    DELETE = 1
    MASK = 2
    LOOK = 3


class Keys:
    """Decides by names as a configuration says."""

    def __init__(self, config: RedactionConfig) -> None:
        self._config = config
        self._fate = lru_cache(maxsize=8192)(self._decide)

    def fates(self, names: Sequence[str]) -> npt.NDArray[np.int8]:
        """Return the fate of each name."""
        return np.array([self._fate(name) for name in names], dtype=np.int8)

    def counts(self, names: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Tell which names are those of token counts, which stay numbers whatever is masked."""
        return np.array([_COUNT.search(name) is not None for name in names], dtype=bool)

    def fate(self, name: str) -> Fate:
        """Return the fate of one name."""
        return self._fate(name)

    def _decide(self, name: str) -> Fate:
        config = self._config
        text = pa.array([name])
        if name in config.ignored_keys or name.startswith(SUMMARY) or matching(text, config.ignored_key_patterns)[0]:
            return Fate.IGNORE
        if not config.allow_all_keys and name not in config.allowed_keys:
            return Fate.DELETE
        return Fate.MASK if matching(text, config.blocked_key_patterns)[0] else Fate.LOOK
