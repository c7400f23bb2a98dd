"""The sheets of a configuration: the ``accounts_file``, and the accounts that are kept in the ledger's database.

Where the latter come from is not known here: a ``StoredSheets`` reads them at the database's address.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from migrator.config.bulk import Sheet, column_names
from migrator.config.model import BadRow
from migrator.config.problems import Place
from migrator.config.row_reading import Common, Folders, Judge, Servers, read_rows
from migrator.config.rows import Rows
from migrator.config.sheet import Line
from migrator.config.table import Context
from migrator.lazy_dataclasses import dataclass, field

TEXTS = ("password", "imap_password")
"""Columns of passwords as they are, which stand in a file of one machine and never in a database."""
HEAD = 1
"""The line of a sheet that names its columns."""


@dataclass(frozen=True, slots=True)
class NamedSheet:
    """A sheet and what it is called; ``revision`` is another one when its rows are others, empty for a file's."""

    place: Place
    sheet: Sheet
    revision: str = ""
    servers: Servers = field(default_factory=dict)


StoredSheets = Callable[[str], Sequence[NamedSheet]]
"""Returns the sheets that are kept in the database at an address; raises ``FerryError`` where it does not answer."""


def stored_sheet(rows: Iterable[Mapping[str, str]], columns: Collection[str], where: str, revision: str) -> NamedSheet:
    """Return the sheet of rows that are cells by their columns; they are gone through several times."""
    known = tuple(name for name in column_names() if name in columns and name not in TEXTS)
    strange = tuple(sorted(set(columns) - set(known)))
    place = Place(file=where, is_stored=True)
    return NamedSheet(place, Sheet(_StoredLines(rows, known, strange), known, HEAD), revision)


@dataclass(frozen=True, slots=True)
class _StoredLines:
    rows: Iterable[Mapping[str, str]]
    columns: tuple[str, ...]
    strange: tuple[str, ...]
    """Columns that only a newer program knows, or that hold what must not stand there."""

    def __iter__(self) -> Iterator[Line]:
        for number, cells in enumerate(self.rows, HEAD + 1):
            problems = [_problem(name) for name in self.strange if name in cells]
            yield Line(number, tuple(cells.get(name, "") for name in self.columns), "; ".join(problems))


def _problem(column: str) -> str:
    return "a password stands in the database" if column in TEXTS else f'unknown column "{column}"'


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rows of all sheets are read in: the context, where mail goes of which a row does not say it, folders."""

    context: Context
    destination: Mapping[str, object]
    folders: Folders
    judge: Judge


def read_sheets(
    sheets: Sequence[NamedSheet], taken: Collection[object], around: Surroundings
) -> tuple[list[Rows], list[BadRow]]:
    """Return the accounts of each sheet, and of all other rows why they are none; ``taken`` are names of others."""
    rows: list[Rows] = []
    bad: list[BadRow] = []
    for one in sheets:
        common = Common(one.place, around.context, taken, around.destination, one.servers)
        found, bad_of_it = read_rows(one.sheet, common, around.judge, around.folders)
        rows.append(found)
        bad += bad_of_it
        if one is not sheets[-1]:
            taken = {*taken, *found.names()}
    return rows, bad
