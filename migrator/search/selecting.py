"""A query as a statement that yields the numbers of messages, newest first, and reads no more than it must.

Pure. Words are looked for first, as one FTS5 expression: it yields numbers in their order, so that a page ends where it
is full. Whose a message is, is looked up in a set made beforehand, or message by message where that set would be large.
What else is asked for is looked up in an index of its own, narrower than the messages.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.lazy_dataclasses import dataclass, field
from migrator.search.numbers import span
from migrator.search.query import All, Any, Dated, Everything, Not, OfAccount, Query
from migrator.search.sql import Value, asks_for_places, condition, expression

LARGE = 100_000
"""From that many messages on, those of some accounts are no set that is quickly made."""

Statement = tuple[str, list[Value]]


@dataclass(slots=True)
class Selection:
    """What a query asks for, taken apart: all of it must be so.

    ``words`` is an FTS5 expression, and ``has_places`` tells whether it asks where words stand; each of ``owners`` are
    accounts of which one must have the message; ``above`` and ``below`` are numbers between which it must be; ``rest``
    are conditions on the table ``messages``, named ``m``.
    """

    words: str | None = None
    has_places: bool = False
    owners: list[list[str]] = field(default_factory=list)
    above: int | None = None
    below: int | None = None
    rest: list[Query] = field(default_factory=list)

    @property
    def is_soon_counted(self) -> bool:
        """Whether nothing but words is looked for, in any order: to count those costs next to nothing."""
        return self.words is not None and not self.has_places and not self.owners and not self.rest


def selection(query: Query) -> Selection:
    """Take a query apart."""
    chosen = Selection()
    wanted: list[Query] = []
    unwanted: list[Query] = []
    for clause in _clauses(query):
        if expression(clause) is not None:
            wanted.append(clause)
        elif isinstance(clause, Not) and expression(clause.clause) is not None:
            unwanted.append(clause.clause)
        elif (names := _names(clause)) is not None:
            chosen.owners.append(names)
        elif not isinstance(clause, Everything):
            chosen.rest.append(clause)
        if isinstance(clause, Dated):
            _narrow(chosen, clause)
    if wanted:
        chosen.words = expression(All(tuple(wanted)))
        chosen.has_places = any(map(asks_for_places, [*wanted, *unwanted]))
        if unwanted:
            chosen.words = f"{chosen.words} NOT {expression(Any(tuple(unwanted)))}"
    else:
        chosen.rest += [Not(clause) for clause in unwanted]
    return chosen


def _clauses(query: Query) -> Iterator[Query]:
    """Yield what must all be so."""
    if not isinstance(query, All):
        yield query
        return
    for clause in query.clauses:
        yield from _clauses(clause)


def _names(clause: Query) -> list[str] | None:
    """Return the accounts of which a clause wants one, None where it wants something else."""
    if isinstance(clause, OfAccount):
        return [clause.name]
    if isinstance(clause, Any):
        names = [one.name for one in clause.clauses if isinstance(one, OfAccount)]
        return names if names and len(names) == len(clause.clauses) else None
    return None


def _narrow(chosen: Selection, dated: Dated) -> None:
    above, below = span(dated.start, dated.end)
    if above is not None:
        chosen.above = max(above, chosen.above or 0)
    if below is not None:
        chosen.below = below if chosen.below is None else min(below, chosen.below)


def owned_by(names: list[str]) -> Statement:
    """Return what counts the messages of some accounts, but no more than ``LARGE``."""
    marks = ", ".join("?" * len(names))
    statement = f"select count(*) from (select 1 from owners where account in ({marks}) limit {LARGE})"  # noqa: S608
    return statement, [*names]


def numbers(chosen: Selection, *, many: list[bool], has_orphans: bool) -> Statement:
    """Return what yields the numbers of everything that was chosen, in no order.

    ``many`` says of each of the owners whether they have many messages; ``has_orphans`` that there are words of
    messages which are gone.
    """
    number = "m.id" if chosen.words is None else "w.rowid"
    parts: list[str] = []
    values: list[Value] = []
    if chosen.words is not None:
        parts.append("w.words match ?")
        values.append(chosen.words)
    for bound, sign in ((chosen.above, ">="), (chosen.below, "<")):
        if bound is not None:
            parts.append(f"{number} {sign} ?")
            values.append(bound)
    for names, is_many in zip(chosen.owners, many, strict=True):
        parts.append(_owned(number, len(names), is_many=is_many, is_first=chosen.words is None))
        values += names
    for clause in chosen.rest:
        where, its_values = condition(clause)
        parts.append(where)
        values += its_values
    if chosen.words is None:
        return f"select m.id as number from messages m where {' and '.join(parts) or '1'}", values  # noqa: S608  # ours
    beside = " cross join messages m indexed by messages_by_traits on m.id = w.rowid" if chosen.rest else ""
    if has_orphans and not chosen.rest:
        parts.append("+w.rowid not in (select number from orphans)")
    return f"select w.rowid as number from words w{beside} where {' and '.join(parts)}", values  # noqa: S608  # ours


def _owned(number: str, names: int, *, is_many: bool, is_first: bool) -> str:
    """Return the condition that a message belongs to one of some accounts.

    The sign keeps SQLite from asking for the words of each of them, which costs more than going through the words.
    """
    marks = ", ".join("?" * names)
    if is_many:
        return f"exists (select 1 from owners o where o.message = {number} and o.account in ({marks}))"  # noqa: S608
    sign = "" if is_first else "+"
    return f"{sign}{number} in (select message from owners where account in ({marks}))"  # noqa: S608  # marks only


def counted(chosen: Statement, most: int | None) -> Statement:
    """Return what counts the numbers of a statement, no more than ``most``."""
    statement, values = chosen
    return f"select count(*) from ({statement} limit ?)", [*values, -1 if most is None else most]  # noqa: S608  # ours


def newest(chosen: Statement, limit: int | None) -> Statement:
    """Return what yields the greatest numbers of a statement, at most ``limit``, the greatest first."""
    statement, values = chosen
    return f"{statement} order by number desc limit ?", [*values, -1 if limit is None else limit]
