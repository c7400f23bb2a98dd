"""Which words of a password command are the secret itself, so that a copy of the configuration does not show them.

Pure. A command such as ``pass show mail/alice`` only says where the secret is. One that prints its arguments, or gets a
secret by an option, a variable, a header or a URL, holds it; in doubt a word is taken for a secret.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

STARS: Final = "***"

_PRINTERS = frozenset({"echo", "printf", "print"})
_FORMATS = frozenset({"-n", "-e", "--", "%s", "%s\\n"})
_NAME = (
    r"(?:[\w-]*[_-])?(?:pass(?:word|wd|phrase)?|pwd?|secret|token|session|auth|bearer|credentials?|(?:api-?)?key|pin)"
)
_OPTION = re.compile(rf"--?{_NAME}(?:=(?P<value>.+))?", re.I | re.S)
_TELLING = re.compile(
    rf"{_NAME}=.+"  # PASSWORD=…
    r"|(?:proxy-)?authorization:.+|cookie:.+|x-[\w-]+:.+"
    r"|[a-z][\w+.-]*://[^\s/@]*:[^\s/@]+@.*",
    re.I | re.S,
)
_PLACE = re.compile(r"[~./$%].*|[\w.@-]+(?:/[\w.@ -]+)+|\d{1,5}|[\w-]+\.\w{1,5}", re.S)
"""A path, a variable, a number, a file: it says where a secret is."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+=-]{20,}")


def without_secrets(command: str) -> str:
    """Return a command with stars for the words that look like secrets; unchanged where none does.

    Where a secret does not stand there as it is, for quotes or escapes are mixed into it, only the program stays.
    """
    words = shlex.split(command)
    for secret in sorted(set(_secrets(words)), key=len, reverse=True):
        if secret not in command:
            return f"{shlex.quote(words[0])} {STARS}"
        command = command.replace(secret, STARS)
    return command


def _secrets(words: Sequence[str]) -> Iterator[str]:
    is_printing = is_expected = False
    for word in words:
        option = _OPTION.fullmatch(word)
        if STARS in word:
            pass
        elif is_printing:
            yield from () if word in _FORMATS else (word,)
        elif option and option["value"]:
            yield option["value"]
        elif (is_expected and not _PLACE.fullmatch(word)) or _looks_secret(word):
            yield word
        is_expected = option is not None and not option["value"]
        is_printing = is_printing or word.rpartition("/")[2] in _PRINTERS


def _looks_secret(word: str) -> bool:
    if _TELLING.fullmatch(word):
        return True
    if any(map(str.isspace, word)):
        return _is_telling_script(word)
    return _RANDOM.fullmatch(word) is not None and _UUID.fullmatch(word) is None


def _is_telling_script(word: str) -> bool:
    """Look into what a shell is given as one word, command by command."""
    try:
        return any(any(_secrets(shlex.split(part))) for part in re.split(r"[;&|\n]+", word))
    except ValueError:  # quotes that the pieces have in common
        return True
