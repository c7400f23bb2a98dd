"""The configuration with the accounts that are kept in the ledger's database: what a program works by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import Config, loading
from migrator.ledger import with_psycopg

if TYPE_CHECKING:
    from migrator.config.sheets import NamedSheet
    from migrator.ledger.postgres.account_rows import Changes, KeptRows


def load(path: Path) -> Config:
    """Read and check a configuration with all its accounts; raises ``ConfigError``.

    Where the database cannot be read, ``Config.unread`` says so, and its accounts are missing.
    """
    return loading.load(path, stored_sheets)


def load_quickly(path: Path) -> Config:
    """Do as ``load`` does, and take over what an earlier command of this user has found of the same files."""
    return loading.load_quickly(path, stored_sheets)


def load_instead(path: Path, file: Path, text: str) -> Config:
    """Check a configuration as it will be once one of its files has another text; raises ``ConfigError``."""
    from migrator.config import reading

    return reading.load_instead(path, file, text, stored_sheets)


def stored_sheets(address: str) -> Sequence[NamedSheet]:
    """Return the accounts that are kept in the database at an address, as a sheet; raises ``FerryError``."""
    from migrator.config.sheets import stored_sheet

    rows = stored_rows(address)
    with with_psycopg():
        from migrator.ledger.postgres.connection import shown
    return (stored_sheet(rows, rows.columns, f"the database {shown(address)}", rows.revision),)


def stored_rows(address: str) -> KeptRows:
    """Return the rows of the accounts that are kept in the database at an address; raises ``FerryError``."""
    with with_psycopg():
        from migrator.ledger.postgres import account_rows
    return account_rows.read(address)


def keep_rows(
    address: str, rows: Iterable[tuple[str, Mapping[str, str]]], *, seen: str, replaces: bool, is_dry: bool
) -> Changes:
    """Keep rows in the database at an address: all of it durable, or nothing. Raises ``FerryError``.

    ``seen`` is the revision that they were checked beside. With ``replaces`` those that are not among them go.
    """
    with with_psycopg():
        from migrator.ledger.postgres import account_rows
    return account_rows.keep(address, rows, seen=seen, replaces=replaces, is_dry=is_dry)


def remove_stored(address: str, name: str) -> None:
    """Take an account out of the database at an address, durably; raises ``FerryError``."""
    with with_psycopg():
        from migrator.ledger.postgres import account_rows
    account_rows.remove(address, name)
