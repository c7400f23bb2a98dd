"""Months are known by their names and abbreviations, in many languages."""
# ruff: noqa: RUF001  # Cyrillic letters look like Latin ones

from __future__ import annotations

import pytest

from migrator.message.month_names import month_named


@pytest.mark.parametrize(
    ("words", "month"),
    [
        ("Jan JANUARY Jän. janv ene gen stycznia led янв Ιαν 一月".replace(".", ""), 1),
        ("feb févr lut únor şubat фев", 2),
        ("Mar Mär mrz maerz mars março mrt marca březen мар марта", 3),
        ("avr abr apr kwi dub nisan апр", 4),
        ("May Mai mag mei maja květen мая май", 5),
        ("Jun juin giu cze června haziran июн", 6),
        ("Jul juil lug lip červenec temmuz июл", 7),
        ("Aug août ago sie srpna ağustos авг", 8),
        ("Sep Sept set wrz září eylül сен", 9),
        ("Oct Okt ott out paź říjen ekim окт", 10),
        ("Nov lis listopadu kasım ноя", 11),
        ("Dec Dez déc dic gru prosinec aralık дек", 12),
    ],
)
def test_a_month_has_many_names(words: str, month: int) -> None:
    assert {word: month_named(word) for word in words.split()} == dict.fromkeys(words.split(), month)


@pytest.mark.parametrize("word", ["", "x", "ma", "Tue", "Monday", "čer", "uhr", "Januarius"])
def test_what_names_none_or_several_is_no_month(word: str) -> None:
    assert month_named(word) is None
