"""Reads a configuration file. What checks it is imported when something is to be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config.model import Config


def load(path: Path) -> Config:
    """Read and check a configuration file; raises ``ConfigError`` with a line for every problem in it."""
    from migrator.config.reading import load as checked

    return checked(path)


def load_quickly(path: Path) -> Config:
    """Do as ``load`` does, and take over what an earlier command of this user has found of the same files."""
    from migrator.config.kept import keep, kept

    if (config := kept(path)) is not None:
        return config
    from migrator.config.reading import reading_of

    reading = reading_of(path)
    config = reading.config()
    keep(reading, config)
    return config
