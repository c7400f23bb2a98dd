"""Ordinary letters: every language in each of its charsets, every shape that an office's mail has.

Deterministic: the same number and seed give the same bytes, on every machine.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from random import Random

from pydantic import TypeAdapter

from migrator.demo.attachments import appointment, csv, pdf, png
from migrator.demo.composing import (
    Part,
    attachment,
    date,
    encoded_words,
    letter,
    mailbox,
    message_id,
    moment,
    multipart,
    text,
    trace,
)
from migrator.lazy_dataclasses import dataclass

_ENCODINGS = ("8bit", "quoted-printable", "base64")


@dataclass(frozen=True, slots=True)
class Language:
    """What people write in one language; ``word`` stands in each of its letters."""

    name: str
    charsets: tuple[str, ...]
    people: tuple[str, ...]
    subjects: tuple[str, ...]
    greeting: str
    word: str
    lines: tuple[str, ...]
    closing: str
    file: str


@cache
def languages() -> tuple[Language, ...]:
    """Return all languages, as ``office.toml`` has them."""
    tables = tomllib.loads(files("migrator.demo").joinpath("office.toml").read_text("utf-8"))["languages"]
    return TypeAdapter(tuple[Language, ...]).validate_python(tables)


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter before it has a shape."""

    number: int
    language: Language
    charset: str
    encoding: str
    subject: str
    sender: str
    body: str
    chance: Random

    @property
    def boundary(self) -> str:
        """What stands between its parts."""
        return f"=_part_{self.number:06d}_of_the_office"

    def as_text(self, kind: str = "plain") -> Part:
        """Return the body in the letter's charset and encoding."""
        if kind == "plain":
            return text(self.body, self.charset, self.encoding)
        paragraphs = "".join(f"<p>{escape(line)}</p>\n" for line in self.body.splitlines() if line)
        return text(f"<html><body>\n{paragraphs}</body></html>\n", self.charset, self.encoding, kind)

    def sent(self, part: Part, *more: tuple[str, str]) -> bytes:
        """Return the whole message, its body being ``part``."""
        headers = [
            *trace(self.number),
            ("From", mailbox(self.sender, self.charset, "office@example.org")),
            ("To", mailbox("Everyone in the office", "us-ascii", "office@example.net")),
            ("Subject", encoded_words(self.subject, self.charset)),
            ("Date", date(self.number)),
            ("Message-ID", message_id(self.number)),
            *more,
        ]
        return letter(headers, part)


def draft(number: int, seed: int) -> Draft:
    """Return the draft of this number: languages, charsets and encodings take turns."""
    # A text as seed, and no choice() or shuffle(): randrange and randbytes give the same in every version of Python.
    chance = Random(f"{seed}/{number}")
    language = languages()[number % len(languages())]
    turn = number // len(languages())
    sender = language.people[chance.randrange(len(language.people))]
    rest = language.lines[1:]
    begin, count = chance.randrange(len(rest)), 1 + chance.randrange(len(rest))
    lines = [language.lines[0], *(rest[(begin + place) % len(rest)] for place in range(count))]
    return Draft(
        number=number,
        language=language,
        charset=language.charsets[turn % len(language.charsets)],
        encoding=_ENCODINGS[(number + turn) % len(_ENCODINGS)],
        subject=language.subjects[chance.randrange(len(language.subjects))],
        sender=sender,
        body="\n\n".join((language.greeting, "\n".join(lines), f"{language.closing}\n{sender}")) + "\n",
        chance=chance,
    )


def _note(one: Draft) -> bytes:
    return one.sent(one.as_text())


def _in_two_forms(one: Draft) -> bytes:
    return one.sent(multipart("alternative", [one.as_text(), one.as_text("html")], one.boundary))


def _with_document(one: Draft) -> bytes:
    document = attachment("application/pdf", pdf(f"Page of letter {one.number}"), one.language.file, one.charset)
    return one.sent(multipart("mixed", [one.as_text(), document], one.boundary))


def _with_picture(one: Draft) -> bytes:
    picture = attachment("image/png", png(24 + one.chance.randrange(64), one.chance), f"photo-{one.number}.png")
    return one.sent(multipart("mixed", [one.as_text(), picture], one.boundary))


def _with_table(one: Draft) -> bytes:
    rows = [("day", "guests", "note"), *((str(day), str(one.chance.randrange(40)), one.subject) for day in range(1, 8))]
    table = attachment("text/csv; charset=utf-8", csv(rows).encode(), f"guests {one.number}.csv")
    return one.sent(multipart("mixed", [one.as_text(), table], one.boundary))


def _reply(one: Draft) -> bytes:
    earlier = message_id(one.number - len(languages()))
    quoted = "".join(f"> {line}\n" if line else ">\n" for line in one.body.splitlines())
    answer = text(f"{one.body}\n{one.sender}:\n{quoted}", one.charset, one.encoding)
    return one.sent(answer, ("In-Reply-To", earlier), ("References", earlier))


def _invitation(one: Draft) -> bytes:
    event = appointment(one.subject, one.language.name, moment(one.number), f"{one.number}@calendar.example.org")
    calendar = text(event, "utf-8", "base64", "calendar; method=REQUEST")
    return one.sent(multipart("alternative", [one.as_text(), calendar], one.boundary))


def _newsletter(one: Draft) -> bytes:
    return one.sent(
        multipart("alternative", [one.as_text(), one.as_text("html")], one.boundary),
        ("List-Id", encoded_words("The kitchen's news", "us-ascii") + " <news.kitchen.example.org>"),
        ("List-Unsubscribe", f"<https://kitchen.example.org/leave/{one.number}>"),
        ("Precedence", "bulk"),
    )


SHAPES: dict[str, Callable[[Draft], bytes]] = {
    "note": _note,
    "text and HTML": _in_two_forms,
    "PDF attached": _with_document,
    "reply": _reply,
    "picture attached": _with_picture,
    "invitation": _invitation,
    "newsletter": _newsletter,
    "table attached": _with_table,
    "second note": _note,
}
"""Every shape by its name. Their number and that of the languages have no divisor in common, so all pairs occur."""


def shape_of(number: int) -> str:
    """Return the name of the shape that the letter of this number has."""
    return tuple(SHAPES)[number % len(SHAPES)]
