"""What a form says of a mailbox: where its mail goes, and what happens at its provider.

Whatever is wrong is said as ``ConfigError``, in words for the person who filled the form in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from jobs.web import words
from jobs.web.language import gettext as _
from jobs.web.locale_format import span
from jobs.web.visit import Visit
from migrator.config.urls import destination_keys
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import TlsMode
from migrator.policy import DeleteAfter, DeleteWhenVerified, Keep, LeaveOnServer

Raw = Mapping[str, object]

_DAY = 86_400.0
USUAL_DAYS = "30"
MOST_DAYS = 36_500


class Leave(StrEnum):
    """What is to happen at the provider, as the form has it."""

    KEEP = "keep"
    AFTER = "after"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to happen at the provider; ``days`` is as it was typed, and counts only for ``after``."""

    leave: str = Leave.KEEP
    days: str = USUAL_DAYS

    @property
    def deletes(self) -> bool:
        """Whether anything is ever deleted."""
        return self.leave != Leave.KEEP

    def written(self) -> bool | str:
        """Return it as the configuration has it."""
        if self.leave not in list(Leave):
            raise ConfigError([words.NO_WISH])
        if self.leave == Leave.AFTER:
            if not (_is_number(self.days) and 0 < int(self.days) <= MOST_DAYS):
                raise ConfigError([words.NO_DAYS])
            return f"{int(self.days)} days"
        return self.leave == Leave.KEEP


def wish_in(visit: Visit) -> Wish:
    """Return the wish that a form holds."""
    return Wish(visit.field("leave"), visit.field("days").strip())


def wish_of(leave: LeaveOnServer) -> Wish:
    """Return a wish as the form shows it. A time that is no number of days is shown as the next larger one."""
    match leave:
        case Keep():
            return Wish()
        case DeleteWhenVerified():
            return Wish(Leave.NOW)
        case DeleteAfter(age):
            return Wish(Leave.AFTER, str(-int(-age.total_seconds() // _DAY)))


def policy_in_words(leave: LeaveOnServer) -> str:
    """Say what happens at the old provider."""
    match leave:
        case Keep():
            return _("Nothing is deleted at the provider.")
        case DeleteWhenVerified():
            return _("A message is deleted at the provider as soon as every copy of it is proven.")
        case DeleteAfter(age):
            said = {"span": span(age.total_seconds())}
            return _("A message is deleted at the provider %(span)s after every copy of it was proven.") % said


@dataclass(frozen=True, slots=True)
class ServerForm:
    """A server and how to log in there, as typed; ``folder`` is for a mailbox that mail is uploaded to."""

    host: str = ""
    port: str = ""
    tls: str = TlsMode.IMPLICIT
    username: str = ""
    folder: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was filled in."""
        return not (self.host or self.username)

    def keys(self) -> dict[str, object]:
        """Return the keys of the table, without the password; what is wrong with them is found by reading it."""
        if not _is_number(self.port) or self.tls not in list(TlsMode):
            raise ConfigError([words.NO_PORT])
        keys: dict[str, object] = {"host": self.host, "port": int(self.port), "tls": str(self.tls)}
        return keys | {"username": self.username} | ({"folder": self.folder} if self.folder else {})


NO_MAILBOX = ServerForm(port="993", folder="INBOX")
"""The form of a mailbox that nobody has filled in."""


def _is_number(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= 5


def server_in(visit: Visit, prefix: str = "") -> ServerForm:
    """Return the server that a form holds, whose fields begin with this."""
    return ServerForm(
        *(visit.field(f"{prefix}{name}").strip() for name in ("host", "port", "tls", "username", "folder"))
    )


def password_in(visit: Visit, name: str = "password") -> str:
    """Return a password as it was typed: with its blanks, without one final line end."""
    return visit.field(name).removesuffix("\n").removesuffix("\r")


def folder_keys(written: str) -> dict[str, object]:
    """Return the table of a folder on this machine."""
    folder = Path(written)
    if not folder.is_absolute() or "\0" in written:
        raise ConfigError([words.NOT_ABSOLUTE])
    return destination_keys(f"mbox:{folder}")


def mailbox_keys(form: ServerForm) -> dict[str, object]:
    """Return the table of a mailbox that mail is uploaded to, without its password."""
    return {"type": "imap", **form.keys(), "folder": form.folder or "INBOX"}
