"""The label under which a mail program kept a message, as its export wrote it into the headers. Pure.

Google Takeout writes ``X-Gmail-Labels``: all labels, the user's own among those that say a state or a folder of Gmail.
"""

from __future__ import annotations

import csv

from migrator.parse.headers import decoded, fields

_STATES = frozenset({"archived", "starred", "important", "opened", "unread", "snoozed", "scheduled", "muted"})
_FOLDERS = frozenset({"inbox", "sent", "draft", "drafts", "spam", "trash", "chat"})


def label_of(message: bytes) -> str:
    """Return the first label that is the user's own, by the beginning of a message; ``""`` where it has none."""
    written = next((value for name, value in fields(message) if name == b"x-gmail-labels"), b"")
    return next(filter(_is_own, _labels(decoded(written))), "")


def _labels(written: str) -> list[str]:
    """Split at the commas that are not within quotes."""
    return [label.strip() for line in csv.reader([written], skipinitialspace=True) for label in line]


def _is_own(label: str) -> bool:
    name = label.lower()
    return bool(name) and name not in _STATES | _FOLDERS and not name.startswith("category ")
