"""The seam between the ledger and the database it is in: what every statement and every transaction relies on.

Statements are written once, in what SQLite understands; what another database says otherwise is translated.
A table of numbers, or of texts, comes as one JSON array: ``json_each(?)`` are numbers, ``json_each(?, '$')`` texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from migrator.ledger.parts import Parts

from migrator.ledger.lease import Lease

Values = Sequence[Any] | Mapping[str, Any]
"""What stands for ``?`` and ``?1``, in order, or for ``:name``, by name."""


def texts(values: Iterable[str]) -> str:
    """Return texts, each once, as a statement takes them with ``json_each(?, '$')``."""
    return json.dumps(list(dict.fromkeys(values)))


class Rows(Protocol):
    """What a statement answers."""

    def fetchone(self) -> Any:  # noqa: ANN401  # a row is what its statement says
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Sql(Protocol):
    """A database that is open; every statement is a transaction of its own unless it is part of one."""

    def execute(self, statement: str, values: Values = ..., /) -> Rows:
        """Run one statement."""

    def executemany(self, statement: str, rows: Iterable[Values], /) -> object:
        """Run one statement for each of these rows of values."""


class Opener(Protocol):
    """A small value that opens the same database in another process; it can be pickled and holds no password."""

    def open(self) -> Database:
        """Open it; raises ``FerryError``."""


class Database(Protocol):
    """An open ledger database; safe to share between the threads of one run. All of it raises ``FerryError``."""

    def transaction(self, *, is_long: bool = False) -> AbstractContextManager[Sql]:
        """Write all of it durably or nothing of it; inside another transaction, as a part of that one.

        A long one changes a whole archive, and has statements that may take minutes.
        """

    def reading(self) -> AbstractContextManager[Sql]:
        """Read; other threads of this database wait."""

    def scratch(self) -> AbstractContextManager[Sql]:
        """Change temporary tables, all or nothing; the database itself is only read."""

    def filled(self, table: str) -> None:
        """Note that a temporary table was filled, and will be searched."""

    def problems(self) -> list[str]:
        """Check the whole database and its rules; empty when all is well."""

    def weaknesses(self) -> list[str]:
        """Return the settings and rules in which a promise may not hold, each with what it should be."""

    def is_there(self) -> bool:
        """Say whether this is the ledger itself, and nothing that stands in for one."""

    def backup_command(self) -> str:
        """Return the command that makes a consistent copy where ``copy_to`` does not, empty where it does."""

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the database to a new file (0600), synced, while others write."""

    def parts(self) -> Parts:
        """Return the classes that speak to this database."""

    def another(self) -> Database:
        """Open the same database once more, for another run of this process."""

    def opener(self) -> Opener:
        """Return what opens the same database in another process."""

    @property
    def lease(self) -> Lease:
        """All that is owned through this database; every transaction is refused once another owns some of it."""

    def owning(self, name: str, patience: float = 0.0) -> AbstractContextManager[None]:
        """Own what this names as the only one on any machine; raises ``locked`` after that many seconds of waiting.

        Where one machine has the database to itself, kernel locks are enough, and this does nothing.
        """

    def rest(self) -> None:
        """Give back the memory that only makes reading again quick."""

    def close(self) -> None:
        """Close the database; what was committed stays."""
