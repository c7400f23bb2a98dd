"""Batches end where they should, and nothing is asked for too soon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from migrator.archive.batches import in_batches


class Item(NamedTuple):
    octets: int


def sizes(*octets: int, last: int = 0) -> list[list[int]]:
    items = map(Item, octets)
    batches = in_batches(items, 3, 100, is_last=(lambda item: item.octets == last) if last else None)
    return [[item.octets for item in batch] for batch in batches]


@pytest.mark.parametrize(
    ("octets", "batches"),
    [
        ((), []),
        ((1, 2), [[1, 2]]),
        ((1, 2, 3), [[1, 2, 3]]),
        ((1, 2, 3, 4), [[1, 2, 3], [4]]),
        ((99, 1, 5), [[99, 1], [5]]),
        ((500, 500), [[500], [500]]),
    ],
)
def test_a_batch_ends_with_its_count_or_its_octets(octets: tuple[int, ...], batches: list[list[int]]) -> None:
    assert sizes(*octets) == batches


def test_what_has_to_be_taken_at_once_ends_a_batch() -> None:
    assert sizes(1, 7, 2, 3, last=7) == [[1, 7], [2, 3]]


def test_nothing_is_asked_for_before_the_batch_was_taken() -> None:
    asked: list[int] = []

    def items() -> Iterator[Item]:
        for number in range(9):
            asked.append(number)
            yield Item(1)

    batches = in_batches(items(), 3, 100)
    next(batches)
    assert asked == [0, 1, 2]
