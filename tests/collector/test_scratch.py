"""collector/scratch.py: memory that is lent."""

import numpy as np
import pyarrow as pa
import pytest

from collector.scratch import Scratch


def table(size: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"number": np.arange(size // 8), "text": pa.array(["a"] * (size // 8))})


@pytest.mark.parametrize("size", [0, 800, 200_000, 5_000_000, 20_000_000])
def test_gives_what_arrow_gives(size):
    expected = table(size)

    with Scratch().serialized(expected) as plain:
        assert plain.equals(expected.serialize())


def test_serves_one_at_a_time_from_its_memory_and_the_others_too():
    scratch, first, second = Scratch(), table(200_000), table(300_000)

    with scratch.serialized(first) as one, scratch.serialized(second) as other:
        assert one.equals(first.serialize())
        assert other.equals(second.serialize())
        lent = one.address
    with scratch.serialized(second) as again:
        assert again.equals(second.serialize())
        assert abs(again.address - lent) < 10_000, "the same memory, behind the schema"


def test_is_free_again_when_the_block_fails():
    scratch = Scratch()
    with scratch.serialized(table(200_000)) as plain:
        lent = plain.address
    with pytest.raises(ZeroDivisionError), scratch.serialized(table(200_000)):
        1 / 0  # noqa: B018

    with scratch.serialized(table(200_000)) as plain:
        assert plain.address == lent
