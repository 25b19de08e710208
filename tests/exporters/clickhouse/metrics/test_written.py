import numpy as np

from exporters.clickhouse.metrics.written import Written


def lacking(written: Written, *rows: tuple[int, int]) -> list[tuple[int, int]]:
    fingerprints = np.array([fingerprint for fingerprint, _ in rows], np.uint64)
    hours = np.array([hour for _, hour in rows], np.int64)
    return [row for row, lacks in zip(rows, written.lacks(fingerprints, hours), strict=True) if lacks]


def add(written: Written, *rows: tuple[int, int]) -> None:
    written.add(np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.int64))


def test_only_what_was_added_is_known() -> None:
    written = Written()
    rows = [(5, 1), (2**64 - 1, 1), (5, 2), (7, 1)]
    assert lacking(written, *rows) == rows

    add(written, (2**64 - 1, 1), (5, 2), (2**64 - 1, 1))

    assert lacking(written, *rows) == [(5, 1), (7, 1)]
    add(written, (6, 1))
    assert lacking(written, *rows) == [(5, 1), (7, 1)]


def test_what_is_too_much_to_remember_is_forgotten() -> None:
    written = Written(most=3)
    add(written, (1, 1), (2, 1))
    add(written, (3, 1), (4, 1))
    assert lacking(written, (1, 1), (2, 1), (3, 1), (4, 1)) == [(1, 1), (2, 1)]

    add(written, *((n, 1) for n in range(10, 14)))

    assert lacking(written, (3, 1), (10, 1)) == [(3, 1), (10, 1)]


def test_everything_can_be_forgotten() -> None:
    written = Written()
    add(written, (1, 1))
    written.forget()

    assert lacking(written, (1, 1)) == [(1, 1)]
