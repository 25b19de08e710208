"""One name for each model: ``gpt-4o-2024-08-06`` and ``openai/gpt-4o`` are ``gpt-4o``.

What does not tell models apart is taken off, one thing after the other:

    resource   arn:aws:bedrock:us-east-1::foundation-model/..., projects/p/locations/l/publishers/google/models/...
    path       models/..., openai/..., openrouter/openai/...: whoever makes or serves models
    Bedrock's  us.anthropic.....-v1:0
    route      ...:nitro, which says who is to answer, not what
    version    ...@20250514, ...-2025-05-14, ...-latest

Fine-tuned models keep their names, and so do unknown ones.
"""

import json
import re
from functools import lru_cache
from pathlib import Path

MAKERS = frozenset(json.loads(Path(__file__).with_name("makers.json").read_text(encoding="utf-8")))
"""Who stands before the names of models in the list of prices (``python -m tests.prices``), in small letters."""

_MAKER = "|".join(re.escape(maker) for maker in sorted(MAKERS))
_ROUTES = "models|azure_ai|bedrock|gemini|vertex_ai|xai"
_REGION = r"(?:[a-z]{2}|apac|global|us-gov)\."
_VERSION = r"-v[0-9]+:[0-9]+(?::[0-9a-z]+)?$"
_TAKEN_OFF = (
    (r"^arn:[a-z-]+:bedrock:[^/]*:(?:inference-profile|foundation-model)/", ""),
    (r"^(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/", ""),
    (rf"^(?:{_ROUTES}|{_MAKER})/", ""),
    # Names may have dots in them: what stands before one is somebody if known, or if the name ends as Bedrock's do.
    (rf"^(?:{_REGION})?(?:{_MAKER})\.(?=[a-z])", ""),
    (rf"^(?:{_REGION})?[a-z][a-z0-9]*\.(?=[a-z].*{_VERSION})", ""),
    (_VERSION, ""),
    (r"(?:-1)?:0$", ""),
    (r":(?:exacto|floor|nitro|online)$", ""),
    (r"@[0-9a-z-]+$", ""),
    (r"-[0-9]{4}-[0-9]{2}-[0-9]{2}$", ""),
    (r"-20[0-9]{6}$", ""),
    (r"^(gpt-[^:]*)-[0-9]{4}(-preview)?$", r"\1\2"),
    (r"-latest$", ""),
)
_RULES = tuple((re.compile(pattern), by) for pattern, by in _TAKEN_OFF)
_LONGEST = 256  # characters of a name: what is longer is no model's


def model_of(name: str) -> str:
    """Return the one name of the model that goes by *name*."""
    return names_of(name)[-1]


def names_of(name: str) -> tuple[str, ...]:
    """Return what the model that goes by *name* may be listed as: the whole name, ever less of it, its one name."""
    return _names_of(name) if len(name) <= _LONGEST else (name.strip().lower(),)


@lru_cache(maxsize=4096)
def _names_of(name: str) -> tuple[str, ...]:
    names = [name.strip().lower()]
    while shorter := _shorter(names[-1]):
        names.append(shorter)
    return tuple(names)


def _shorter(name: str) -> str:
    """Return *name* without the first thing that can be taken off, '' if there is none."""
    if name.startswith("ft:"):
        return ""
    shorter = (pattern.sub(by, name) for pattern, by in _RULES)
    return next((one for one in shorter if one not in ("", name)), "")
