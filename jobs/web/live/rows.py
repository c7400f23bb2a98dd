"""The overview's rows as HTML, kept as they were written: of hundreds of mailboxes few have changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from jobs.web.language import current_language
from jobs.web.templates import rendered

if TYPE_CHECKING:
    from jobs.web.standing import Standing

MOST_KEPT = 5_000
"""Rows of all languages; an office that has more writes them each time."""


class Rows:
    """Writes rows; safe to call from any thread."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[Standing, bool, Markup]] = {}

    def html(self, one: Standing, now: float) -> Markup:
        """Return the row of a mailbox in the language in force."""
        key, is_due = (current_language().tag, one.name), 0 < (one.next_run or 0) <= now
        kept = self._kept.get(key)
        if kept is not None and kept[1] is is_due and kept[0] == one:
            return kept[2]
        html = Markup(rendered("live/row.html", one=one, is_due=is_due))  # noqa: S704  # the template has escaped it
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = one, is_due, html
        return html
