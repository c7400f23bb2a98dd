"""The corpus, and a short run of every target: by Hypothesis on any Python, by atheris where there is one."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from tests.fuzz.__main__ import fuzz
from tests.fuzz.draw import Draw, Slices
from tests.fuzz.targets import CORPUS, TARGETS, corpus_of

RUNS = 1000
"""How many inputs atheris tries of each target here; ``make fuzz`` tries as many as ten minutes allow."""

_WORDS = re.compile(rb"[A-Za-z0-9_-]+|[^A-Za-z0-9_-]")

every_target = pytest.mark.parametrize("target", TARGETS)


def bent(seeds: list[bytes]) -> st.SearchStrategy[bytes]:
    """Make input of the words of a corpus in any order and number, and of bytes between them."""
    words = sorted({word for seed in seeds for word in _WORDS.findall(seed)})
    piece = st.one_of(st.sampled_from(seeds), st.sampled_from(words), st.binary(max_size=6))
    return st.lists(piece, max_size=25).map(b"".join)


@every_target
def test_the_corpus_is_understood(target: str) -> None:
    for seed in corpus_of(target):
        TARGETS[target](seed)


@every_target
def test_whatever_comes_is_understood_or_refused(target: str) -> None:
    @settings(max_examples=150, derandomize=True, database=None)
    @given(bent(corpus_of(target)))
    @example(b"")
    def hold(data: bytes) -> None:
        TARGETS[target](data)

    hold()


@pytest.mark.slow
@every_target
def test_what_atheris_comes_up_with_is_understood_or_refused(target: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        pytest.skip("atheris is not installed: there is none for this Python or system")
    assert fuzz(target, tmp_path, [f"-runs={RUNS}", "-seed=1"]), f"kept in {tmp_path / target / 'broken'}"


def test_the_corpus_is_small_and_each_of_its_folders_has_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert all(path.stat().st_size < 8192 for path in CORPUS.glob("*/*"))


def test_slices_are_the_whole() -> None:
    data = bytes(range(256)) * 40
    for sizes in (b"", b"\0", b"\1", b"\1\2\3", b"\x17"):
        pieces = list(Slices(sizes).of(data))
        assert b"".join(pieces) == data
        assert all(pieces)


def test_the_same_bytes_make_the_same_values() -> None:
    def values() -> list[object]:
        draw = Draw(b"\x07abc\xff")
        return [draw.number(5), draw.one_of("xyz"), draw.take(1), draw.rest(), draw.number(9)]

    assert values() == values() == [2, "y", b"b", b"c\xff", 0]
