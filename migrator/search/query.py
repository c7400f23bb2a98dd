"""The search grammar, pure: what a person writes, to what it means.

    query   = and-query, { "or", and-query }
    and-query = clause, { ["and"], clause }
    clause  = ["not" | "-"], ( "(", query, ")" | [prefix, ":"], ( word | word* | "a phrase" ) )

The prefixes are in ``_PREFIXES`` and docs/archive.md. What looks like a prefix and is none (``http://…``, ``12:30``) is
words; where a person is likely to have meant a prefix (``frm:bob``), ``remarks`` says so. Days are those of
``zone``. Whatever is written ends in a query that the index can answer or in one ``QueryError``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from migrator.lazy_dataclasses import dataclass
from migrator.parse.folding import words
from migrator.search.field_names import about_unknown


class Field(StrEnum):
    """Where words may be looked for."""

    SENDER = "sender"
    RECIPIENTS = "recipients"
    CC = "cc"
    SUBJECT = "subject"
    LIST = "list"
    ATTACHMENTS = "attachments"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Words:
    """These words next to one another, in a field or anywhere; the last may be the beginning of one."""

    text: str
    field: Field | None = None
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """Written at or after ``start`` and before ``end`` (seconds since the epoch); None is open."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Sized:
    """Larger than, or smaller than, a number of octets; None is open."""

    over: int | None
    under: int | None


@dataclass(frozen=True, slots=True)
class WithAttachment:
    """Has an attachment."""


@dataclass(frozen=True, slots=True)
class NotParsed:
    """Could not be read by the parser: only what its headers say is known."""


@dataclass(frozen=True, slots=True)
class OfAccount:
    """Belongs to this account."""

    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """Has this Message-ID, or a digest that begins like this."""

    text: str


@dataclass(frozen=True, slots=True)
class Everything:
    """Any message."""


@dataclass(frozen=True, slots=True)
class Not:
    """Not so."""

    clause: Query


@dataclass(frozen=True, slots=True)
class All:
    """Each of these."""

    clauses: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """One of these at least."""

    clauses: tuple[Query, ...]


Simple = Words | Dated | Sized | WithAttachment | NotParsed | OfAccount | Named | Everything
Query = Simple | Not | All | Any


class QueryError(ValueError):
    """A query that cannot be understood; says what and where in words for a person."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<paren>[()])
    | (?P<minus>-)(?=[^\s)])
    | (?:(?P<prefix>[A-Za-z]+):)? (?:"(?P<phrase>[^"]*)(?P<close>"?) | (?P<word>[^\s()"]+))
    )""",
    re.VERBOSE,
)
_DEEPEST = 12
_MOST_PARTS = 1_000
_LARGEST = 2**63 - 1
"""What SQLite takes: parentheses within one another, parts, and numbers."""
_UNWRITABLE = re.compile(r"[\0\ud800-\udfff]")
"""What no database takes: bytes that were no text in the locale's charset arrive as such characters."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    prefix: str = ""
    text: str = ""
    is_phrase: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """What "today" is, and where; a ``zone`` of None is that of this machine, summer time included."""

    today: date
    zone: tzinfo | None = None

    def midnight(self, day: date) -> int:
        """Return when a day begins, in seconds since the epoch."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())


def parse(written: str, calendar: Calendar) -> Query:
    """Return what a query means. Raises ``QueryError``."""
    tokens = _tokens(written)
    if not tokens:
        raise QueryError("there is nothing to look for; write words, or from:, subject:, date: and the like")
    return _Parser(tokens, calendar).whole()


def _tokens(written: str) -> list[_Token]:
    tokens: list[_Token] = []
    written = _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", written).rstrip()
    end = len(written)
    at = 0
    while at < end:
        found = _TOKEN.match(written, at, end)
        if found is None or found.end() == at:
            raise QueryError(f"cannot make sense of {written[at:end]!r}")
        tokens.append(_token(found))
        at = found.end()
        if len(tokens) > _MOST_PARTS:
            raise QueryError(f"it has more than {_MOST_PARTS:,} parts")
    return tokens


