# ruff: noqa: RUF001  # letters of many scripts
from __future__ import annotations

import pytest

from migrator.parse.folding import folded, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller", "muller"),
        ("STRASSE", "Straße"),
        ("Ｗｉｄｅ", "wide"),
        ("ﾒｰﾙ", "メール"),
        ("Ёлка", "елка"),
        ("Αθήνα", "αθηνα"),
        ("cafe\u0301", "café"),
        ("Đặng", "đang"),
        ("مُحَمَّد", "محمد"),
    ],
)
def test_what_a_person_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_each_character_of_a_script_without_blanks_is_a_word() -> None:
    assert words("東京都a1") == ["東", "京", "都", "a1"]
    assert words("서울시") == ["서", "울", "시"]


def test_signs_are_between_words() -> None:
    assert words("re: alice@example.org, 12:30!") == ["re", "alice", "example", "org", "12", "30"]
    assert words("!?-") == []


def test_half_a_surrogate_is_a_blank() -> None:
    assert folded("aä\ud800b") == "aa b"
