"""One finding: what is wrong or will be, whom it concerns, and the way out. Pure.

The ids, severities and fields are the contract's ("Findings"); the words stand in ``migrator.findings.catalogue``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum

from migrator.lazy_dataclasses import dataclass, field


class Severity(StrEnum):
    """How much a finding matters; the first two need a person."""

    BROKEN = "broken"
    """Mail is not moving, or not safe, until a person acts."""
    SOON = "soon"
    """It will be."""
    HINT = "hint"
    """It could be better."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A change to make in a configuration file; ``path`` leads to the key, a ``value`` of None removes it."""

    file: str
    path: tuple[str | int, ...]
    value: object

    def as_json(self) -> dict[str, object]:
        """Return the contract's object."""
        return {"file": self.file, "path": list(self.path), "value": self.value}


@dataclass(frozen=True, slots=True)
class Cure:
    """The way out: ``command`` as it can be run, or ``settings``, all of them; with neither only a person can act."""

    text: str
    command: tuple[str, ...] | None = None
    settings: tuple[Setting, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the contract's object."""
        return {
            "text": self.text,
            "command": list(self.command) if self.command else None,
            "settings": [setting.as_json() for setting in self.settings] or None,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong or will be. ``since`` is in seconds since the epoch.

    ``accounts`` are all that it concerns. ``cause`` tells it from others of its id (a server, a folder, an account):
    one cause is one finding. ``tries`` counts the runs in a row that met it.
    """

    id: str
    severity: Severity
    cause: str
    accounts: tuple[str, ...]
    destination: str | None
    text: str
    since: float
    cure: Cure
    tries: int = field(default=1, compare=False)

    def is_about(self, label: str) -> bool:
        """Say whether it concerns a destination: its own, or one of the several that its text names."""
        if self.destination is not None:
            return label == self.destination
        return re.search(rf"{re.escape(label)}(?![\w./-])", self.text) is not None

    @property
    def account(self) -> str | None:
        """The account, None where it concerns none, or several."""
        return self.accounts[0] if len(self.accounts) == 1 else None

    @property
    def key(self) -> str:
        """What tells it from all others, the same as long as it lasts."""
        return f"{self.id}:{self.cause}"

    @property
    def subject(self) -> str:
        """Whom it concerns, in words; empty where that is the whole installation."""
        if len(self.accounts) <= NAMED:
            return ", ".join(self.accounts)
        return f"{', '.join(self.accounts[:NAMED])} and {len(self.accounts) - NAMED:,} more"

    @property
    def headline(self) -> str:
        """One line: whom it concerns, and what it is."""
        return f"{self.subject}: {self.text}" if self.accounts else self.text

    def as_json(self) -> dict[str, object]:
        """Return the contract's object."""
        return {
            "id": self.id,
            "severity": str(self.severity),
            "account": self.account,
            "accounts": list(self.accounts),
            "destination": self.destination,
            "text": self.text,
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds"),
            "cure": self.cure.as_json(),
        }


NAMED = 3
"""How many accounts of one finding a line names."""


def is_person_needed(findings: list[Finding]) -> bool:
    """Tell whether any of them needs a person."""
    return any(finding.severity is not Severity.HINT for finding in findings)
