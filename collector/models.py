"""One name for each model: ``gpt-4o-2024-08-06`` and ``openai/gpt-4o`` are ``gpt-4o``.

What does not tell models apart is taken off: the vendor before the name, region and version of Bedrock's, the date of a
snapshot. Fine-tuned models keep their names, and so do unknown ones.
"""

import re
from functools import lru_cache

_TAKEN_OFF = (
    (
        r"^(models|openai|anthropic|google|mistralai|azure|bedrock|vertex_ai|gemini|cohere|deepseek|x-ai|xai|meta-llama)/",
        "",
    ),
    (r"^((us|eu|apac|global|us-gov)\.)?(anthropic|amazon|cohere|meta|mistral|ai21)\.", ""),
    (r"-v[0-9]+:[0-9]+(:[0-9]+k)?$", ""),
    (r"@[0-9a-z-]+$", ""),
    (r"-[0-9]{4}-[0-9]{2}-[0-9]{2}$", ""),
    (r"-20[0-9]{6}$", ""),
    (r"^(gpt-[^:]*)-[0-9]{4}(-preview)?$", r"\1\2"),
    (r"-latest$", ""),
)
_RULES = tuple((re.compile(pattern), by) for pattern, by in _TAKEN_OFF)
_LONGEST = 256  # characters of a name that is worth remembering


def model_of(name: str) -> str:
    """Return the one name of the model that goes by *name*."""
    return _remembered(name) if len(name) <= _LONGEST else _shortened(name)


def _shortened(name: str) -> str:
    told = name.lower()
    if told.startswith("ft:"):
        return told
    for pattern, by in _RULES:
        told = pattern.sub(by, told)
    return told or name


_remembered = lru_cache(maxsize=4096)(_shortened)