def _token(found: re.Match[str]) -> _Token:
    if found["paren"]:
        return _Token(found["paren"])
    if found["minus"]:
        return _Token("not")
    if found["phrase"] is not None:
        if not found["close"]:
            raise QueryError(f'the quotation mark before "{found["phrase"]}" is not closed')
        return _Token("clause", (found["prefix"] or "").lower(), found["phrase"], is_phrase=True)
    word = found["word"]
    if not found["prefix"] and word.endswith(":") and word[:-1].lower() in _PREFIXES:
        raise QueryError(f"{word} needs something after the colon, without a blank")
    if not found["prefix"] and word.lower() in ("and", "or", "not"):
        return _Token(word.lower())
    return _Token("clause", (found["prefix"] or "").lower(), word)


class _Parser:
    """Recursive descent, one method per rule of the grammar."""

    def __init__(self, tokens: Sequence[_Token], calendar: Calendar) -> None:
        self._tokens = tokens
        self._calendar = calendar
        self._at = 0
        self._depth = 0

    def whole(self) -> Query:
        query = self._any()
        if self._at < len(self._tokens):
            raise QueryError("there is a ) without its (")
        return query

    @property
    def _next(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _any(self) -> Query:
        clauses = [self._all()]
        while self._next == "or":
            self._at += 1
            clauses.append(self._all())
        return clauses[0] if len(clauses) == 1 else Any(tuple(clauses))

    def _all(self) -> Query:
        clauses = [self._clause()]
        while self._next not in ("", "or", ")"):
            if self._next == "and":
                self._at += 1
            clauses.append(self._clause())
        return clauses[0] if len(clauses) == 1 else All(tuple(clauses))

    def _clause(self) -> Query:
        if self._at == len(self._tokens):
            raise QueryError("something is missing at the end")
        token = self._tokens[self._at]
        self._at += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryError("it is nested too deeply")
        try:
            match token.kind:
                case "not":
                    return Not(self._clause())
                case "(":
                    return self._group()
                case "clause":
                    return self._meaning(token)
                case _:
                    raise QueryError(f'"{token.kind}" stands where something to look for should be')
        finally:
            self._depth -= 1

    def _group(self) -> Query:
        query = self._any()
        if self._next != ")":
            raise QueryError("there is a ( without its )")
        self._at += 1
        return query

    def _meaning(self, token: _Token) -> Query:
        read = _PREFIXES.get(token.prefix)
        if token.prefix and read is None:
            return _of_no_field(token)
        if read is not None:
            return read(token, self._calendar)
        if token.text == "*" and not token.is_phrase:
            return Everything()
        return _words(token.text, None, is_phrase=token.is_phrase)


def _of_no_field(token: _Token) -> Query:
    if not _is_meant_as_field(token):
        return _words(f"{token.prefix}:{token.text}", None, is_phrase=token.is_phrase)
    return All((Words(token.prefix), _words(token.text, None, is_phrase=token.is_phrase)))


def _is_meant_as_field(token: _Token) -> bool:
    """Say whether a person is likely to have meant a field; addresses, times and drives look like one."""
    return (
        token.prefix not in _PREFIXES
        and len(token.prefix) > 1
        and token.text[:1] not in ("/", "\\")
        and ":" not in token.text
        and any(map(str.isalnum, token.text))
    )


def remarks(written: str) -> list[str]:
    """Return a sentence for each part that is likely to mean something else than was meant; raises ``QueryError``.

    These are fields that there are none of, with the nearest, and what holds nothing that the index knows.
    """
    clauses = [token for token in _tokens(written) if token.kind == "clause"]
    said = [about_unknown(one.prefix, one.text, _PREFIXES) for one in clauses if one.prefix and _is_meant_as_field(one)]
    said += [f'"{one.text}" holds no letter, digit or emoji: it is found nowhere' for one in clauses if _is_empty(one)]
    return list(dict.fromkeys(said))


def _is_empty(token: _Token) -> bool:
    if token.prefix in _IN_TEXT:
        return not words(token.text)
    is_everything = token.text == "*" and not token.is_phrase
    return token.prefix not in _PREFIXES and not is_everything and not words(token.prefix + token.text)


def _words(text: str, field: Field | None, *, is_phrase: bool) -> Words:
    is_prefix = text.endswith("*") and not is_phrase
    return Words(text.rstrip("*") if is_prefix else text, field, is_prefix)


def _in(field: Field) -> Callable[[_Token, Calendar], Query]:
    return lambda token, _calendar: _words(token.text, field, is_phrase=token.is_phrase)


def _has(token: _Token, _calendar: Calendar) -> Query:
    match token.text.lower():
        case "attachment" | "attachments":
            return WithAttachment()
        case "problem":
            return NotParsed()
        case _:
            raise QueryError(f"has:{token.text} is not known; has:attachment and has:problem are")


# --------------------------------------------------------------------------------------------- sizes, days

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]?)(i?)b?\Z", re.I)
_DAY = re.compile(r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2}))?)?\Z")
_AGO = re.compile(r"(\d{1,5})\s*(d|w|m|y)(?:ays?|eeks?|onths?|ears?)?\Z", re.I)
_AGO_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


