"""Naming what failed, for calls that failed without saying so in today's words; telling what was no failure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from collector.attributes import Attributes, Positions
from collector.rewrite import Rows
from processors.genai.plan import ERROR_TYPE, HTTP_STATUS, OPERATION, OWN_ERROR, Planner
from processors.genai.translation import ERROR, Mask, Translation


def name_failures(translation: Translation, planner: Planner) -> None:
    """Add the type of error to calls that failed without one; mark the failures that are those of who watched."""
    folders = [planner.rule(scope).folders for scope in translation.scopes]
    nameless = translation.untold(ERROR_TYPE)
    if not any(folders) and not (nameless & translation.suspect).any():
        return
    doubtful = translation.failed & (nameless if not any(folders) else nameless | _of_watchers(translation, folders))
    if not doubtful.any():
        return
    doubtful &= ~translation.missing(OPERATION) & translation.missing(OWN_ERROR)
    rows, raised = translation.raised
    types = _exceptions(translation, folders, rows[doubtful[rows]], raised[doubtful[rows]])
    nameless &= doubtful & translation.missing(OWN_ERROR)
    failed = np.flatnonzero(nameless)
    messages = translation.batch.column("status_message")
    statuses = translation.attributes.naturals(translation.positions(HTTP_STATUS)[failed])
    named = {}
    for row, status in zip(failed.tolist(), statuses.tolist(), strict=True):
        found = types.get(row) or (str(status) if status >= 400 else planner.table.failure_of(messages[row].as_py()))
        if found:
            named[row] = found
    which = np.array(list(named), dtype=np.int64)
    empty = translation.positions(ERROR_TYPE)[which]
    translation.dropped.append(empty[empty >= 0])
    texts = pa.array(list(named.values()), pa.string())
    why = "the exception, the HTTP status or the text of the failure"
    translation.add_each(ERROR_TYPE, "string_value", which, texts, why)


def excuse_leaving(translation: Translation, planner: Planner) -> None:
    """Mark the calls that are said to have failed where only their reader left."""
    failed = np.asarray(translation.batch.column("status_code")) == ERROR
    rows = np.flatnonzero(failed & ~translation.missing(OPERATION) & translation.missing(OWN_ERROR))
    if not len(rows):
        return
    types = translation.attributes.strings(translation.positions(ERROR_TYPE)[rows]).to_pylist()
    messages = translation.batch.column("status_message").take(pa.array(rows)).to_pylist()
    left = [
        any(pattern.search(text or "") for pattern in planner.table.abandoned for text in said)
        for said in zip(types, messages, strict=True)
    ]
    why = "a reader that left before the end of the stream"
    translation.add_one(OWN_ERROR, "bool_value", rows[np.array(left)], True, why)


def _of_watchers(translation: Translation, folders: Sequence[Sequence[str]]) -> Mask:
    """Tell which rows are of a scope whose own failures look like those of the call."""
    mask = translation.of_scopes([bool(listed) for listed in folders])
    return np.ones(translation.attributes.count, dtype=bool) if mask is None else mask


def _exceptions(
    translation: Translation, folders: Sequence[Sequence[str]], rows: Rows, raised: Positions
) -> dict[int, str]:
    """Return the type of each row's last exception; mark those of calls that who watched them raised."""
    if not len(rows):
        return {}
    events: pa.ListArray = translation.batch.column("events")
    attributes = Attributes(events.flatten().field("attributes"))
    types = attributes.strings(attributes.locate_in(raised, "exception.type")).to_pylist()
    if any(folders):
        stacks = attributes.strings(attributes.locate_in(raised, "exception.stacktrace")).to_pylist()
        scopes = np.asarray(translation.batch.column("scope"))[rows].tolist()
        own = np.array([_is_own(folders[scope], stack) for scope, stack in zip(scopes, stacks, strict=True)], bool)
        why = "an exception raised in the code of the instrumentation"
        translation.add_one(OWN_ERROR, "bool_value", rows[own], True, why)
    return {row: kind for row, kind in zip(rows.tolist(), types, strict=True) if kind}


def _is_own(folders: Sequence[str], stack: str | None) -> bool:
    """Tell whether the innermost place of a stack trace is in one of *folders*."""
    _, found, rest = stack.rpartition('File "') if stack else ("", "", "")
    path = rest.partition('"')[0].replace("\\", "/")
    return bool(found) and any(folder in path for folder in folders)
