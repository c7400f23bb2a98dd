"""A configuration file without the secrets that stand in it: passwords, Apprise and ping URLs, words of commands.

The text stays as its owner wrote it, comments included; only the secrets become stars. Whether that worked is proven by
reading the result: what cannot be proven free of secrets is not given out.
"""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from migrator.config.command_words import STARS, without_secrets
from migrator.config.sheet import decoded, separator_of

_SECRET_KEYS = frozenset(
    {"password", "apprise", "url", "accounts_urls", "client_secret", "access_key_id", "secret_access_key"}
)
_URL_PASSWORD = re.compile(r"([a-z][\w+.-]*://[^\s/:@]*:)[^\s/@]+(@)", re.I)


def without_passwords(path: Path) -> str | None:
    """Return the text of a configuration or of a sheet of accounts with stars for secrets; None when in doubt."""
    try:
        if path.suffix.lower() == ".csv":
            text = decoded(path.read_bytes())
            return None if text is None else _sheet(text)
        return toml_without_passwords(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return None


def toml_without_passwords(text: str) -> str | None:
    """Return a part of a configuration with stars for secrets; None when in doubt, or where it is no TOML."""
    try:
        return _toml(text)
    except tomllib.TOMLDecodeError:
        return None


def _toml(text: str) -> str | None:
    secrets = dict(_secrets(tomllib.loads(text)))
    for secret in sorted(secrets, key=len, reverse=True):
        for quote in ('"', "'"):
            text = text.replace(f"{quote}{secret}{quote}", f"{quote}{secrets[secret]}{quote}")
    try:
        left = dict(_secrets(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        return None
    is_clean = all(map(str.__eq__, left, left.values())) and not any(len(one) > 3 and one in text for one in secrets)
    return text if is_clean else None


def _secrets(document: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text that stands where a secret may stand, or holds one, with what is to stand there instead."""
    if isinstance(document, Mapping):
        for inner, value in document.items():
            yield from _secrets(value, "url" if key == "pings" and inner == "accounts" else _kept(key, str(inner)))
    elif isinstance(document, list):
        for value in document:
            yield from _secrets(value, key)
    elif isinstance(document, str) and key in _SECRET_KEYS:
        yield document, STARS
    elif isinstance(document, str) and (shown := _shown(document, key)) != document:
        yield document, shown


def _shown(written: str, key: str) -> str:
    """Return what may be seen of a command, or of a URL of ours."""
    if key != "command":
        return _URL_PASSWORD.sub(rf"\g<1>{STARS}\g<2>", written)
    try:
        return without_secrets(written)
    except ValueError:  # it is no command
        return STARS


def _kept(outer: str, inner: str) -> str:
    """Return what a key means: within ``{ env = … }`` no secret stands, within a table of ping URLs nothing else."""
    return "url" if outer == "url" else inner


def _sheet(text: str) -> str | None:
    separator = separator_of(text)
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True))
    except csv.Error:
        return None
    columns = [column.strip() for column in rows[0]] if rows else []
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    for row in rows[:1]:
        writer.writerow(row)
    for row in rows[1:]:
        unnamed = [""] * (len(row) - len(columns))
        writer.writerow(map(_cell, columns + unnamed, row))
    return out.getvalue()


_REFERENCES = ("env", "file", "keyring", "credential", "oauth")


def _cell(column: str, cell: str) -> str:
    """Return what may be seen of a cell: nothing of a password, whatever exactly its column is called."""
    name = column.lower()
    if not cell or "pass" not in name or name.endswith(_REFERENCES):
        return cell
    return _shown(cell, "command") if name.endswith("command") else STARS
