"""What a user of the page may see, as the use cases want it."""

from __future__ import annotations

from jobs.web.people import User
from migrator.operations.visible import EVERYTHING, Visible


def visible_to(user: User) -> Visible:
    """Return whose mail a user may see."""
    return EVERYTHING if user.sees_everything else Visible(user.accounts)
