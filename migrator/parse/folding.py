"""Words as the search index sees them: the same folding for what is indexed and for what is asked.

Pure. Case, diacritics and width do not count ("Müller" is "muller", "STRASSE" is "Straße"). Scripts that put no blanks
between words (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) get a blank around every character: as a phrase, a
word of one or two characters is then found anywhere. SQLite's own ways lose one or the other: unicode61 finds no part
of a run, and trigram no word of two characters.
"""

from __future__ import annotations

import unicodedata

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK and Kangxi radicals
    (0x3005, 0x3007),  # iteration mark, zero
    (0x3021, 0x3029),
    (0x3031, 0x3035),
    (0x303B, 0x303C),
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x31BF),  # Bopomofo, Hangul compatibility Jamo
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),  # Hangul
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)


class _Folding(dict[int, str]):
    """Folds one character; every character is worked out once."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:  # half of a pair, from a broken charset: no database takes it
        return " "
    if any(first <= code <= last for first, last in _UNSPACED):
        return f" {character} " if unicodedata.category(character)[0] in "LN" else character
    parts = unicodedata.normalize("NFKD", character)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()


_FOLDING = _Folding()


def folded(text: str) -> str:
    """Return a text in the form in which it is indexed and looked for."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).translate(_FOLDING)


def words(text: str) -> list[str]:
    """Return the words of a text as the index has them, in order: runs of letters and digits, folded."""
    found: list[str] = []
    word: list[str] = []
    for character in folded(text):
        if _is_in_word(character):
            word.append(character)
        elif word:
            found.append("".join(word))
            word = []
    return [*found, "".join(word)] if word else found


def _is_in_word(character: str) -> bool:
    """Say whether SQLite's unicode61 takes this for a part of a word: letters, numbers and private characters."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"
