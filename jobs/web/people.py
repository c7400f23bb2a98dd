"""Who may use the page, and what each may see and do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from jobs.web.language import gettext as _
from migrator.lazy_dataclasses import dataclass

LONGEST_NAME = 64
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000


class Role(StrEnum):
    """What a user is."""

    ADMINISTRATOR = "administrator"
    """Sees and does everything."""
    AUDITOR = "auditor"
    """Sees everything and changes nothing."""
    READER = "reader"
    """Sees the accounts that were named, and changes nothing."""


class Right(StrEnum):
    """What an address asks for."""

    LOOK = "look"
    """Any user; what is shown is limited to the accounts that the user may see."""
    AUDIT = "audit"
    """Those who see everything."""
    OPERATE = "operate"
    """Administrators."""


class Scope(StrEnum):
    """What a program with a token may do; each includes the ones before."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def includes(self, other: Scope) -> bool:
        """Say whether this scope is enough for what needs the other."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """One user. ``accounts`` are those of a reader; the other roles see all."""

    name: str
    role: Role
    accounts: frozenset[str] = frozenset()

    @property
    def sees_everything(self) -> bool:
        """Whether no account is hidden from this user."""
        return self.role is not Role.READER

    @property
    def may_operate(self) -> bool:
        """Whether this user changes anything."""
        return self.role is Role.ADMINISTRATOR

    def may(self, right: Right) -> bool:
        """Say whether this user has a right."""
        match right:
            case Right.LOOK:
                return True
            case Right.AUDIT:
                return self.sees_everything
            case Right.OPERATE:
                return self.may_operate

    def sees(self, account: str) -> bool:
        """Say whether this user may see an account."""
        return self.sees_everything or account in self.accounts

    def visible(self, accounts: Iterable[str]) -> list[str]:
        """Return those of some accounts that this user may see, in their order."""
        return [account for account in accounts if self.sees(account)]


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What a program may do that was given this token; times are seconds since the epoch, None for never."""

    number: int
    name: str
    scope: Scope
    user: str
    created_at: float
    used_at: float | None


def problem_of_name(name: str) -> str:
    """Say what is wrong with the name of a new user; empty where nothing is."""
    if not name.strip() or name != name.strip():
        return _("A name contains letters, with no blanks before or after them.")
    if len(name) > LONGEST_NAME or not name.isprintable():
        return _("A name has at most %(number)d characters, all of them visible.") % {"number": LONGEST_NAME}
    return ""


def problem_of_password(password: str, name: str) -> str:
    """Say what is wrong with a new password; empty where nothing is."""
    if len(password) < SHORTEST_PASSWORD:
        return _("A password has at least %(number)d characters.") % {"number": SHORTEST_PASSWORD}
    if len(password) > LONGEST_PASSWORD:
        return _("A password has at most %(number)d characters.") % {"number": LONGEST_PASSWORD}
    if password.casefold() == name.casefold():
        return _("The password must not be the name.")
    return ""
