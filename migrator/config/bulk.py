"""Many accounts in one sheet (``accounts_file``): a row becomes the tables of an account, or says why it cannot.

The first row names the columns, in any case and spacing: ``name``, ``address``, any key of ``[accounts.source]``,
``mbox`` and ``maildir`` (a path each), ``imap_`` and any key of a destination of type imap, ``every`` or ``cron``. A
password's column is ``password`` (text) or ``password_env``, ``password_file`` and so on. The names that imapsync,
Microsoft and MigrationWiz give to columns mean what they mean there. An empty cell is a key that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

from migrator.config.passwords import SOURCES
from migrator.config.problems import nearest
from migrator.config.server_tables import ImapTable, SourceTable
from migrator.config.sheet import Line
from migrator.config.worker_tables import ScheduleTable
from migrator.lazy_dataclasses import dataclass, replace

ALIASES = {
    # imapsync
    "host1": "host",
    "user1": "username",
    "password1": "password",
    "host2": "imap_host",
    "user2": "imap_username",
    "password2": "imap_password",
    # Microsoft's list for a migration by IMAP
    "EmailAddress": "address",
    "UserName": "username",
    "Password": "password",
    # MigrationWiz
    "Source Email": "address",
    "Source Login Name": "username",
    "Source Password": "password",
    "Destination Email": "imap_address",
    "Destination Login Name": "imap_username",
    "Destination Password": "imap_password",
    "Flags": "",
}
"""What other programs call columns, and what these are here; one without a meaning is passed over."""

PASSWORD_COLUMNS = tuple(f"password_{source}" for source in SOURCES if source != "vault")
"""Where a password comes from; the vault is filled by the page, which has no sheet."""
_OWN = ("name", "address", "mbox", "maildir")
_TELLING = ("name", "address", "username")
"""Columns of which one must be there: an account has a name."""
_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False}
_VARIABLES = frozenset({"password_env", "imap_password_env"})
_PASSWORDS = _VARIABLES | {"password", "imap_password"}


@dataclass(frozen=True, slots=True)
class Row:
    """One account of the sheet in the form of the file's tables, or what is wrong with its line."""

    line: int
    account: Mapping[str, object]
    problem: str = ""
    address: str = ""
    has_username: bool = False
    """Whether the name to log in with is the row's own, and not its address for want of one."""

    @property
    def name(self) -> str:
        """What the account is called."""
        return str(self.account.get("name", ""))


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole sheet: its columns and its lines, and what is wrong with it as a whole (then it has no rows)."""

    lines: Iterable[Line] = ()
    columns: tuple[str | None, ...] = ()
    line: int = 1
    """The number of the first row, which names the columns."""
    problem: str = ""

    def filled(self) -> Iterator[Line]:
        """Yield the lines that are to be accounts, one at a time."""
        for line in self.lines:
            if line.number > self.line and (line.problem or not line.is_empty):
                yield line

    def rows(self) -> Iterator[tuple[Line, Row]]:
        """Yield every line with what it is."""
        names: dict[str, int] = {}
        for line in self.filled():
            row = self.row(line)
            first = names.setdefault(row.name, row.line) if row.name else row.line
            if first != row.line and not row.problem:
                row = replace(row, problem=f'the name "{row.name}" stands in line {first} already')
            yield line, row

    def row(self, line: Line) -> Row:
        """Return what a line is by itself."""
        return _row(line, self.columns)

    def cells(self, line: Line) -> dict[str, str]:
        """Return what stands in a line, by the columns' names here, with the name that its account has."""
        name = self.row(line).name
        filled = {
            name: cell.strip() for name, cell in zip(self.columns, line.cells, strict=False) if name and cell.strip()
        }
        return {"name": name} | filled if name else filled

    def passwords(self) -> list[Mapping[str, object]]:
        """Return which variables hold passwords, and one password that stands in the sheet if any does."""
        places = [(number, column) for number, column in enumerate(self.columns) if column in _PASSWORDS]
        found = {
            (column, cell if column in _VARIABLES else "")
            for line in (self.filled() if places else ())
            for number, column in places
            if number < len(line.cells) and (cell := line.cells[number].strip())
        }
        return [{"password": {"env": cell} if column in _VARIABLES else "-"} for column, cell in found]


def sheet_of(lines: Iterable[Line]) -> Sheet:
    """Return a sheet of these lines, which will be gone through several times."""
    head = next((line for line in lines if not line.is_empty or line.problem), Line(1, ()))
    columns = tuple(_column(name) for name in head.cells)
    if problem := head.problem or _unusable(head.cells, columns):
        return Sheet(line=head.number, problem=problem)
    return Sheet(lines, columns, head.number)


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name).casefold()


