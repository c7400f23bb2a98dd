"""A configuration file without the secrets that stand in it: passwords, Apprise URLs, ping URLs.

The text stays as its owner wrote it, comments included; only the secrets become stars. Whether that worked is proven by
reading the result: what cannot be proven free of secrets is not given out.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

STARS = "***"
_SECRET_KEYS = frozenset({"password", "apprise", "url", "accounts_urls"})


def without_passwords(path: Path) -> str | None:
    """Return the text of a configuration or of a sheet of accounts with stars for secrets; None when in doubt."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    return _sheet(text) if path.suffix.lower() == ".csv" else _toml(text)


def _toml(text: str) -> str | None:
    secrets = sorted(set(_secrets(tomllib.loads(text))), key=len, reverse=True)
    for secret in secrets:
        for quote in ('"', "'"):
            text = text.replace(f"{quote}{secret}{quote}", f"{quote}{STARS}{quote}")
    try:
        left = set(_secrets(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        return None
    is_clean = left <= {STARS} and not any(len(secret) > 3 and secret in text for secret in secrets)
    return text if is_clean else None


def _secrets(document: object, key: str = "") -> Iterator[str]:
    """Yield every text that stands where a secret may stand."""
    if isinstance(document, Mapping):
        for inner, value in document.items():
            yield from _secrets(value, "url" if key == "pings" and inner == "accounts" else _kept(key, str(inner)))
    elif isinstance(document, list):
        for value in document:
            yield from _secrets(value, key)
    elif isinstance(document, str) and key in _SECRET_KEYS:
        yield document


def _kept(outer: str, inner: str) -> str:
    """Return what a key means: within ``{ env = … }`` no secret stands, within a table of ping URLs nothing else."""
    return "url" if outer == "url" else inner


def _sheet(text: str) -> str | None:
    lines = text.splitlines(keepends=True)
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error:
        return None
    columns = [column.strip() for column in rows[0]] if rows else []
    hidden = {number for number, column in enumerate(columns) if column in {"password", "imap_password"}}
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    for row in rows[:1]:
        writer.writerow(row)
    for row in rows[1:]:
        writer.writerow([STARS if number in hidden and cell else cell for number, cell in enumerate(row)])
    return out.getvalue()
