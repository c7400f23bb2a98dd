"""How the files of an archive lie in its folders, by their names alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from migrator.lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Which folders of an archive are Maildirs, and which hold Apple's messages."""

    maildirs: frozenset[str]
    apples: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Layout:
        """Find them among the names of all files."""
        parents = {PurePosixPath(name).parent for name in names}
        return cls(
            frozenset(str(folder.parent) for folder in parents if folder.name in ("cur", "new")),
            frozenset(str(folder.parent) for folder in parents if folder.name == "Messages"),
        )

    def is_in_maildir(self, inside: PurePosixPath) -> bool:
        """Say whether a file is a message of a Maildir."""
        return inside.parent.name in ("cur", "new") and str(inside.parent.parent) in self.maildirs

    def is_left_out(self, inside: PurePosixPath) -> bool:
        """Say whether nothing is to be said of a file: half messages of a Maildir, what Apple keeps beside messages."""
        if inside.parent.name == "tmp" and str(inside.parent.parent) in self.maildirs:
            return True
        if self.is_in_maildir(inside) and inside.name.startswith("."):
            return True
        return any(parent.name == "Attachments" and str(parent.parent) in self.apples for parent in inside.parents)
