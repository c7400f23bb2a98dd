"""Who is at the other end: connect, encrypt, log in, look at folders. Everything here is imapclient's work.

RFC 9051 sections 3 and 6.1 to 6.3. Foreign exceptions become ours in ``ImapSession.seam`` and nowhere else; after an
error of session scope the connection is gone. No SEARCH is ever sent: imapclient passes line ends in criteria through.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imapclient import IMAPClient  # type: ignore[import-untyped]  # it ships no types
from imapclient.imap_utf7 import encode as modified_utf7  # type: ignore[import-untyped]  # as above

from migrator.errors import FerryError, Kind, Scope, printable
from migrator.imap.capabilities import UploadCapabilities
from migrator.imap.refusals import judge_bye, judge_command, judge_login
from migrator.imap.replies import UID_LIMIT, ReplyStatus
from migrator.imap.settings import ImapSettings
from migrator.imap.wire import Clock, Wire, monotonic
from migrator.model import mailbox_name
from migrator.net import sasl, stream as net
from migrator.net.tls import TlsMode, is_loopback

if TYPE_CHECKING:
    from socket import socket

_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_UNUSABLE = frozenset({rb"\noselect", rb"\nonexistent"})


class _Client(IMAPClient):  # type: ignore[misc]  # a class without types cannot be subclassed otherwise
    """imapclient on a connection of ours, without its log of every line (which costs 200 MB for 100 MB of mail)."""

    def __init__(self, wire: Wire, timeout: float) -> None:
        self._wire = wire
        super().__init__(wire.host, wire.port, ssl=False, timeout=timeout)
        wire.debug = 0

    def _create_IMAP4(self) -> Wire:  # noqa: N802  # imapclient's name for it
        return self._wire


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox as EXAMINE or SELECT shows it now. ``kept_flags`` is PERMANENTFLAGS (RFC 9051, section 7.1)."""

    uid_validity: int
    uid_next: int
    exists: int
    kept_flags: frozenset[bytes]


