"""A query as a condition of SQL on the search index's table ``messages``, named ``m``.

Pure. Parts that only look for words become one FTS5 expression, so that the index joins them by itself.
"""

from __future__ import annotations

from typing import assert_never

from migrator.parse.folding import is_picture, words
from migrator.search.keys import message_key
from migrator.search.query import (
    All,
    Any,
    Dated,
    Everything,
    Named,
    Not,
    NotParsed,
    OfAccount,
    Query,
    Simple,
    Sized,
    WithAttachment,
    Words,
)

Value = str | int | bytes
Condition = tuple[str, list[Value]]


_MATCHING = "m.id in (select rowid from words where words match ?)"


def condition(query: Query) -> Condition:
    """Return the condition and the values for its question marks."""
    sought = expression(query)
    if sought is not None:
        return _MATCHING, [sought]
    match query:
        case Not(clause):
            inner, values = condition(clause)
            return f"not coalesce(({inner}), 0)", values
        case All(clauses):
            return _joined(_grouped(clauses), " and ")
        case Any(clauses):
            names = [clause.name for clause in clauses if isinstance(clause, OfAccount)]
            return _owned(names) if len(names) == len(clauses) else _joined(clauses, " or ")
        case _:
            return _simple(query)


def _simple(query: Simple) -> Condition:
    match query:
        case Words():
            return "0", []  # nothing but punctuation stands nowhere
        case Dated(start, end):
            return _between("m.date", start, end)
        case Sized(over, under):
            return _between("m.octets", None if over is None else over + 1, under)
        case WithAttachment():
            return "m.attachments > 0", []
        case NotParsed():
            return "m.problem != ''", []
        case OfAccount(name):
            return _owned([name])
        case Named(text):
            return _named(text)
        case Everything():
            return "1", []
        case _:
            assert_never(query)


def _owned(accounts: list[str]) -> Condition:
    marks = ", ".join("?" * len(accounts))
    return f"m.id in (select message from owners where account in ({marks}))", [*accounts]  # noqa: S608  # marks only


def expression(query: Query) -> str | None:
    """Return a query for words as an FTS5 expression, None where it asks for something else."""
    match query:
        case Words():
            return _phrase(query)
        case All(clauses) | Any(clauses):
            parts = [expression(clause) for clause in clauses]
            joined = " AND " if isinstance(query, All) else " OR "
            return None if None in parts else f"({joined.join(part for part in parts if part)})"
        case _:
            return None


def _phrase(query: Words) -> str | None:
    """Return the words next to one another, and each picture among them anywhere in the same place."""
    sought = words(query.text)
    letters = " ".join(word for word in sought if not is_picture(word))
    star = "*" if query.is_prefix else ""
    parts = [f'"{letters}"{star}'] if letters else []
    parts += [f'"{word}"' for word in sought if is_picture(word)]
    if not parts:
        return None
    column = f"{query.field} : " if query.field else ""
    return f"({' AND '.join(f'{column}{part}' for part in parts)})" if len(parts) > 1 else f"{column}{parts[0]}"


def asks_for_places(query: Query) -> bool:
    """Say whether a query wants words next to one another: then every place of each of them is gone through."""
    match query:
        case Words():
            return len([word for word in words(query.text) if not is_picture(word)]) > 1
        case All(clauses) | Any(clauses):
            return any(map(asks_for_places, clauses))
        case _:
            return False


def _grouped(clauses: tuple[Query, ...]) -> tuple[Query, ...]:
    """Put the clauses that only look for words together, where there are several."""
    wordy = tuple(clause for clause in clauses if expression(clause) is not None)
    others = tuple(clause for clause in clauses if expression(clause) is None)
    return (All(wordy), *others) if len(wordy) > 1 and others else clauses


def _joined(clauses: tuple[Query, ...], joint: str) -> Condition:
    """Join conditions in halves: SQLite takes no expression of more than 1,000 levels, and has a level for each."""
    if len(clauses) == 1:
        return condition(clauses[0])
    middle = len(clauses) // 2
    (first, some), (second, others) = _joined(clauses[:middle], joint), _joined(clauses[middle:], joint)
    return f"({first}{joint}{second})", [*some, *others]


def _between(column: str, start: int | None, end: int | None) -> Condition:
    bounds: list[tuple[str, Value]] = []
    if start is not None:
        bounds.append((f"{column} >= ?", start))
    if end is not None:
        bounds.append((f"{column} < ?", end))
    return "(" + " and ".join(inner for inner, _ in bounds) + ")", [value for _, value in bounds]


def _named(text: str) -> Condition:
    key = message_key(text)
    by_message_id: Condition = ("0", []) if key is None else ("m.message_key = ?", [key])
    low = text.lower()
    if len(low) >= 8 and len(low) <= 64 and all(character in "0123456789abcdef" for character in low):
        first, last = bytes.fromhex(low.ljust(64, "0")), bytes.fromhex(low.ljust(64, "f"))
        by_digest = "(substr(m.digest, 1, 8) between ? and ? and m.digest between ? and ?)"
        where, values = by_message_id
        return f"({where} or {by_digest})", [*values, first[:8], last[:8], first, last]
    return by_message_id
