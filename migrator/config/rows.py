"""Accounts of a sheet, of which only the cells are kept: each is made again when somebody asks for it.

A ``Template`` is an account that was checked in full. Another row is of the same template if it differs in name, user,
password and folder only; what is made of it equals, to the last field, what reading it in full would have given.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from migrator.config import passwords, values
from migrator.config.many_accounts import ManyAccounts
from migrator.config.model import Account, Destination, FolderDestination, ImapDestination, Server
from migrator.config.problems import Place
from migrator.config.secrets import KeyringSecret
from migrator.config.settings import changed
from migrator.config.sheet import Line
from migrator.config.store import S3Destination

if TYPE_CHECKING:
    from migrator.config.bulk import Sheet
    from migrator.config.row_reading import Common
    from migrator.config.secrets import Secret
    from migrator.config.table import Context

Raw = Mapping[str, object]
Key = tuple[object, ...]
IsPlain = Callable[[str, str], bool]
"""Says that an absolute folder of a kind fits in with all others."""

_OWN = frozenset({"username", "password", "path"})
_PART = "\0"
_NO_TEMPLATE = 0xFFFFFFFF
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._@-]+")
"""Most names; which others can be one is looked at in full."""


class _End(NamedTuple):
    """What is a row's own in one table."""

    username: str = ""
    secret: Secret | None = None
    path: Path | None = None

    def changes(self) -> dict[str, object]:
        if self.path is not None:
            return {"path": self.path}
        own = {"username": self.username, "password": self.secret}
        return {key: value for key, value in own.items() if value}


class Templates:
    """The accounts of one sheet that were checked in full, by all that other rows must have in common with them."""

    def __init__(self, context: Context) -> None:
        """``context`` is what the tables of the sheet are read in."""
        self._context = context
        self._folder = str(context.folder)
        self._numbers: dict[Key, int] = {}
        self._accounts: list[Account] = []

    def learn(self, raw: Raw, place: Place, account: Account) -> int | None:
        """Take the account that these tables are as a template; returns its number, None where it cannot be one.

        One from which not even this account can be made again is none.
        """
        key = _key(raw)
        if key is None:
            return None
        number = self._numbers.get(key, len(self._accounts))
        if number == len(self._accounts):
            self._accounts.append(account)
            self._numbers[key] = number
        return number if self.made(number, raw, place, account.address) == account else None

    def fitting(self, raw: Raw, is_plain: IsPlain) -> int | None:
        """Return the number of a template by which the tables are an account, None where they are to be checked."""
        key = _key(raw)
        number = None if key is None else self._numbers.get(key)
        if number is None:
            return None
        account = self._accounts[number]
        if not _PLAIN_NAME.fullmatch(str(raw["name"])):
            return None
        ends = zip((account.source, *account.destinations), _tables(raw), strict=True)
        return number if all(self._is_plain(model, table, is_plain) for model, table in ends) else None

    def _is_plain(self, model: Server | Destination, table: Raw, is_plain: IsPlain) -> bool:
        """Say whether what is the row's own in a table would be taken without a word."""
        if isinstance(model, FolderDestination):
            path = table["path"]
            if not isinstance(path, str) or not path or path.startswith("~") or _PART in path:
                return False
            return is_plain(os.path.join(self._folder, path), model.type)  # noqa: PTH118  # a Path costs more
        return isinstance(model, S3Destination) or (_is_alike_for_all(model.password, table) and self._is_login(table))

    def _is_login(self, table: Raw) -> bool:
        try:
            if isinstance(table.get("password"), str):
                return bool(table["password"]) and bool(values.one_line(table.get("username", "-")))
            self._end(table)
        except ValueError:
            return False
        return True

    def made(self, number: int, raw: Raw, place: Place, address: str) -> Account:
        """Return the account that the tables are by a template which fits them."""
        template = self._accounts[number]
        name = str(raw["name"])
        place = Place(file=place.file, account=name, line=place.line)
        source, *ends = self._ends(template, raw)
        destinations = [
            _changed(model, end, place, index)
            for index, (model, end) in enumerate(zip(template.destinations, ends, strict=True))
        ]
        return Account(
            name,
            changed(template.source, source.changes()),
            tuple(destinations),
            template.schedule,
            place,
            address,
        )

    def _ends(self, template: Account, raw: Raw) -> list[_End]:
        """Return what is the row's own in its source and in each destination."""
        models = (template.source, *template.destinations)
        return [
            self._end(table, model.username if isinstance(model, Server) else "")
            for model, table in zip(models, _tables(raw), strict=True)
        ]

    def _end(self, table: Raw, common_username: str = "") -> _End:
        if "path" in table:
            return _End(path=self._context.path(str(table["path"])))
        username = values.one_line(table["username"]) if "username" in table else ""
        if "password" not in table:
            return _End(username)
        context = self._context
        return _End(
            username,
            passwords.secret(
                table["password"],
                path=context.path,
                username=username or common_username,
                withheld=context.withheld,
                kept=context.kept,
            ),
        )


