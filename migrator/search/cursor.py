"""Where a page of hits ends, in a form that can stand in an address. Pure.

It holds while the index does; one that was built again may begin a page a little elsewhere, among messages of the same
second.
"""

from __future__ import annotations

import re

from migrator.lazy_dataclasses import dataclass

_WRITTEN = re.compile(r"\d{1,18}\Z", re.A)


class CursorError(ValueError):
    """What was given as a cursor is none."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last message of a page, by its number in the index: the next page has smaller ones."""

    number: int

    @classmethod
    def read(cls, written: str) -> Cursor:
        """Return the cursor that was written like this; raises ``CursorError``."""
        if _WRITTEN.match(written) is None:
            raise CursorError("this cursor did not come from a search")
        return cls(int(written))

    def __str__(self) -> str:
        return str(self.number)
