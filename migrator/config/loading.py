"""Reads a configuration file. What checks it is imported when something is to be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config.model import Config
    from migrator.config.sheets import StoredSheets


def load(path: Path, stored: StoredSheets | None = None) -> Config:
    """Read and check a configuration file; raises ``ConfigError`` with a line for every problem in it.

    ``stored`` reads the accounts that are kept in the ledger's database; without it there are none.
    """
    from migrator.config.reading import load as checked

    return checked(path, stored)


def load_quickly(path: Path, stored: StoredSheets | None = None) -> Config:
    """Do as ``load`` does, and take over what an earlier command of this user has found of the same files."""
    from migrator.config.kept import keep, kept

    if (config := kept(path)) is not None:
        return config
    from migrator.config.reading import reading_of

    reading = reading_of(path, stored)
    config = reading.config()
    keep(reading, config)
    return config
