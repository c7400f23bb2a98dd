"""The form of whom the worker tells: as the settings fill it in, as it was sent, and what comes of it.

What is wrong with it is said as ``ConfigError``, in words for the person who filled it in.
"""

from __future__ import annotations

import re

from jobs.web import words
from jobs.web.language import gettext_lazy as _
from jobs.web.visit import Visit
from jobs.web.wishes import password_in
from migrator.config import Config, Notify
from migrator.config.worker import NEVER
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import TlsMode
from migrator.operations.change_telling import ByMail, Telling

DAYS = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
WEEKLY = re.compile(r"0 (\d{1,2}) \* \* (mon|tue|wed|thu|fri|sat|sun)")
MOST_FAILURES = 100
MOST_HOURS = 24 * 90
LONGEST_LIST = 50
"""Addresses that are written to."""
TLS = {
    TlsMode.STARTTLS: _("STARTTLS (usual with port 587)"),
    TlsMode.IMPLICIT: _("TLS from the beginning (usual with port 465)"),
    TlsMode.NONE: _("none: on this machine only"),
}
PORTS = {TlsMode.STARTTLS: "587", TlsMode.IMPLICIT: "465", TlsMode.NONE: "25"}


@dataclass(frozen=True, slots=True)
class MailForm:
    """The mail server as typed; the password is never shown again."""

    host: str = ""
    port: str = PORTS[TlsMode.STARTTLS]
    tls: str = TlsMode.STARTTLS
    username: str = ""
    sender: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """The form of whom to tell. ``kept`` are the numbers of the services that stay, ``silence`` is in hours."""

    mail: MailForm
    by_mail: bool
    kept: frozenset[int]
    has_digest: bool
    day: str
    hour: str
    failures: str
    silence: str


def filled_by(config: Config) -> Filled:
    """Return the form as the settings in force fill it in."""
    notify = config.notify or Notify()
    weekly = WEEKLY.fullmatch(notify.digest)
    hour, day = weekly.groups() if weekly else ("7", "mon")
    mail = MailForm()
    if smtp := notify.smtp:
        to = ", ".join(smtp.to)
        mail = MailForm(smtp.host, str(smtp.port), str(smtp.tls), smtp.username or "", smtp.sender, to)
    kept = frozenset(range(len(notify.apprise)))
    has_digest = notify.digest != NEVER
    hours = f"{notify.silence.total_seconds() / 3600:g}"
    by_mail = notify.smtp is not None or not notify.apprise
    return Filled(mail, by_mail, kept, has_digest, day, hour, str(notify.after_failures), hours)


def filled_in(visit: Visit) -> Filled:
    """Return the form that was sent."""
    fields = ("host", "port", "tls", "username", "sender", "to")
    kept = frozenset(int(one) for one in visit.form.get("kept", ()) if one.isascii() and one.isdecimal())
    return Filled(
        MailForm(*(visit.field(name).strip() for name in fields)),
        bool(visit.field("by_mail")),
        kept,
        bool(visit.field("digest")),
        visit.field("day"),
        visit.field("hour").strip(),
        visit.field("failures").strip(),
        visit.field("silence").strip(),
    )


def telling_in(visit: Visit, filled: Filled) -> Telling:
    """Return what a form asks for; raises ``ConfigError``."""
    if filled.has_digest and (filled.day not in DAYS or not _is_number(filled.hour, 23)):
        raise ConfigError([words.NO_DIGEST_TIME])
    digest = f"0 {int(filled.hour)} * * {filled.day}" if filled.has_digest else None
    if not _is_number(filled.failures, MOST_FAILURES, 1) or not _is_number(filled.silence, MOST_HOURS, 1):
        raise ConfigError([words.NO_PATIENCE])
    mail = _by_mail(filled.mail, password_in(visit)) if filled.by_mail and filled.mail.host else None
    service = visit.field("service").strip()
    return Telling(mail, filled.kept, service, digest, int(filled.failures), int(filled.silence))


def _by_mail(form: MailForm, password: str) -> ByMail:
    to = [one for one in re.split(r"[\s,;]+", form.to) if one][:LONGEST_LIST]
    if not to or not all("@" in one.strip("@") for one in (*to, form.sender)):
        raise ConfigError([words.NO_ADDRESS])
    if form.tls not in list(TlsMode) or not _is_number(form.port, 65_535):
        raise ConfigError([words.NO_MAIL_PORT])
    return ByMail(form.host, int(form.port), form.tls, form.sender, to, form.username, password)


def _is_number(written: str, most: int, least: int = 0) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= 5 and least <= int(written) <= most
