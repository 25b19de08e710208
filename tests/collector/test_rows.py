import numpy as np
import pytest

from collector.batch import Batch, Signal
from collector.rows import is_understood, kept
from tests.batches import names_of, spans
from tests.processors.items import batch_of_items, items_of


def test_all_or_nothing():
    batch = spans("a", "b")

    assert kept(batch, np.array([True, True])) == [batch]
    assert kept(batch, np.array([False, False])) == []


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.METRICS, Signal.LOGS])
def test_owners_go_with_their_last_item(signal):
    items = [{"resource": {"n": n // 2}, "scope": {"name": str(n)}, "attributes": {"n": n}} for n in range(6)]
    [result] = kept(batch_of_items(signal, items), np.array([False, False, False, True, False, True]))

    assert items_of(result) == [items[3], items[5]]
    assert [result.tables[name].num_rows for name in ("resources", "scopes")] == [2, 2]


def test_the_id_stays():
    [result] = kept(spans("a", "b"), np.array([False, True]))

    assert (result.id, names_of(result)) == (spans("a", "b").id, ["b"])


def test_other_columns_are_not_understood():
    assert is_understood(spans("a"))
    assert not is_understood(spans())
    assert not is_understood(Batch("x", Signal.LOGS, {"records": spans("a").main}))
