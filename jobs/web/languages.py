"""The languages that the page speaks: English, and one for each file in ``locale/``, read as text at run time.

A language is one file of GNU gettext, ``locale/TAG.po``: its sentences, its plural forms, its months, how it writes
numbers, and what it calls itself. Nothing else has to be changed for another one, and nothing is built.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from gettext import GNUTranslations  # noqa: TID251  # the reader of catalogues
from importlib.resources import files

import polib

from jobs.web.language import ENGLISH, Language

SUFFIX = ".po"


def read_language(tag: str, text: str) -> Language:
    """Return a language from the text of its file; what is marked there as fuzzy or empty stays English."""
    catalogue = polib.pofile(text)
    return Language(tag, GNUTranslations(io.BytesIO(catalogue.to_binary())))


@cache
def shipped_languages() -> Sequence[Language]:
    """Return the languages that come with the program, English first, the others by tag."""
    found = sorted(files("jobs.web").joinpath("locale").iterdir(), key=lambda file: file.name)
    return [
        ENGLISH,
        *(
            read_language(file.name.removesuffix(SUFFIX), file.read_text(encoding="utf-8"))
            for file in found
            if file.name.endswith(SUFFIX)
        ),
    ]


def shipped_language(tag: str) -> Language:
    """Return the language of a tag that comes with the program, English for any other."""
    return next((language for language in shipped_languages() if language.tag == tag), ENGLISH)
