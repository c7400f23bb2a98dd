"""The files of a configuration as text and as TOML, with words for a person where they are neither."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from migrator.config import passwords
from migrator.errors import ConfigError


def text_of(path: Path) -> str:
    """Read a file of the configuration; raises ``ConfigError``."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (octet {error.start})"]) from None


def document_of(path: Path, text: str) -> Mapping[str, object]:
    """Return what a text says; raises ``ConfigError`` naming the file and the line where it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_not_toml(path, str(error))]) from None


def _not_toml(path: Path, reason: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", reason)
    return f"{path}, line {found[2]}: this is not TOML: {found[1]}" if found else f"{path}: this is not TOML: {reason}"


def exposed_password(path: Path, document: object) -> list[str]:
    """Return a warning where others can read a file that is there, and a password stands in its document."""
    if not passwords.stands_in_text(document) or not path.exists():
        return []
    if not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return []
    return [f"{path}: others may read it, and it holds a password; make it yours alone: chmod 600 {path}"]
