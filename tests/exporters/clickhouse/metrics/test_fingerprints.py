import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.clickhouse.metrics.fingerprints import OFFSET, fnv


def plain(text: bytes, start: int = OFFSET) -> int:
    for byte in text:
        start = ((start ^ byte) * 1099511628211) % 2**64
    return start


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ({"key1": "value1", "key2": "value2"}, 4672270062576455370),
        ({"key1": "value1", "key2": "value2", "key3": "value3"}, 5425952980149109402),
    ],
)
def test_published_hashes(pairs: dict[str, str], expected: int) -> None:
    text = b"".join(f"{key}\0{value}\0".encode().replace(b"\0", b"\xff") for key, value in pairs.items())

    assert fnv(np.zeros(1, np.uint64), pa.array([text])).tolist() == [expected]


@given(st.lists(st.binary(max_size=40), max_size=60))
def test_many_texts_are_hashed_as_one_is(texts: list[bytes]) -> None:
    start = np.arange(len(texts), dtype=np.uint64)

    assert fnv(start, pa.array(texts, pa.binary())).tolist() == [plain(text, n) for n, text in enumerate(texts)]


def test_more_texts_than_one_block_of_very_different_lengths() -> None:
    texts = [bytes([n % 251]) * (n % 90) for n in range(20_000)] + [b"x" * 5_000]
    found = fnv(np.full(len(texts), OFFSET, np.uint64), pa.array(texts, pa.binary()))

    assert [found[n] for n in (0, 89, 8191, 8192, 19_999, 20_000)] == [
        plain(texts[n]) for n in (0, 89, 8191, 8192, 19_999, 20_000)
    ]


def test_a_part_of_a_column_is_hashed_from_its_own_start() -> None:
    texts = pa.array([b"no", b"a", b"bc", b"no"]).slice(1, 2)

    assert fnv(np.full(2, OFFSET, np.uint64), texts).tolist() == [plain(b"a"), plain(b"bc")]
