"""The language that the page speaks: which one a request wants, and its words at the moment they are shown.

The language in force is one of the context (``contextvars``): a screen runs in a thread with a copy of its request's
context, so that no request hears the language of another. Where nothing was chosen, as on the command line, it is
English, which needs no file: the sentences in the code are English.

``gettext`` and its kin translate at once, in the language in force. A sentence that is made while a module is imported
is marked by ``gettext_lazy``: a text that is English to programs, and is translated whenever it is shown.
"""

from __future__ import annotations

import gettext as standard  # noqa: TID251  # all others have it from here
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Self

from migrator.lazy_dataclasses import dataclass, field

SOURCE = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """One language. ``tag`` is what ``lang`` in HTML and a browser call it (RFC 5646)."""

    tag: str = SOURCE
    translations: standard.NullTranslations = field(default_factory=standard.NullTranslations, repr=False)

    @property
    def name(self) -> str:
        """What the language calls itself."""
        return self.translations.pgettext("the name of this language, in this language", "English")

    @property
    def direction(self) -> str:
        """Where its lines run, as ``dir`` in HTML has it."""
        return self.translations.pgettext("direction of writing: ltr or rtl", "ltr")


ENGLISH = Language()
_IN_FORCE: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def current_language() -> Language:
    """Return the language in force."""
    return _IN_FORCE.get()


def speak(language: Language) -> None:
    """Put a language in force for the rest of this context: that of a request, or of a thread's part of it."""
    _IN_FORCE.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Put a language in force for a while."""
    before = _IN_FORCE.set(language)
    try:
        yield
    finally:
        _IN_FORCE.reset(before)


def gettext(text: str) -> str:
    """Return a sentence in the language in force; one that has no translation as it is."""
    return _IN_FORCE.get().translations.gettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form of a sentence that goes with a number, in the language in force."""
    return _IN_FORCE.get().translations.ngettext(one, many, count)


def pgettext(context: str, text: str) -> str:
    """Return a word that means different things elsewhere, in the language in force."""
    return _IN_FORCE.get().translations.pgettext(context, text)


def npgettext(context: str, one: str, many: str, count: int) -> str:
    """Return the form that goes with a number of a word that means different things elsewhere."""
    return _IN_FORCE.get().translations.npgettext(context, one, many, count)


class LazyText(str):
    """A sentence that is translated whenever it is shown: printed, formatted, filled in by ``%``, put into a page.

    To whatever reads its letters otherwise (JSON, a database, ``join``) it is English.
    """

    __slots__ = ("_context",)

    def __new__(cls, text: str, context: str = "") -> Self:
        """Return a marked text; ``context`` is that of ``pgettext``."""
        made = super().__new__(cls, text)
        made._context = context
        return made

    _context: str

    def __str__(self) -> str:
        text = str.__str__(self)
        return pgettext(self._context, text) if self._context else gettext(text)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __mod__(self, values: object) -> str:
        return str(self) % values


def gettext_lazy(text: str) -> str:
    """Mark a sentence that is made while a module is imported: it is translated when it is shown."""
    return LazyText(text)


def pgettext_lazy(context: str, text: str) -> str:
    """Mark a word that means different things elsewhere; it is translated when it is shown."""
    return LazyText(text, context)


def wanted(header: str, languages: Sequence[Language]) -> Language:
    """Return the language that an ``Accept-Language`` (RFC 9110) wants most, English where none is there."""
    for tag in _in_order(header):
        for language in languages:
            if tag in {language.tag.lower(), "*"} or tag.partition("-")[0] == language.tag.lower():
                return language
    return ENGLISH


MOST_WANTED = 50
"""Languages of one header that are looked at."""


def _in_order(header: str) -> list[str]:
    ranges = []
    for part in header.lower().split(",")[:MOST_WANTED]:
        tag, _, weight = part.partition(";")
        value = _weight(weight)
        if tag.strip() and value > 0:
            ranges.append((value, tag.strip()))
    return [tag for _, tag in sorted(ranges, key=lambda one: -one[0])]


def _weight(written: str) -> float:
    name, _, value = written.partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
