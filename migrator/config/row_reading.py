"""From the rows of a sheet to accounts: each by itself, what is wrong with one hinders no other.

A sheet may have a hundred thousand rows. So the tables of a row are checked in full once for all rows that differ only
in what names one person: name, user, password, folder. Of the others these are looked at, and whatever is not plainly
right there is checked in full, too, which finds the words for it. What is kept of a row are its cells (``rows``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from migrator.config import sheet
from migrator.config.bulk import Row, Sheet, sheet_of
from migrator.config.model import Account, BadRow
from migrator.config.problems import Place
from migrator.config.rows import Rows, Templates
from migrator.config.table import Context
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field, replace

Raw = Mapping[str, object]
Judge = Callable[[Raw, Place], tuple[Account | None, Sequence[str]]]
"""Returns the account that a table is, and what is wrong with it."""

Servers = Mapping[str, Raw]
"""By address, in small letters: keys of ``[accounts.source]``."""

_NO_HOST = ": host: is missing"
_PARENTS = 1_000


def opened_sheet(path: Path) -> Sheet:
    """Return a sheet; raises ``ConfigError`` where it cannot be read, or its first row is no head."""
    found = sheet_of(sheet.opened(path))
    if found.problem:
        raise ConfigError([Place(file=str(path), line=found.line).say(found.problem)])
    return found


@dataclass(frozen=True, slots=True)
class Folders:
    """Which kind of archive each folder holds that has been seen, by where it really is; and where the state is."""

    state_dir: Path
    kinds: dict[str, str] = field(default_factory=dict)
    _real: dict[str, str] = field(default_factory=dict)
    _forbidden: set[str] = field(default_factory=set)

    def is_plain(self, path: str, kind: str) -> bool:
        """Say that an absolute folder is no symbolic link, and fits in with all others; then it is one of them."""
        if not self._forbidden:
            state_dir = self.state_dir.resolve()
            self._forbidden.update(map(str, (state_dir, *state_dir.parents)))
        parent, name = os.path.split(path)
        real = f"{self._real_parent(parent)}{os.sep}{name}"
        if name in {"", os.curdir, os.pardir} or real in self._forbidden or os.path.islink(real):  # noqa: PTH114  # a Path costs more than the look
            return False
        return self.kinds.setdefault(real, kind) == kind

    def _real_parent(self, parent: str) -> str:
        known = self._real.get(parent)
        if known is None:
            if len(self._real) >= _PARENTS:
                self._real.clear()
            known = self._real[parent] = os.path.realpath(parent).rstrip(os.sep)
        return known


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for all rows of a sheet, which ``sheet`` names.

    ``taken`` are names that other accounts have; ``destination`` is where mail goes of which the row does not say it;
    ``servers`` are those that were found for the addresses of rows without a host.
    """

    sheet: Place
    context: Context
    taken: Collection[object]
    destination: Raw
    servers: Servers

    def tables(self, row: Row) -> Raw:
        """Return the tables of a row, completed by what it does not say."""
        return _with_server(_with_destination(row, self.destination), row, self.servers)

    def place(self, row: Row) -> Place:
        """Return where a row stands."""
        return replace(self.sheet, line=row.line)


def read_rows(found: Sheet, common: Common, judge: Judge, folders: Folders) -> tuple[Rows, list[BadRow]]:
    """Return the accounts of a sheet, and of the other rows why they are none."""
    templates = Templates(common.context)
    rows, bad = Rows(found, common, templates), []
    for line, row in found.rows():
        place = common.place(row)
        problem = row.problem
        if not problem and row.name in common.taken:
            problem = f'another account is named "{row.name}"'
        if problem:
            said = replace(place, account=row.name if place.is_stored else "").say(problem)
            bad.append(BadRow(row.name, row.address, said, place=place))
            continue
        raw = common.tables(row)
        template = templates.fitting(raw, folders.is_plain)
        if template is not None:
            rows.add(row.name, line, template)
            continue
        account, problems = judge(raw, place)
        if account is not None and not problems:
            account = replace(account, address=row.address)
            rows.add(row.name, line, templates.learn(raw, place, account), account)
        else:
            lacks_host = bool(row.address) and [one for one in problems if not one.endswith(_NO_HOST)] == []
            bad.append(BadRow(row.name, row.address, "; ".join(problems), lacks_host and not place.is_stored, place))
    return rows, bad


def _with_server(account: Raw, row: Row, servers: Servers) -> Raw:
    """Return an account at the server that was found for its address, where it says no host itself."""
    source, found = account.get("source"), servers.get(row.address.lower())
    if found is None or not isinstance(source, Mapping) or "host" in source:
        return account
    own = {key: value for key, value in source.items() if key != "username" or row.has_username}
    return {**account, "source": {**found, **own}}


def _with_destination(row: Row, destination: Raw) -> Raw:
    if row.account.get("destinations"):
        return row.account
    place = {"type": "mbox", "path": "archive/{name}"} if "type" not in destination else dict(destination)
    if isinstance(path := place.get("path"), str):
        place["path"] = path.replace("{name}", quote(row.name, safe="@+"))
    return {**row.account, "destinations": [place]}
