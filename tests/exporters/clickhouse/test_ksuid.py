import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporters.clickhouse.ksuid import ksuids, record_ids
from tests.exporters.clickhouse.log_batches import EXPECTED

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ids_of(seconds: list[int], payloads: list[bytes]) -> list[str]:
    words = np.frombuffer(b"".join(payloads), ">u4").reshape(-1, 4).astype(np.uint32)
    return ksuids(np.array(seconds, np.uint64), words).to_pylist()


def base62(data: bytes) -> str:
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text.rjust(27, "0")


def test_ids_are_signoz_s() -> None:
    payloads = [bytes([first, *range(1, 16)]) for first in range(3)]
    assert ids_of([1_795_284_000] * 3, payloads) == EXPECTED["ksuid"]


@given(st.lists(st.tuples(st.integers(0, 2**64 // 10**9), st.binary(min_size=16, max_size=16)), min_size=1, max_size=5))
def test_ids_are_numbers_of_base_62(wanted) -> None:
    expected = [base62(((second - 1_400_000_000) % 2**32).to_bytes(4) + payload) for second, payload in wanted]
    assert ids_of([second for second, _ in wanted], [payload for _, payload in wanted]) == expected


def test_a_batch_sent_again_has_the_same_ids_and_another_one_others() -> None:
    seconds = np.array([1_795_284_000, 1_795_284_000, 1_795_284_001, 1_795_284_000], np.uint64)
    ids = record_ids(seconds, "a").to_pylist()
    assert record_ids(seconds, "a").to_pylist() == ids
    assert len({*ids, *record_ids(seconds, "b").to_pylist()}) == 8
    assert sorted(ids) == [ids[0], ids[1], ids[3], ids[2]]


def test_no_ids_for_no_rows() -> None:
    assert record_ids(np.zeros(0, np.uint64), "a").to_pylist() == []
