"""Regular expressions as users write them, matched by RE2 in time linear in the text: none can hang the collector.

Arrow's kernels bring RE2, the engine whose syntax the OpenTelemetry Collector documents; what it does not know
(look-around, back-references) is a mistake of the configuration.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

_LONGEST = 4096


def check(pattern: str) -> str:
    """Return *pattern*; raise ValueError when RE2 does not take it."""
    if len(pattern) > _LONGEST:
        raise ValueError(f"regular expression of {len(pattern)} characters; write at most {_LONGEST}")
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        reason = str(error).removeprefix("Invalid regular expression: ")
        raise ValueError(f"invalid regular expression {pattern!r} (RE2): {reason}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(check)]
"""A regular expression of RE2, found anywhere in a text unless it says otherwise."""


def group_names(pattern: str) -> tuple[str, ...]:
    """Return the names of the groups of *pattern*; raise ValueError when one has no name, or there is none."""
    try:
        found = pc.extract_regex(pa.array([""]), pattern).type
    except pa.ArrowInvalid:
        raise ValueError(f"{pattern!r} has a group without a name; write (?P<name>...) or (?:...)") from None
    if not found.num_fields:
        raise ValueError(f"{pattern!r} has no group; name what is to be extracted: (?P<name>...)")
    return tuple(field.name for field in found)


def matching(texts: pa.Array, patterns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Tell which of *texts* any of *patterns* is found in; null matches nothing."""
    found = np.zeros(len(texts), dtype=bool)
    for pattern in patterns:
        found |= np.asarray(pc.match_substring_regex(texts, pattern).fill_null(False))
    return found


def replaced(texts: pa.Array, pattern: str, new: str | Callable[[str], str]) -> pa.Array:
    """Return *texts* with each match of *pattern* replaced by *new*, or by what *new* makes of it."""
    if isinstance(new, str):
        return pc.replace_substring_regex(texts, pattern, new.replace("\\", "\\\\"))
    hits = matching(texts, [pattern])
    if not hits.any():
        return texts
    chosen = texts.filter(pa.array(hits))
    first, last = _marks(chosen)
    marked = pc.replace_substring_regex(chosen, pattern, f"{first}\\0{last}").to_pylist()
    between = re.compile(f"{first}(.*?){last}", re.DOTALL)
    made = [between.sub(lambda match: new(match[1]), text) for text in marked]
    return pc.replace_with_mask(texts, pa.array(hits), pa.array(made, texts.type))


def _marks(texts: pa.Array) -> tuple[str, str]:
    """Return two texts that occur in none of *texts*, to stand around what matched."""
    number = 0
    while matching(texts, [re.escape(f"\ue000{number}")]).any():
        number += 1
    return f"\ue000{number}\ue001", f"\ue000{number}\ue002"
