# ruff: noqa: RUF001  # letters of many scripts
from __future__ import annotations

import pytest

from migrator.parse.folding import folded, is_picture, words


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
        ("Sørensen", "sorensen"),
        ("Łódź", "lodz"),
        ("Đorđević", "DORDEVIC"),
        ("œuvre", "oeuvre"),
        ("Ærø", "aero"),
        ("Þórður Guðmundsson", "thordur gudmundsson"),
        ("DIYARBAKIR", "diyarbakır"),
        ("Ħal Qormi", "hal qormi"),
        ("Ŋ", "n"),
        ("STRAẞE", "strasse"),
        ("Київ ґанок", "киів ганок"),
        ("Hawaiʻi", "Hawai'i"),
        ("ʿAlī", "ali"),
        ("کتاب فارسی", "كتاب فارسي"),
        ("محـمد", "محمد"),
        ("٢٠٢٤", "2024"),
        ("Rech\u00adnung", "Rechnung"),
        ("Daten\u200bschutz", "Datenschutz"),
        ("Dampf\u200c\u200d\u2060\ufeffschiff", "Dampfschiff"),
        ("می\u200cخواهم", "میخواهم"),
        ("葛\U000e0100飾", "葛飾"),
        ("Acme™ Widget", "acme widget"),
        ("👍🏽", "👍"),
        ("❤️", "❤"),
        ("🎉🎉 party 🎉", "party 🎉"),
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


def test_no_format_character_parts_a_word() -> None:
    """Soft hyphens, zero-width characters, marks of direction, variation selectors: a reader sees none of them."""
    unseen = [
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        0xAD,
        0x34F,
    ]
    assert [hex(code) for code in unseen if words(f"a{chr(code)}b") != ["ab"]] == []


def test_a_picture_stands_behind_the_words_and_between_none() -> None:
    first, second, picture = words("happy 🎉 birthday")
    assert (first, second, is_picture(picture)) == ("happy", "birthday", True)
    assert words("👩‍💻") == [*words("👩"), *words("💻")]
    assert len({tuple(words(one)) for one in "☎✓★→🎉🅰😀🚀"}) == 8
    assert not any(map(is_picture, words("東 a é ١")))
