"""How a person is reached: plain SMTP, and every service that Apprise knows.

A message is a title and a few lines that the alerts have written; nothing here adds anything to them. An Apprise URL
and the password of the mail server are secrets: no error of this module repeats one.
"""

from __future__ import annotations

import logging
import platform
import smtplib
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import closing
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Protocol, cast

from jobs.alerting.notification import Notification
from migrator.config import Notify, Smtp
from migrator.config.secrets import Secret
from migrator.errors import Endpoint, FerryError, Kind, printable
from migrator.lazy_dataclasses import dataclass
from migrator.net import stream as net
from migrator.net.failures import line_error
from migrator.net.tls import TlsMode

if TYPE_CHECKING:
    import apprise

TIMEOUT = 30.0
_LOGGED_IN = 235


class Channel(Protocol):
    """One way to reach a person."""

    @property
    def name(self) -> str:
        """What it is called in logs: no secret, and the same after a restart."""

    def send(self, notification: Notification) -> None:
        """Hand a notification over; raises ``FerryError`` when that failed."""

    def probe(self) -> None:
        """Try the way without saying anything; raises ``FerryError`` where it does not lead there."""


def channels(settings: Notify | None) -> list[Channel]:
    """Return the channels that are configured."""
    if settings is None:
        return []
    mail: list[Channel] = [SmtpChannel(settings.smtp)] if settings.smtp else []
    return mail + [AppriseChannel(f"apprise-{number}", url) for number, url in enumerate(settings.apprise, start=1)]


@dataclass(frozen=True, slots=True)
class SmtpChannel:
    """A mail through a server of ours (RFC 5321, RFC 6409), encrypted and verified as configured."""

    settings: Smtp

    @property
    def name(self) -> str:
        """The server."""
        return f"smtp {self.settings.host}"

    def send(self, notification: Notification) -> None:
        """Mail it; raises ``connect``, ``tls``, ``auth``, ``timeout`` or ``refused``."""
        self._converse(lambda server: server.send_message(self._mail(notification)))

    def probe(self) -> None:
        """Log in and hang up; raises what ``send`` does."""
        self._converse(lambda server: server.noop())

    def _converse(self, say: Callable[[smtplib.SMTP], object]) -> None:
        password = self.settings.password.reveal() if self.settings.password else ""
        try:
            with closing(self._connected()) as server:
                if self.settings.username:
                    _log_in(server, self.settings.username, password)
                say(server)
                server.quit()
        except smtplib.SMTPResponseException as error:
            # The cause is left out: a server may echo the password, and the exception would show it.
            is_login = isinstance(error, smtplib.SMTPAuthenticationError)
            kind, what = (Kind.AUTH, "password") if is_login else (Kind.REFUSED, "mail")
            raise FerryError(kind, f"{self.name} refused the {what}", server_words=_words(error, password)) from None
        except smtplib.SMTPException as error:
            raise FerryError(Kind.REFUSED, f"{self.name} did not take the mail ({type(error).__name__})") from error
        except (OSError, UnicodeError) as error:
            endpoint = Endpoint(self.settings.host, self.settings.port)
            raise line_error(endpoint, self.settings.tls_settings, error) from error

    def _connected(self) -> smtplib.SMTP:
        host, port, tls = self.settings.host, self.settings.port, self.settings.tls_settings
        if tls.mode is TlsMode.IMPLICIT:
            context = net.ssl_context(tls)
            encrypted = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
            return self._pinned(encrypted)
        server = smtplib.SMTP(host, port, timeout=TIMEOUT)
        if tls.mode is TlsMode.STARTTLS:
            server.starttls(context=net.ssl_context(tls))
            return self._pinned(server)
        return server

    def _pinned(self, server: smtplib.SMTP) -> smtplib.SMTP:
        certificate = cast("_Encrypted", server.sock).getpeercert(binary_form=True)
        net.check_pin(self.settings.host, self.settings.tls_settings, certificate)
        return server

    def _mail(self, notification: Notification) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.settings.sender
        mail["To"] = ", ".join(self.settings.to)
        mail["Subject"] = subject_of(notification)
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = make_msgid(domain=self.settings.sender.rpartition("@")[2] or None)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
        mail.set_content(notification.body)
        return mail


class _Encrypted(Protocol):
    """What an encrypted socket can say; only ``migrator.net.stream`` knows its class."""

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        """Return the server's certificate."""


def _log_in(server: smtplib.SMTP, username: str, password: str) -> None:
    """Log in; what is not ASCII goes by PLAIN (RFC 4616) from here, for smtplib cannot send it."""
    if f"{username}{password}".isascii():
        server.login(username, password)
        return
    response = b"\0".join((b"", username.encode(), _octets(password)))
    server.ehlo_or_helo_if_needed()
    code, words = server.docmd("AUTH", f"PLAIN {b64encode(response).decode('ascii')}")
    if code != _LOGGED_IN:
        raise smtplib.SMTPAuthenticationError(code, words)


def _octets(password: str) -> bytes:
    return password.encode(errors="surrogateescape")


def subject_of(notification: Notification) -> str:
    """Return the subject that a person sees: which program, on which machine, and what it is about."""
    return f"[mailferry on {platform.node() or 'this machine'}] {_one_line(notification.title)}"


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _words(error: smtplib.SMTPResponseException, password: str) -> str:
    words = error.smtp_error
    said = words if isinstance(words, bytes) else str(words).encode()
    secret = _octets(password)
    return f"{error.smtp_code} {printable(said, secrets=(secret, b64encode(secret)))}"


@dataclass(frozen=True, slots=True)
class AppriseChannel:
    """A service that Apprise knows, by a URL that is a secret."""

    name: str
    url: Secret

    def send(self, notification: Notification) -> None:
        """Hand it over; raises ``refused`` when the service did not take it, ``internal`` without Apprise."""
        service = self._service()
        if not service.notify(title=subject_of(notification), body=notification.body):
            raise FerryError(Kind.REFUSED, f"{self.name} did not take the message")

    def probe(self) -> None:
        """See that Apprise is there and understands the URL; the service is not asked."""
        self._service()

    def _service(self) -> apprise.Apprise:
        try:
            import apprise
        except ImportError as error:
            cure = f"install it beside mailferry: {sys.executable} -m pip install apprise"
            raise FerryError(Kind.INTERNAL, "the apprise package is not installed", cure=cure) from error
        _silence(logging.getLogger("apprise"))
        service = apprise.Apprise()
        if not service.add(self.url.reveal()):
            raise FerryError(Kind.REFUSED, f"{self.name} is not a URL that Apprise understands")
        return service


def _silence(logger: logging.Logger) -> None:
    """Keep a library's log from stderr: it may repeat the URL."""
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.propagate = False


def send_everywhere(to: Sequence[Channel], notification: Notification) -> list[tuple[str, FerryError | None]]:
    """Try every channel once; returns what became of each."""
    results: list[tuple[str, FerryError | None]] = []
    for channel in to:
        try:
            channel.send(notification)
        except FerryError as error:
            results.append((channel.name, error))
        else:
            results.append((channel.name, None))
    return results
