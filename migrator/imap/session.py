"""Who is at the other end: connect, encrypt, log in, look at folders. Everything here is imapclient's work.

RFC 9051 sections 3 and 6.1 to 6.3. Foreign exceptions become ours in ``ImapSession.seam`` and nowhere else; after an
error of session scope the connection is gone. No SEARCH is ever sent: imapclient passes line ends in criteria through.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from migrator import __version__
from migrator.errors import FerryError, Kind, printable
from migrator.imap.capabilities import UploadCapabilities
from migrator.imap.client import Client, SaslSteps, quoted, words_of
from migrator.imap.folder_names import Namespace
from migrator.imap.folder_view import Folder
from migrator.imap.folders import Folders
from migrator.imap.logging_in import LoggingIn
from migrator.imap.login_refusals import LoginRefusedError, judge_login, starttls_refused
from migrator.imap.refusals import judge_bye, judge_command, judge_greeting
from migrator.imap.replies import UID_LIMIT, ReplyStatus
from migrator.imap.settings import ImapSettings
from migrator.imap.wire import Clock, Wire, monotonic
from migrator.net import sasl, stream as net
from migrator.net.access_token import AccessToken
from migrator.net.failures import client_certificate_demanded, too_slow
from migrator.net.first_words import Service
from migrator.net.patience import Stop
from migrator.net.tls import TlsMode, is_loopback

if TYPE_CHECKING:
    from socket import socket

_PRINTABLE = re.compile(rb"[\x20-\x7e]*")


class ImapSession:
    """A logged-in connection."""

    def __init__(
        self,
        settings: ImapSettings,
        password: Callable[[], str | bytes],
        clock: Clock = monotonic,
        logging_in: LoggingIn | None = None,
        stop: Stop | None = None,
    ) -> None:
        """Connect and log in, with what ``logging_in`` knows of earlier connections.

        Raises ``connect``, ``tls``, ``timeout``, ``auth``, ``temporary``, ``protocol``; ``stop`` ends it, too.
        """
        self.settings = settings
        self._stop = stop
        self.secrets: tuple[bytes, ...] = ()
        self._line: Wire | None = None
        try:
            with self.seam():
                self._enter(password, clock, logging_in or _beginning(settings))
                self.capabilities = frozenset(self._client.capabilities())
                self._introduce()
        except BaseException:
            self.abandon()
            raise
        self.upload_capabilities = UploadCapabilities.of(self.capabilities)
        self._folders = Folders(
            self._client, settings.host, has_namespace=b"NAMESPACE" in self.capabilities, secrets=self.secrets
        )

    def _open(self, clock: Clock) -> None:
        settings = self.settings
        try:
            self._line = Wire(
                settings.host, settings.port, self._dial, timeout=settings.timeout, clock=clock, stop=self._stop
            )
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:  # it greets with BYE, mostly because there are too many connections
            raise judge_greeting(_said_in_greeting(error), settings.host) from error
        self._client = Client(self._line, settings.endpoint, settings.timeout)
        if settings.tls.mode is TlsMode.STARTTLS:
            self._start_tls(self._line)

    def _dial(self) -> socket:
        settings = self.settings
        sock = net.connect(settings.host, settings.port, timeout=settings.timeout, stop=self._stop)
        if settings.tls.mode is TlsMode.IMPLICIT:
            return net.wrap_tls(sock, settings.host, settings.tls, Service.IMAP, self._stop)
        net.await_plain_greeting(sock, settings.host, Service.IMAP, settings.tls.mode, self._stop)
        return sock

    def _start_tls(self, wire: Wire) -> None:
        if wire.state == "AUTH":  # RFC 9051, section 11.1
            host = self.settings.host
            raise FerryError(Kind.PROTOCOL, f"{host} greets as if we were logged in, and so cannot be asked to encrypt")
        try:
            verdict, said = wire._simple_command("STARTTLS")  # noqa: SLF001  # imaplib's starttls cannot check pins
            words = said[0] or b""
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:  # BAD: it does not know the command
            verdict, words = "BAD", words_of(error)
        if verdict != "OK":
            raise starttls_refused(self.settings.host, words, may_be_open=self._may_be_open)
        if wire.has_unread:
            raise FerryError(Kind.TLS, f"{self.settings.host} sent more after its reply to STARTTLS: an attack?")
        wire.encrypt(lambda sock: net.wrap_tls(sock, self.settings.host, self.settings.tls, Service.IMAP, self._stop))
        wire._get_capabilities()  # noqa: SLF001  # what came in the clear is void

    def _enter(self, password: Callable[[], str | bytes], clock: Clock, logging_in: LoggingIn) -> None:
        """Connect and log in; each mechanism is tried on a new connection.

        An access token is fetched before the first, and renewed once where it is refused.
        """
        credentials = self._credentials(password()) if self.settings.is_token else None
        while True:
            self._open(clock)
            if self.wire.state == "AUTH":  # PREAUTH
                return
            credentials = credentials or self._credentials(password())
            if self.wire.trace:
                self.wire.trace.secrets = self.secrets
            try:
                if self._has_logged_in(credentials, logging_in):
                    return
            except FerryError as error:
                token = password.other(error) if isinstance(password, AccessToken) else None
                if token is None:
                    raise
                credentials = self._credentials(token)
            self.abandon()

    def _credentials(self, secret: str | bytes) -> sasl.Credentials:
        if isinstance(secret, str):
            secret = secret.encode(errors="surrogateescape")  # what the environment holds need not be UTF-8
        credentials = sasl.Credentials(self.settings.username, secret)
        self.secrets = sasl.secrets_of(credentials)
        return credentials

    def _has_logged_in(self, credentials: sasl.Credentials, logging_in: LoggingIn) -> bool:
        """Try one mechanism; False if it is refused and another may be tried, over another connection."""
        offered, may_reveal = _usable(self._offered(), credentials), self._may_reveal()
        has_starttls = self.settings.tls.mode is TlsMode.NONE and "STARTTLS" in self.wire.capabilities
        mechanism = logging_in.mechanism(offered, may_reveal=may_reveal)
        try:
            self._try(mechanism, credentials)
        except LoginRefusedError as error:
            if not logging_in.refused(mechanism, error, offered, may_reveal=may_reveal, has_starttls=has_starttls):
                raise
            return False
        logging_in.succeeded(mechanism)
        return True

    def _try(self, mechanism: str, credentials: sasl.Credentials) -> None:
        if mechanism == "user" or (mechanism == "login" and "login" not in self._sasl_names()):
            self._login_command(credentials)
        else:
            self._authenticate(mechanism, credentials)

    def _introduce(self) -> None:
        """Say who we are (RFC 2971): 163.com and its kin open no folder before. A refusal is of no account."""
        if b"ID" not in self.capabilities:
            return
        with suppress(ValueError, LookupError, TypeError):  # what it says of itself may make no sense
            try:
                self._client.id_({"name": "mailferry", "version": __version__})
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                return

    def _sasl_names(self) -> set[str]:
        names = {name.upper() for name in self.wire.capabilities}
        return {name.removeprefix("AUTH=").lower() for name in names if name.startswith("AUTH=")}

    def _offered(self) -> set[str]:
        has_login = "LOGINDISABLED" not in self.wire.capabilities
        return self._sasl_names() | ({"user"} if has_login else set())

    def _may_reveal(self) -> bool:
        return self.settings.tls.mode is not TlsMode.NONE or self._may_be_open

    @property
    def _may_be_open(self) -> bool:
        return self.settings.allow_plaintext or is_loopback(self.settings.host)

    def _login_command(self, credentials: sasl.Credentials) -> None:
        """Log in by the command LOGIN: imaplib's own cannot send what is not ASCII."""
        wire = self.wire
        tag = wire.new_tag()
        wire.put(tag + b" LOGIN")
        for word in (credentials.username.encode(), credentials.secret):
            if _PRINTABLE.fullmatch(word):
                wire.put(b" " + quoted(word))
                continue
            wire.send(b" {%d}\r\n" % len(word))
            refusal = wire.next_status()
            if refusal is not None:
                raise judge_login(refusal.words, self._user, secrets=self.secrets)
            wire.put(word)
        wire.send(b"\r\n")
        reply = wire.next_status()
        if reply is None or reply.verdict is not ReplyStatus.OK:
            raise judge_login(reply.words if reply else b"", self._user, secrets=self.secrets)
        wire.state = "AUTH"

    def _authenticate(self, mechanism: str, credentials: sasl.Credentials) -> None:
        settings = self.settings
        exchange = sasl.begin(mechanism, credentials, host=settings.host, port=settings.port)
        steps = SaslSteps(exchange)
        try:
            self._client.sasl_login(exchange.name, steps)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            secrets = sasl.secrets_of(credentials, steps.said)
            reason = exchange.explanation()
            words = words_of(error) + (f" ({reason})" if reason else "").encode()
            raise judge_login(words, self._user, secrets=secrets) from None  # it may hold the secret
        exchange.finish()

    @property
    def _user(self) -> str:
        return f"{self.settings.username} at {self.settings.host}"

    @property
    def wire(self) -> Wire:
        """The connection's lines and literals, for commands that imapclient is not used for."""
        if self._line is None:
            raise FerryError(Kind.CONNECT, f"the connection to {self.settings.host} is gone")
        return self._line

    @contextmanager
    def seam(self) -> Iterator[None]:
        """Turn what imaplib, imapclient and the socket raise into ``FerryError`` that names this server."""
        try:
            with self._own_errors():
                yield
        except FerryError as error:
            error.blame(self.settings.endpoint)
            raise

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        host = self.settings.host
        try:
            yield
        except FerryError:
            raise
        except TimeoutError as error:
            seconds = self.settings.timeout
            words = f"{host} did not answer within {seconds:g} seconds"
            raise too_slow(words, seconds) from error
        except (OSError, imaplib.IMAP4.abort) as error:
            raise self._broken(error) from error
        except imaplib.IMAP4.error as error:
            raise judge_command(words_of(error), host, secrets=self.secrets) from error
        except (ValueError, LookupError, TypeError, AssertionError) as error:
            raise FerryError(Kind.PROTOCOL, f"{host} gave a reply that makes no sense") from error
        except BaseException:  # an interruption, mostly: the rest of an answer may still be on its way
            if self._line is not None:
                self._line.is_in_step = False
            raise

    def _broken(self, error: Exception) -> FerryError:
        host, bye = self.settings.host, self._line.bye if self._line is not None else None
        if bye is not None:
            return judge_bye(bye.words, host, secrets=self.secrets)
        if isinstance(error, OSError) and (demanded := client_certificate_demanded(host, error)):
            return demanded
        words = str(error).encode("utf-8", "replace") if isinstance(error, imaplib.IMAP4.abort) else b""
        return FerryError(
            Kind.CONNECT, f"the connection to {host} broke", server_words=printable(words, secrets=self.secrets)
        )

    def resolve(self, folder: str) -> tuple[str, bool]:
        """Return the server's name for a configured folder, and whether it exists; see ``Folders.resolve``."""
        with self.seam():
            return self._folders.resolve(folder)

    @property
    def namespace(self) -> Namespace:
        """How this server names folders; it is asked once."""
        with self.seam():
            return self._folders.namespace

    def written(self, name: str) -> bytes:
        """Return a folder's name as it stands in a command, quotes included."""
        return quoted(self._folders.written(name))

    def create(self, folder: str) -> str:
        """Create a folder and subscribe to it; return its name as the server has it; see ``Folders.create``."""
        with self.seam():
            return self._folders.create(folder)

    def examine(self, folder: str) -> Folder:
        r"""Look at a folder as it is now; nothing about it changes, not even \Recent (RFC 9051, section 6.3.3)."""
        return self._opened(folder, readonly=True)

    def select(self, folder: str) -> Folder:
        """As ``examine``, but for writing: only so does the server tell which flags it keeps."""
        return self._opened(folder, readonly=False)

    def _opened(self, folder: str, *, readonly: bool) -> Folder:
        with self.seam():
            name = self._folders.written(folder)
            try:
                shown = self._client.select_folder(name, readonly=readonly)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                what = f"to open the folder {folder}"
                raise judge_command(words_of(error), self.settings.host, what=what, secrets=self.secrets) from error
            if b"UIDNEXT" not in shown or b"UIDVALIDITY" not in shown:  # older servers say it in STATUS only
                shown |= self._client.folder_status(name, ["UIDNEXT", "UIDVALIDITY"])
            seen = Folder(
                uid_validity=int(shown[b"UIDVALIDITY"]),
                uid_next=int(shown[b"UIDNEXT"]),
                exists=int(shown.get(b"EXISTS", 0)),
                kept_flags=frozenset(shown.get(b"PERMANENTFLAGS", ())),
            )
            if not (0 < seen.uid_validity < UID_LIMIT and 0 < seen.uid_next <= UID_LIMIT):
                raise FerryError(Kind.PROTOCOL, f"{self.settings.host} gives numbers for {folder} that cannot be")
        return seen

    def status(self, folder: str) -> dict[str, int]:
        """Return message count, UIDNEXT and UIDVALIDITY of a folder without opening it."""
        with self.seam():
            name = self._folders.written(folder)
            shown: dict[bytes, Any] = self._client.folder_status(name, ["MESSAGES", "UIDNEXT", "UIDVALIDITY"])
            return {name.decode().lower(): int(number) for name, number in shown.items()}

    def quota(self, folder: str) -> tuple[int, int] | None:
        """Return octets used and octets allowed of the tightest storage quota over a folder (RFC 9208), or None.

        A limit of 0 is none: Stalwart, Dovecot and others say so where there is no limit.
        """
        if b"QUOTA" not in self.capabilities:
            return None
        with self.seam():
            try:
                _, quotas = self._client.get_quota_root(self.written(folder))
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, LookupError, ValueError):
                return None  # no quota root: servers answer NO, or a list so empty that imapclient stumbles
        limits = [quota for quota in quotas if quota.resource.upper() == "STORAGE" and int(quota.limit) > 0]
        storage = [(int(quota.usage) * 1024, int(quota.limit) * 1024) for quota in limits]
        return min(storage, key=lambda pair: pair[1] - pair[0], default=None)

    def close(self) -> None:
        """Log out, if the line is in step, and let go of the connection; never raises."""
        if self.is_in_step:
            with suppress(FerryError), self.seam():
                self._client.logout()
        self.abandon()

    @property
    def is_in_step(self) -> bool:
        """Whether the connection can be used on: no command was left in the middle of its answers."""
        return self._line is not None and self._line.is_in_step

    def abandon(self) -> None:
        """Let go of the connection without a word; never raises."""
        if self._line is not None:
            self._line.shutdown()
            self._line = None


def _said_in_greeting(error: imaplib.IMAP4.error) -> bytes:
    """Return the BYE with which a server greets: imaplib raises its line as Python writes bytes."""
    words = str(error).removeprefix("b").strip("'\"").encode("utf-8", "replace")
    return words.removeprefix(b"* BYE").strip()


def _usable(offered: set[str], credentials: sasl.Credentials) -> set[str]:
    """Return what this password can be used with: SCRAM wants text (RFC 5802, section 5.1)."""
    try:
        credentials.secret.decode()
    except UnicodeDecodeError:
        return {name for name in offered if not name.startswith("scram-")}
    return offered


def _beginning(settings: ImapSettings) -> LoggingIn:
    """Return what is known of log-ins before the first."""
    return LoggingIn(settings.auth, settings.host, is_token=settings.is_token)
