"""The accounts that are kept in the ledger's database: a sheet becomes them, and they become a sheet.

Every row is checked beside the whole configuration, once, before any is kept: all of the good or nothing. A password
never enters the database, only what names where it comes from.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import reading
from migrator.config.bulk import Sheet, column_names
from migrator.config.problems import Place
from migrator.config.row_reading import opened_sheet
from migrator.config.sheets import TEXTS, NamedSheet, stored_sheet
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.wiring.ledger import open_ledger
from migrator.wiring.stored_accounts import keep_rows, stored_rows

if TYPE_CHECKING:
    from migrator.config import Config

_REFERENCES = "password_env, password_file, password_command or password_oauth"


@dataclass(frozen=True, slots=True)
class ImportedAccounts:
    """What became of the accounts of the database; a dry run has changed none."""

    added: Sequence[str]
    changed: Sequence[str]
    removed: Sequence[str]
    unchanged: int
    is_dry: bool

    def as_json(self) -> dict[str, object]:
        """Return the document of ``accounts import``."""
        return {
            "added": list(self.added),
            "changed": list(self.changed),
            "removed": list(self.removed),
            "unchanged": self.unchanged,
            "dry_run": self.is_dry,
        }


def import_accounts(path: Path, file: Path, *, replaces: bool = False, is_dry: bool = False) -> ImportedAccounts:
    """Keep the accounts of a sheet in the ledger's database, beside those that are there or, if so asked, instead.

    ``path`` is the configuration. All of it is durable on return, or nothing has changed. Raises ``ConfigError``, with
    a line for each row that is not right, and ``FerryError`` where the database does not answer, or somebody else has
    imported meanwhile.
    """
    config = reading.load(path)
    if not config.ledger:
        problem = "accounts are kept in the ledger's database, and the ledger of this configuration is a file"
        raise ConfigError([f'{problem}: write accounts_file = "{file}" at the top of {path} instead'])
    if any(one.resolve() == file.resolve() for one in config.files):
        raise ConfigError([f"{file} is read with {path} already: take accounts_file out of it, then import"])
    sheet = opened_sheet(file)
    _refuse_texts(sheet, file)
    if not is_dry:
        with closing(open_ledger(config)):  # the database is one, with room for a ledger
            pass
    known = stored_rows(config.ledger)
    names = {sheet.row(line).name for line in sheet.filled()}
    others = [] if replaces else [cells for cells in known if cells["name"] not in names]
    beside = stored_sheet(others, known.columns, "the database", known.revision)
    imported = NamedSheet(Place(file=str(file)), sheet)
    checked = reading.load(path, lambda _address: (beside, imported))
    if problems := [row.problem for row in checked.bad_rows if row.place and row.place.file == str(file)]:
        raise ConfigError([*problems, "nothing was imported"])
    rows = ((cells["name"], cells) for cells in map(sheet.cells, sheet.filled()))
    changes = keep_rows(config.ledger, rows, seen=known.revision, replaces=replaces, is_dry=is_dry)
    return ImportedAccounts(changes.added, changes.changed, changes.removed, changes.unchanged, is_dry)


def _refuse_texts(sheet: Sheet, file: Path) -> None:
    held = [line.number for line in sheet.filled() if sheet.cells(line).keys() & set(TEXTS)]
    if held:
        which = f"{file}, line {held[0]}" + (f" and {len(held) - 1} more" if len(held) > 1 else "")
        cure = f"name where each comes from, in a column {_REFERENCES}, or where one for all does, in [defaults.source]"
        raise ConfigError([f"{which}: a password stands in the sheet, and none may enter the database: {cure}"])


def accounts_as_csv(config: Config) -> Iterator[str]:
    """Yield the accounts that are kept in the database as a sheet that ``import_accounts`` takes back, head first.

    Raises ``ConfigError`` where the ledger is a file, ``FerryError`` where the database does not answer.
    """
    if not config.ledger:
        files = ", ".join(map(str, config.files))
        raise ConfigError([f"no accounts are kept in a database: they stand in {files}"])
    rows = stored_rows(config.ledger)
    columns = [name for name in column_names() if name in rows.columns] or ["name"]
    text = io.StringIO()
    writer = csv.writer(text)
    for cells in chain([columns], ([one.get(name, "") for name in columns] for one in rows)):
        writer.writerow(cells)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