def _size(token: _Token) -> int:
    found = _SIZE.match(token.text.strip())
    if not found:
        raise QueryError(f"{token.prefix}:{token.text} is not a size; write 500kB, 2MB or a number of bytes")
    octets = float(found[1]) * (1024 if found[3] else 1000) ** " kmg".index(found[2].lower() or " ")
    return int(octets) if octets < _LARGEST else _LARGEST - 1


def _date_range(token: _Token, calendar: Calendar) -> Query:
    first, dots, last = token.text.partition("..")
    if not dots:
        start, end = _day(token, first, calendar)
        return Dated(start, end)
    if not first and not last:
        raise QueryError("date:.. needs a day before or after the dots")
    return Dated(_day(token, first, calendar)[0] if first else None, _day(token, last, calendar)[1] if last else None)


def _day(token: _Token, written: str, calendar: Calendar) -> tuple[int, int]:
    """Return where a day, a month or a year begins and ends."""
    try:
        first, after = _days(written.strip().lower(), calendar.today)
        return calendar.midnight(first), calendar.midnight(after)
    except (ValueError, OverflowError, OSError) as error:
        known = "2024, 2024-05, 2024-05-31, today, yesterday or 30d (30 days ago)"
        raise QueryError(f"{token.prefix}:{token.text}: {written!r} is not a day; write {known}") from error


def _days(written: str, today: date) -> tuple[date, date]:
    one = timedelta(days=1)
    if written in ("today", "yesterday"):
        day = today if written == "today" else today - one
        return day, day + one
    if found := _AGO.match(written):
        day = today - timedelta(days=int(found[1]) * _AGO_DAYS[found[2].lower()])
        return day, day + one
    if not (found := _DAY.match(written)):
        raise ValueError(written)
    year = int(found[1])
    if not found[2]:
        return date(year, 1, 1), date(year + 1, 1, 1)
    month = int(found[2])
    if not found[3]:
        return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    day = date(year, month, int(found[3]))
    return day, day + one


_IN_TEXT = frozenset({"from", "to", "cc", "subject", "body", "attachment", "list"})
_PREFIXES: dict[str, Callable[[_Token, Calendar], Query]] = {
    "from": _in(Field.SENDER),
    "to": _in(Field.RECIPIENTS),
    "cc": _in(Field.CC),
    "subject": _in(Field.SUBJECT),
    "body": _in(Field.BODY),
    "attachment": _in(Field.ATTACHMENTS),
    "list": _in(Field.LIST),
    "account": lambda token, _: OfAccount(token.text),
    "id": lambda token, _: Named(token.text),
    "has": _has,
    "before": lambda token, calendar: Dated(None, _day(token, token.text, calendar)[0]),
    "after": lambda token, calendar: Dated(_day(token, token.text, calendar)[0], None),
    "date": _date_range,
    "larger": lambda token, _: Sized(_size(token), None),
    "smaller": lambda token, _: Sized(None, _size(token)),
}
