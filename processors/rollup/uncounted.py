"""Taking what dashboards sum off the spans that do not count, without losing a word of it.

gen_ai.request.model, gen_ai.usage.*  ->  genai_collector.uncounted.gen_ai.request.model, ...
                                          genai_collector.uncounted.reason = wrapper
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from collector.attributes import Attributes, attributes_of, ranges
from collector.batch import Batch
from collector.rewrite import Addition, with_rewritten
from processors.rollup.call_table import call_table
from processors.rollup.calls import COST

PREFIX = "genai_collector.uncounted."
REASON = PREFIX + "reason"


def told(batch: Batch, reasons: Mapping[int, str], costs: npt.NDArray[np.int64], *, move: bool) -> Batch:
    """Return *batch* with a reason on the rows that do not count and, if *move*, what is summed out of the way.

    *costs* are positions of the costs of calls that count, but not these.
    """
    rows = np.array(sorted(reasons), dtype=np.int64)
    numbers = {text: number for number, text in enumerate(sorted(set(reasons.values())))}
    choice = np.array([numbers[reasons[row]] for row in rows.tolist()], dtype=np.int64)
    reason = Addition(REASON, rows, "string_value", list(numbers), choice)
    return with_rewritten(batch, additions=[reason], renamed=_moved(attributes_of(batch), rows, costs) if move else {})


def _moved(
    attributes: Attributes, rows: npt.NDArray[np.int64], costs: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.int64]]:
    """Return where in these *rows* that stands which is summed, and the *costs*, by the name it gets."""
    positions = ranges(attributes.starts[rows], attributes.lengths[rows])
    codes = attributes.codes_of(attributes.shapes.shape[rows])
    found = {name: positions[codes == code] for code, name in enumerate(attributes.names) if _is_summed(name)}
    if len(costs):
        found[COST] = np.sort(np.append(found.get(COST, costs[:0]), costs))
    return {PREFIX + name: places for name, places in found.items()}


@lru_cache(maxsize=4096)
def _is_summed(name: str) -> bool:
    return call_table().is_summed(name)
