"""A query as a condition of SQL on the search index's table ``messages``, named ``m``.

Pure. Parts that only look for words become one FTS5 expression, so that the index joins them by itself.
"""

from __future__ import annotations

from typing import assert_never

from migrator.parse.folding import words
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


def condition(query: Query) -> Condition:
    """Return the condition and the values for its question marks."""
    expression = _expression(query)
    if expression is not None:
        return "m.id in (select rowid from words where words match ?)", [expression]
    match query:
        case Not(clause):
            inner, values = condition(clause)
            return f"not coalesce(({inner}), 0)", values
        case All(clauses):
            return _joined(_grouped(clauses), " and ")
        case Any(clauses):
            return _joined(clauses, " or ")
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
            return "m.id in (select message from owners where account = ?)", [name]
        case Named(text):
            return _named(text)
        case Everything():
            return "1", []
        case _:
            assert_never(query)


def _expression(query: Query) -> str | None:
    """Return a query for words as an FTS5 expression, None where it asks for something else."""
    match query:
        case Words():
            return _phrase(query)
        case All(clauses) | Any(clauses):
            parts = [_expression(clause) for clause in clauses]
            joined = " AND " if isinstance(query, All) else " OR "
            return None if None in parts else f"({joined.join(part for part in parts if part)})"
        case _:
            return None


def _phrase(query: Words) -> str | None:
    sought = words(query.text)
    if not sought:
        return None
    column = f"{query.field} : " if query.field else ""
    star = "*" if query.is_prefix else ""
    return f'{column}"{" ".join(sought)}"{star}'


def _grouped(clauses: tuple[Query, ...]) -> tuple[Query, ...]:
    """Put the clauses that only look for words together, where there are several."""
    wordy = tuple(clause for clause in clauses if _expression(clause) is not None)
    others = tuple(clause for clause in clauses if _expression(clause) is None)
    return (All(wordy), *others) if len(wordy) > 1 and others else clauses


def _joined(clauses: tuple[Query, ...], joint: str) -> Condition:
    conditions = [condition(clause) for clause in clauses]
    return "(" + joint.join(inner for inner, _ in conditions) + ")", [v for _, values in conditions for v in values]


def _between(column: str, start: int | None, end: int | None) -> Condition:
    bounds: list[tuple[str, Value]] = []
    if start is not None:
        bounds.append((f"{column} >= ?", start))
    if end is not None:
        bounds.append((f"{column} < ?", end))
    return "(" + " and ".join(inner for inner, _ in bounds) + ")", [value for _, value in bounds]


def _named(text: str) -> Condition:
    message_id = text.strip("<> ")
    by_message_id = "m.message_id = ?"
    low = text.lower()
    if len(low) >= 8 and len(low) <= 64 and all(character in "0123456789abcdef" for character in low):
        first, last = bytes.fromhex(low.ljust(64, "0")), bytes.fromhex(low.ljust(64, "f"))
        return f"({by_message_id} or m.digest between ? and ?)", [message_id, first, last]
    return by_message_id, [message_id]