class ImapSession:
    """A logged-in connection."""

    def __init__(self, settings: ImapSettings, password: Callable[[], str | bytes], clock: Clock = monotonic) -> None:
        """Connect and log in. Raises ``connect``, ``tls``, ``timeout``, ``auth``, ``temporary`` or ``protocol``."""
        self.settings = settings
        self.secrets: tuple[bytes, ...] = ()
        self._line: Wire | None = None
        try:
            with self.seam():
                self._open(clock)
                self._log_in(password)
                self.capabilities = frozenset(self._client.capabilities())
        except BaseException:
            self.abandon()
            raise
        self.upload_capabilities = UploadCapabilities.of(self.capabilities)

    def _open(self, clock: Clock) -> None:
        settings = self.settings
        try:
            self._line = Wire(settings.host, settings.port, self._dial, timeout=settings.timeout, clock=clock)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:  # it greets with BYE, mostly because there are too many connections
            words = printable(str(error).encode("utf-8", "replace"))
            raise FerryError(Kind.TEMPORARY, f"{settings.host} turns us away", server_words=words) from error
        self._client = _Client(self._line, settings.timeout)
        if settings.tls.mode is TlsMode.STARTTLS:
            self._start_tls(self._line)

    def _dial(self) -> socket:
        settings = self.settings
        sock = net.connect(settings.host, settings.port, timeout=settings.timeout)
        return net.wrap_tls(sock, settings.host, settings.tls) if settings.tls.mode is TlsMode.IMPLICIT else sock

    def _start_tls(self, wire: Wire) -> None:
        verdict, words = wire._simple_command("STARTTLS")  # noqa: SLF001  # imaplib's starttls cannot check pins
        if verdict != "OK":
            raise FerryError(
                Kind.TLS,
                f"{self.settings.host} refuses STARTTLS",
                server_words=printable(words[0] or b""),
                cure='try tls = "implicit" with port 993',
            )
        if wire.has_unread:
            raise FerryError(Kind.TLS, f"{self.settings.host} sent more behind its reply to STARTTLS: an attack?")
        wire.encrypt(lambda sock: net.wrap_tls(sock, self.settings.host, self.settings.tls))
        wire._get_capabilities()  # noqa: SLF001  # what came in the clear is void

    def _log_in(self, password: Callable[[], str | bytes]) -> None:
        wire, settings = self.wire, self.settings
        if wire.state == "AUTH":  # PREAUTH
            return
        secret = password()
        credentials = sasl.Credentials(settings.username, secret.encode() if isinstance(secret, str) else secret)
        self.secrets = sasl.secrets_of(credentials)
        if wire.trace:
            wire.trace.secrets = self.secrets
        mechanism = sasl.choose(self._offered(), settings.auth, may_reveal=self._may_reveal())
        if mechanism == "user" or (mechanism == "login" and "login" not in self._sasl_names()):
            self._login_command(credentials)
        else:
            self._authenticate(mechanism, credentials)

    def _sasl_names(self) -> set[str]:
        names = {name.upper() for name in self.wire.capabilities}
        return {name.removeprefix("AUTH=").lower() for name in names if name.startswith("AUTH=")}

    def _offered(self) -> set[str]:
        has_login = "LOGINDISABLED" not in self.wire.capabilities
        return self._sasl_names() | ({"user"} if has_login else set())

    def _may_reveal(self) -> bool:
        settings = self.settings
        is_encrypted = settings.tls.mode is not TlsMode.NONE
        return is_encrypted or settings.allow_plaintext or is_loopback(settings.host)

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
        steps = _Steps(exchange)
        try:
            self._client.sasl_login(exchange.name, steps)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            secrets = sasl.secrets_of(credentials, steps.said)
            words = str(error).encode("utf-8", "replace") + exchange.explanation().encode()
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
            seconds = f"{self.settings.timeout:g} seconds"
            raise FerryError(Kind.TIMEOUT, f"{host} did not answer within {seconds}") from error
        except (OSError, imaplib.IMAP4.abort) as error:
            raise self._broken(error) from error
        except imaplib.IMAP4.error as error:
            raise judge_command(str(error).encode("utf-8", "replace"), host, secrets=self.secrets) from error
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
        words = str(error).encode("utf-8", "replace") if isinstance(error, imaplib.IMAP4.abort) else b""
        return FerryError(
            Kind.CONNECT, f"the connection to {host} broke", server_words=printable(words, secrets=self.secrets)
        )

    def resolve(self, folder: str) -> tuple[str, bool]:
        """Return the server's name for a configured folder, and whether it exists.

        A name that exists as it stands is taken; else ``/`` becomes the server's delimiter and the prefix of the
        personal namespace is put before it (RFC 2342): Courier keeps everything below ``INBOX.``.
        """
        folder = mailbox_name(folder)
        if folder == "INBOX":
            return "INBOX", True
        with self.seam():
            if self._exists(folder):
                return folder, True
            prefix, delimiter = self._personal_namespace()
            named = folder.replace("/", delimiter) if delimiter else folder
            if not named.startswith(prefix):
                named = prefix + named
            return named, named != folder and self._exists(named)

    def _exists(self, folder: str) -> bool:
        return any(
            name == folder and not _UNUSABLE.intersection(flag.lower() for flag in flags)
            for flags, _, name in self._client.list_folders("", folder)
        )

    def _personal_namespace(self) -> tuple[str, str]:
        if b"NAMESPACE" in self.capabilities:
            personal = self._client.namespace().personal
            if personal:
                prefix, delimiter = personal[0]
                return prefix or "", delimiter or ""
        listed = self._client.list_folders("", "INBOX")
        delimiter = listed[0][1] if listed else b"/"
        return "", (delimiter or b"").decode("ascii")

    def create(self, folder: str) -> None:
        """Create a folder and subscribe to it, so that mail programs show it; one that is there already is fine."""
        with self.seam():
            try:
                self._client.create_folder(folder)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                if not self._exists(folder):
                    words = printable(str(error).encode("utf-8", "replace"), secrets=self.secrets)
                    raise FerryError(
                        Kind.REFUSED,
                        f"the folder {folder} cannot be created",
                        server_words=words,
                        scope=Scope.ACCOUNT,
                        cure="create it by hand, or name another one",
                    ) from error
            with suppress(imaplib.IMAP4.readonly):
                self._client.subscribe_folder(folder)

    def examine(self, folder: str) -> Folder:
        r"""Look at a folder as it is now; nothing about it changes, not even \Recent (RFC 9051, section 6.3.3)."""
        return self._opened(folder, readonly=True)

    def select(self, folder: str) -> Folder:
        """As ``examine``, but for writing: only so does the server tell which flags it keeps."""
        return self._opened(folder, readonly=False)

    def _opened(self, folder: str, *, readonly: bool) -> Folder:
        with self.seam():
            shown = self._client.select_folder(folder, readonly=readonly)
            if b"UIDNEXT" not in shown or b"UIDVALIDITY" not in shown:  # older servers say it in STATUS only
                shown |= self._client.folder_status(folder, ["UIDNEXT", "UIDVALIDITY"])
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
            shown: dict[bytes, Any] = self._client.folder_status(folder, ["MESSAGES", "UIDNEXT", "UIDVALIDITY"])
            return {name.decode().lower(): int(number) for name, number in shown.items()}

    def quota(self, folder: str) -> tuple[int, int] | None:
        """Return octets used and octets allowed of the tightest storage quota over a folder (RFC 9208), or None."""
        if b"QUOTA" not in self.capabilities:
            return None
        with self.seam():
            try:
                _, quotas = self._client.get_quota_root(folder)
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, LookupError, ValueError):
                return None  # no quota root: servers answer NO, or a list so empty that imapclient stumbles
        storage = [(int(q.usage) * 1024, int(q.limit) * 1024) for q in quotas if q.resource.upper() == "STORAGE"]
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


class _Steps:
    """A SASL exchange as imaplib wants it: called with each challenge, the first one empty without SASL-IR."""

    def __init__(self, exchange: sasl.Exchange) -> None:
        self._exchange = exchange
        self._is_first = True
        self.said: list[bytes] = []

    def __call__(self, challenge: bytes) -> bytes:
        opening = self._exchange.initial if self._is_first else None
        self._is_first = False
        answer = self._exchange.respond(challenge) if opening is None else opening
        self.said.append(answer)
        return answer


def quoted(word: bytes) -> bytes:
    """Write printable ASCII as a quoted string (RFC 9051, section 4.3)."""
    return b'"' + word.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def folder_name(folder: str) -> bytes:
    """Write a folder's name as it stands in a command: modified UTF-7 (RFC 3501, section 5.1.3), quoted."""
    return quoted(bytes(modified_utf7(folder)))
