"""A moment as a person reads it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def when(moment: float) -> str:
    """Write a moment for a person: local time to the minute, with its zone."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
