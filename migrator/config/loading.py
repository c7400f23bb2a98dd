"""Reads a configuration file for a command. What checks it is imported when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config.model import Config


def load(path: Path) -> Config:
    """Read and check a configuration file; raises ``ConfigError`` with a line for every problem in it."""
    from migrator.config.reading import load as read

    return read(path)
