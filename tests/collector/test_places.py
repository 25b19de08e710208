import pyarrow as pa
import pytest

from collector.batch import Batch, Signal
from collector.places import EVERYWHERE
from tests.processors.items import batch_of_items, items_of

ITEMS = {
    Signal.TRACES: {"events": [{"attributes": {"e": 1}}, {"name": "x"}], "attributes": {"a": 1}},
    Signal.METRICS: {"metric": {"name": "m", "metadata": {"d": 1}}, "attributes": {"a": 1}},
    Signal.LOGS: {"attributes": {"a": 1}, "resource": {"r": 1}},
}


@pytest.mark.parametrize("signal", list(ITEMS))
def test_what_is_read_can_be_put_back_also_into_slices(signal):
    whole = batch_of_items(signal, [{}, ITEMS[signal], ITEMS[signal]])
    tables = {name: table.slice(1) if table is whole.main else table for name, table in whole.tables.items()}
    batch = Batch("x", signal, tables)
    result = batch
    for place in EVERYWHERE[signal]:
        result = place.put(result, place.lists(result))

    assert items_of(result) == items_of(batch)
    assert result.main.schema.equals(batch.main.schema)


def test_nested_lists_change_alone():
    batch = batch_of_items(Signal.TRACES, [ITEMS[Signal.TRACES]])
    [_, events, *_] = EVERYWHERE[Signal.TRACES]
    lists = events.lists(batch)
    result = events.put(batch, pa.array([[]] * len(lists), lists.type))

    assert items_of(result) == [{"attributes": {"a": 1}, "events": [{}, {"name": "x"}]}]
