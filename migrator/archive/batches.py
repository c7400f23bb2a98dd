"""What is gone through in batches: many small messages, few large ones. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar


class HasOctets(Protocol):
    """A message, or what is known of one."""

    @property
    def octets(self) -> int:
        """How long it is."""


_Item = TypeVar("_Item", bound=HasOctets)


def in_batches(
    items: Iterable[_Item], count: int, octets: int, *, is_last: Callable[[_Item], bool] | None = None
) -> Iterator[list[_Item]]:
    """Yield items in batches, each of which ends as soon as it has that many, or that many octets.

    It also ends with an item of which ``is_last`` says so; the next is not asked for before the batch was taken.
    """
    batch: list[_Item] = []
    size = 0
    for item in items:
        batch.append(item)
        size += item.octets
        if len(batch) >= count or size >= octets or (is_last is not None and is_last(item)):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
