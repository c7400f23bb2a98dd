"""Where the table of an account's end stands in a configuration file, so that a cure can name the key to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.findings.model import Setting
from migrator.lazy_dataclasses import dataclass

if TYPE_CHECKING:
    from migrator.config import Account


@dataclass(frozen=True, slots=True)
class Written:
    """A table of a file; ``path`` is empty where it stands in none."""

    file: str = ""
    path: tuple[str | int, ...] = ()

    def setting(self, key: str, value: object) -> tuple[Setting, ...]:
        """Return the change that writes this key into the table; nothing where there is no table."""
        return (Setting(self.file, (*self.path, key), value),) if self.path else ()


def written_at(account: Account, *steps: str | int) -> Written:
    """Return where a table of an account stands; a row of a sheet has no tables."""
    place = account.place
    if place is None or place.line is not None or not place.path:
        return Written()
    return Written(place.file, (*place.path, *steps))
