"""Words as the search index sees them: the same folding for what is indexed and for what is asked.

Pure. Case, diacritics and width do not count ("Müller" is "muller", "STRASSE" is "Straße"), nor does what Unicode
takes for a letter of its own where people type another ("Łódź" is "lodz", "Sørensen" is "sorensen"), nor what cannot be
seen: soft hyphens, zero-width characters, variation selectors. Scripts that put no blanks between words (Chinese,
Japanese, Korean, Thai, Lao, Khmer, Burmese) get a blank around every character: as a phrase, a word of one or two
characters is then found anywhere. SQLite's own ways lose one or the other: unicode61 finds no part of a run, and
trigram no word of two characters. Emoji and other pictures, which unicode61 passes over, become private characters
behind the text, so that they can be looked for and stand between no two words.

What changes here changes what an index finds: raise ``VERSION`` in ``migrator.search.index``.
"""

from __future__ import annotations

import re
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


_ALIKE = {
    # Latin, as Unicode's own transliteration to ASCII has it (CLDR, Latin-ASCII).
    **dict.fromkeys("æǣǽ", "ae"), "œ": "oe", "þ": "th", "ƕ": "hv", "ȸ": "db", "ȹ": "qp",
    **dict.fromkeys("ⱥɑ", "a"), **dict.fromkeys("ƀƃɓ", "b"), **dict.fromkeys("ƈȼ", "c"),
    **dict.fromkeys("ðđƌȡɖɗ", "d"), **dict.fromkeys("ǝəɇɛ", "e"), "ƒ": "f", **dict.fromkeys("ǥɠ", "g"),
    **dict.fromkeys("ħɦ", "h"), **dict.fromkeys("ıɨɩ", "i"), **dict.fromkeys("ȷɉ", "j"), "ƙ": "k", "ĸ": "q",
    **dict.fromkeys("łƚȴɫ", "l"), **dict.fromkeys("ŋƞȵɲ", "n"), **dict.fromkeys("øǿɔɵ", "o"), "ƥ": "p", "ɋ": "q",
    "ɍ": "r", "ȿ": "s", **dict.fromkeys("ŧƫƭȶʈⱦ", "t"), "ʉ": "u", "ʋ": "v", **dict.fromkeys("ƴɏ", "y"),
    **dict.fromkeys("ƶɀ", "z"),
    # Cyrillic: letters that a Russian keyboard lacks.
    **dict.fromkeys("ґғ", "г"), "қ": "к", "ң": "н", **dict.fromkeys("үұ", "у"), "ө": "о", "ә": "а", "һ": "х",
    # Arabic and Persian keyboards write the same letters with different characters.
    "ک": "ك", **dict.fromkeys("یى", "ي"), "ة": "ه", "ـ": "",
    # Letters to Unicode, apostrophes to people; and marks that belong to no word.
    **dict.fromkeys("ʹʻʼʽ", "'"), **dict.fromkeys("ʾʿ", ""),
}  # fmt: skip
"""What a letter is taken for beside what its decomposition says; small letters stand for their capitals."""
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)
"""What Unicode lets a reader ignore, the colours of skin included."""
_PICTURES = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
"""Emoji, arrows, stars and the like."""
_PICTURE_MARK = 0xF0000


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
    if _UNSEEN.match(character):
        return ""
    if _PICTURES.match(character):
        return " "
    if (alike := _ALIKE.get(character.lower())) is not None:
        return alike
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    parts = unicodedata.normalize("NFKD", character)
    return "".join(_ALIKE.get(part, part) for part in parts.casefold() if not unicodedata.combining(part))


_FOLDING = _Folding()


def folded(text: str) -> str:
    """Return a text in the form in which it is indexed and looked for."""
    if text.isascii():
        return text.lower()
    # To NFKC a trade mark is two more letters of the word before it.
    letters = unicodedata.normalize("NFKC", text.replace("™", " ").replace("℠", " ")).translate(_FOLDING)
    pictures = dict.fromkeys(_PICTURES.findall(text))
    return " ".join([letters, *(chr(_PICTURE_MARK + (ord(one) & 0xFFFF)) for one in pictures)])


def words(text: str) -> list[str]:
    """Return the words of a text as the index has them, in order: runs of letters and digits, folded.

    Pictures come last, each once.
    """
    found: list[str] = []
    word: list[str] = []
    for character in folded(text):
        if _is_in_word(character):
            word.append(character)
        elif word:
            found.append("".join(word))
            word = []
    return [*found, "".join(word)] if word else found


def is_picture(word: str) -> bool:
    """Say whether one of the ``words`` stands for a picture."""
    return len(word) == 1 and ord(word) >= _PICTURE_MARK


def _is_in_word(character: str) -> bool:
    """Say whether SQLite's unicode61 takes this for a part of a word: letters, numbers and private characters."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"
