"""Stars in place of what nobody is to read, however many passwords there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FEW = 64
_SHORTEST = 4
"""What is shorter stands in any text."""


class Masks:
    """Passwords that may stand in a text."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_length: dict[int, set[str]] = {}
        self._count = 0

    def add(self, values: Iterable[str]) -> None:
        """Know these, too, unless one is so short that any text holds it."""
        for value in values:
            if len(value) >= _SHORTEST:
                self._by_length.setdefault(len(value), set()).add(value)
        self._count = sum(map(len, self._by_length.values()))

    def masked(self, text: str) -> str:
        """Return a text with stars in each place that a password, or several that overlap, would take."""
        parts: list[str] = []
        last = 0
        for begin, end in _joined(self._found(text)):
            parts += text[last:begin], "***"
            last = end
        return "".join([*parts, text[last:]]) if parts else text

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for length, secrets in self._by_length.items():
            if self._count > _FEW:  # a look at each place of a line costs less than one for each of many passwords
                places = (place for place in range(len(text) - length + 1) if text[place : place + length] in secrets)
            else:
                places = (place for secret in secrets for place in _places(text, secret))
            yield from ((place, place + length) for place in places)


def _places(text: str, secret: str) -> Iterator[int]:
    place = text.find(secret)
    while place >= 0:
        yield place
        place = text.find(secret, place + 1)


def _joined(found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the places in order, those that overlap as one."""
    begin = end = 0
    for first, last in sorted(found):
        if first >= end:
            if end:
                yield begin, end
            begin = first
        end = max(end, last)
    if end:
        yield begin, end