def column_names() -> list[str]:
    """Return what a column may be called here, besides the names that other programs use."""
    imap = {f"imap_{key}" for key in {*ImapTable.key_names(), *PASSWORD_COLUMNS} - {"type"}}
    return [*_OWN, *sorted({*ScheduleTable.key_names(), *SourceTable.key_names(), *PASSWORD_COLUMNS}), *sorted(imap)]


def _column(written: str) -> str | None:
    """Return the column that is meant; empty for one that is passed over, None for one that is not known."""
    if not written.strip():
        return ""
    known = {_plain(name): meaning for name, meaning in ALIASES.items()}
    known |= {_plain(name): name for name in column_names()}
    return known.get(_plain(written))


def _unusable(written: Sequence[str], columns: Sequence[str | None]) -> str:
    names = [column for column in columns if column]
    if not set(names) & set(_TELLING):
        return (
            f"the first row must name the columns, and one of them must be {', '.join(_TELLING[:-1])} or {_TELLING[-1]}"
        )
    known = column_names()
    pairs = zip(written, columns, strict=True)
    strange = [
        f'unknown column "{name.strip()}"{nearest(name.strip(), known)}' for name, column in pairs if column is None
    ]
    repeated = [f'the column "{column}" stands twice' for column in sorted(set(names)) if names.count(column) > 1]
    return "; ".join(strange + repeated)


def _row(line: Line, columns: Sequence[str | None]) -> Row:
    cells = line.cells
    tables: tuple[dict[str, object], ...] = ({}, {}, {}, {})
    for column, table, key, read in _meanings(tuple(columns)):
        if column < len(cells) and (cell := cells[column].strip()):
            tables[table][key] = read(cell) if read else cell
    own, source = tables[_ACCOUNT], tables[_SOURCE]
    address, has_username = str(own.get("address", "")), "username" in source
    if address:
        source.setdefault("username", address)
    problem = line.problem
    if not problem and any(cell.strip() for cell in cells[len(columns) :]):
        problem = f"has {len(cells)} cells, but there are {len(columns)} columns"
    # Where the sheet has a column for names, a row without one has none.
    name = own.get("name") or ("" if "name" in columns else _name_of(address, source))
    account: dict[str, object] = {"name": name} if name else {}
    if schedule := tables[_SCHEDULE]:
        account["schedule"] = schedule
    account |= {"source": source, "destinations": _destinations(own, tables[_IMAP])}
    return Row(line.number, account, problem, address, has_username)


def _destinations(own: Mapping[str, object], imap: dict[str, object]) -> list[object]:
    destinations: list[object] = [{"type": kind, "path": own[kind]} for kind in ("mbox", "maildir") if kind in own]
    if imap:
        if mailbox := imap.pop("address", ""):
            imap.setdefault("username", mailbox)
        destinations.append({"type": "imap", **imap})
    return destinations


_ACCOUNT, _SOURCE, _IMAP, _SCHEDULE = range(4)
"""The tables that the cells of a row belong to."""


class _Meaning(NamedTuple):
    """What the cells of a column are: the table, the key, and how they are read where they are more than text."""

    column: int
    table: int
    key: str
    read: Callable[[str], object] | None


@cache
def _meanings(columns: Sequence[str | None]) -> Sequence[_Meaning]:
    """Return what the columns mean, worked out once for all rows of a sheet."""
    return [_meaning(column, name) for column, name in enumerate(columns) if name]


def _meaning(column: int, name: str) -> _Meaning:
    if name in _OWN:
        return _Meaning(column, _ACCOUNT, name, None)
    if name in ScheduleTable.key_names():
        return _Meaning(column, _SCHEDULE, name, None)
    table = _IMAP if name.startswith("imap_") else _SOURCE
    key = name.removeprefix("imap_")
    if key.startswith("password_"):
        return _Meaning(column, table, "password", partial(_password, key.removeprefix("password_")))
    return _Meaning(column, table, key, _READ.get(key))


def _password(source: str, cell: str) -> object:
    return {source: cell}


def _number(cell: str) -> object:
    return int(cell) if cell.isdecimal() else cell


def _truth(cell: str) -> object:
    return _BOOLEANS.get(cell.lower(), cell)


_READ: Mapping[str, Callable[[str], object]] = (
    dict.fromkeys(("port", "max_connections"), _number)
    | dict.fromkeys(("allow_plaintext", "leave_on_server", "seen"), _truth)
    | dict.fromkeys(("flags", "keywords"), str.split)
)
"""How a cell is read that is more than text, by its key."""


def _name_of(address: str, source: Mapping[str, object]) -> str:
    """Return what an account is called that has no name: its address, or user and host."""
    username, host = str(source.get("username", "")), source.get("host")
    named = address or (username if "@" in username or not host or not username else f"{username}@{host}")
    return "".join(one if one.isalnum() or one in "._-@" else "_" for one in named)
