"""What a person gets to read. Pure."""

from __future__ import annotations

from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notification:
    """A title and a few lines: never anything of a mail, never a secret."""

    title: str
    body: str
