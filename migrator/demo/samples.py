"""Sample mail: an office's letters in 22 languages, and every odd form that real maildrops hold.

For the demo, and for any test that wants real life. Deterministic: equal arguments give equal bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from migrator.demo.letters import SHAPES, draft, shape_of
from migrator.demo.oddities import oddities
from migrator.demo.structures import structures
from migrator.lazy_dataclasses import dataclass

COUNT = 300
SEED = 1939  # the number of POP3's RFC


@dataclass(frozen=True, slots=True)
class Sample:
    """One message in canonical form (each line ends in CRLF), and what is special about it.

    ``word`` stands in the text of an ordinary letter, which is then in this language and charset; else all are empty.
    """

    label: str
    content: bytes
    language: str = ""
    charset: str = ""
    word: str = ""


def samples(count: int = COUNT, seed: int = SEED) -> list[Sample]:
    """Return ``count`` messages: two ordinary letters and one odd form in turn, then ordinary letters only.

    All contents differ but those of the two labelled as exact duplicates. The default count holds every odd form.
    """
    return list(islice(_mixed(seed), count))


def _mixed(seed: int) -> Iterator[Sample]:
    letters = ordinary_letters(seed)
    for odd in odd_forms(seed):
        yield from islice(letters, 2)
        yield odd
    yield from letters


def ordinary_letters(seed: int = SEED) -> Iterator[Sample]:
    """Yield letters without end: languages, charsets, encodings and shapes take turns."""
    number = 0
    while True:
        one, shape = draft(number, seed), shape_of(number)
        language = one.language
        label = f"{language.name}, {one.charset}, {one.encoding}: {shape}"
        yield Sample(label, SHAPES[shape](one), language.name, one.charset, language.word)
        number += 1


def odd_forms(seed: int = SEED) -> Iterator[Sample]:
    """Yield every odd form once; the first and the second of a pair follow one another."""
    for label, content in (*oddities(seed), *structures(seed)):
        yield Sample(label, content)