def _tables(raw: Raw) -> tuple[Raw, ...]:
    """Return the tables of the ends: the source's, then those of the destinations."""
    return (cast("Raw", raw["source"]), *cast("Sequence[Raw]", raw["destinations"]))


def _is_alike_for_all(password: Secret, table: Raw) -> bool:
    """Say whether a table that has this password, or one of this kind, has it whatever account it is of."""
    return not password.is_token and ("password" in table or not isinstance(password, KeyringSecret))


def _changed(model: Destination, end: _End, place: Place, index: int) -> Destination:
    end_of_row = changed(model, end.changes())
    if isinstance(end_of_row, ImapDestination):
        return end_of_row.written_at(place.at("destinations", index))
    return end_of_row


def _key(raw: Raw) -> Key | None:
    """Return all that is not a row's own in its tables, None where a row of these cannot serve others."""
    source, destinations = raw.get("source"), raw.get("destinations")
    if not isinstance(source, Mapping) or not isinstance(destinations, list) or "name" not in raw:
        return None
    parts: list[object] = []
    for table in (source, *destinations, raw.get("schedule") or {}):
        for key, value in table.items():
            if key not in _OWN:
                parts += key, value if isinstance(value, str) else repr(value)
            elif key != "password" or isinstance(value, str):
                parts.append(key)
            else:
                kind = next(iter(value), "") if isinstance(value, Mapping) else ""
                if kind == "oauth":
                    return None
                parts.append((key, kind))
        parts.append("")
    return tuple(parts)


class Rows(ManyAccounts):
    """The accounts of one sheet, in its order."""

    def __init__(self, sheet: Sheet, common: Common, templates: Templates) -> None:
        self._columns = type(sheet)(columns=sheet.columns, line=sheet.line)
        self._common = common
        self._templates = templates
        self._numbers: dict[str, int] = {}
        self._cells = bytearray()
        self._ends = array("Q")
        self._lines = array("L")
        self._of_template = array("L")
        self._whole: dict[int, Account] = {}

    def add(self, name: str, line: Line, template: int | None, account: Account | None = None) -> None:
        """Add an account: a line of the sheet, by its template; one that has none is kept as it is."""
        number = len(self._ends)
        self._numbers[name] = number
        if template is None or any(_PART in cell for cell in line.cells):
            if account is None:
                account = self._made(line, cast("int", template))
            self._whole[number] = account
            template = _NO_TEMPLATE
        else:
            self._cells += _PART.join(line.cells).encode("utf-8", "surrogatepass")
        self._ends.append(len(self._cells))
        self._lines.append(line.number)
        self._of_template.append(template)

    def names(self) -> Iterator[str]:
        """Yield what the accounts are called, in order."""
        return iter(self._numbers)

    def named(self, name: str) -> Account | None:
        """Return the account with this name, None if there is none."""
        number = self._numbers.get(name)
        return None if number is None else self[number]

    def __len__(self) -> int:
        return len(self._ends)

    def _at(self, number: int) -> Account:
        if (whole := self._whole.get(number)) is not None:
            return whole
        begin = self._ends[number - 1] if number else 0
        cells = self._cells[begin : self._ends[number]].decode("utf-8", "surrogatepass").split(_PART)
        return self._made(Line(self._lines[number], tuple(cells)), self._of_template[number])

    def _made(self, line: Line, template: int) -> Account:
        row = self._columns.row(line)
        common = self._common
        return self._templates.made(template, common.tables(row), common.place(row), row.address)


class Accounts(ManyAccounts):
    """All accounts of a configuration: those before the rows of its sheets, those rows, and those behind."""

    def __init__(self, before: Sequence[Account], sheets: Sequence[Rows], after: Sequence[Account]) -> None:
        self._sheets = tuple(sheets)
        self._parts: tuple[Sequence[Account], ...] = (tuple(before), *sheets, tuple(after))
        self._others = {account.name: account for account in (*before, *after)}

    def names(self) -> Iterator[str]:
        """Yield what the accounts are called, in order."""
        for part in self._parts:
            yield from part.names() if isinstance(part, Rows) else (account.name for account in part)

    def named(self, name: str) -> Account | None:
        """Return the account with this name, None if there is none."""
        found = (rows.named(name) for rows in self._sheets)
        return self._others.get(name) or next((account for account in found if account is not None), None)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Account]:
        for part in self._parts:
            yield from part

    def _at(self, number: int) -> Account:
        *parts, last = self._parts
        for part in parts:
            if number < len(part):
                return part[number]
            number -= len(part)
        return last[number]
