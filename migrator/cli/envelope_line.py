"""One message as a person knows it, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.ui import sanitize
from migrator.ui.text import day_and_time

if TYPE_CHECKING:
    from migrator.operations.envelopes import Envelope


def envelope_line(envelope: Envelope) -> str:
    """Return date, sender and subject."""
    date = "no date" if envelope.date is None else day_and_time(envelope.date)
    return f"{date}  {sanitize.line(envelope.sender, limit=200)}: {sanitize.line(envelope.subject, limit=400)}"
