"""The configuration as types: one frozen model per table of the file.

Each key says in its ``description`` what it means: docs/configuration.md is printed from these (``make docs``). A table
is added by writing a model, naming it in ``Config`` and reading it in ``migrator.config.reading``. ``Account``
and ``Config`` are what was read: put together from tables that have been checked, they check nothing themselves.
What only the scheduled worker reads is in ``worker``, what tables are made of in ``table``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator
from pydantic.functional_validators import PlainValidator

from migrator.config import values
from migrator.config.keys import NO_ACCOUNT
from migrator.config.many_accounts import ManyAccounts
from migrator.config.problems import Place, nearest
from migrator.config.secrets import Secret
from migrator.config.store import S3Destination
from migrator.config.table import (
    Duration,
    ExistingFile,
    Fingerprint,
    Folder,
    Host,
    LoginSecret,
    Octets,
    Port,
    Table,
    Text,
    Written,
)
from migrator.config.worker import LimitsTable, Metrics, Notify, Pings, Schedule, VerifySchedule, WebTable
from migrator.errors import ConfigError, Endpoint, FerryError
from migrator.model import Proof
from migrator.net.tls import TlsMode, TlsSettings, is_loopback
from migrator.policy import Keep, LeaveOnServer, SourceProof, WhenCopyIsGone


class Auth(StrEnum):
    """How to log in; ``AUTO`` takes the strongest that is offered."""

    AUTO = "auto"
    PLAIN = "plain"
    LOGIN = "login"
    USER = "user"
    APOP = "apop"
    CRAM_MD5 = "cram-md5"
    SCRAM_SHA_1 = "scram-sha-1"
    SCRAM_SHA_256 = "scram-sha-256"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"


TOKENS = frozenset({Auth.XOAUTH2, Auth.OAUTHBEARER})
"""What sends an access token."""


def _by_tls(implicit: int, otherwise: int) -> Callable[[dict[str, object]], int]:
    return lambda table: implicit if table.get("tls", TlsMode.IMPLICIT) is TlsMode.IMPLICIT else otherwise


class Server(Table):
    """One end of a connection: what POP3 sources and IMAP destinations have in common."""

    host: Host = Field(description="the server: a name or an address, without port or scheme")
    tls: TlsMode = Field(
        TlsMode.IMPLICIT, description="how the connection is encrypted; for `none` see `allow_plaintext`"
    )
    port: Port = Field(description="the server's port")
    username: Text = Field(description="the name to log in with")
    password: LoginSecret = Field(description="see “Passwords”; for `xoauth2` and `oauthbearer` an access token")
    auth: Auth = Field(
        Auth.AUTO,
        description="how to log in; `auto` takes the strongest that the server offers, or the next if that is refused",
    )
    allow_plaintext: Annotated[bool, Field(strict=True, validate_default=True)] = Field(
        False,  # noqa: FBT003  # a default stands first
        description="an unencrypted connection to anything but this machine needs `true`",
    )
    ca_file: ExistingFile | None = Field(None, description="trust this certification authority only (a PEM file)")
    fingerprint: Fingerprint | None = Field(
        None,
        description="trust this certificate only, whatever its chain and name; with `ca_file`, both hold",
    )
    timeout: Duration = Field(
        timedelta(seconds=45),
        description="how long silence, or no progress, is tolerated; connecting has at most 20 seconds",
    )

    max_connections: Annotated[int, Field(strict=True, ge=1, le=100)] | None = Field(
        None,
        description="the most connections with this server at one time, over all accounts; without it what the server "
        "takes is learned from its refusals (eight at most)",
    )

    @field_validator("allow_plaintext")
    @classmethod
    def _plaintext_is_allowed(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic's signature
        host = info.data.get("host", "localhost")
        if info.data.get("tls") is TlsMode.NONE and not allowed and not is_loopback(host):
            raise ValueError(
                f'tls = "none" would send mail and password to {host} unencrypted; '
                "use tls, or accept that with allow_plaintext = true"
            )
        return allowed

    @field_validator("auth")
    @classmethod
    def _token_is_no_password(cls, auth: Auth, info: ValidationInfo) -> Auth:
        password = info.data.get("password")
        if password is not None and password.is_token and auth not in {Auth.AUTO, *TOKENS}:
            raise ValueError(f'"{auth}" would send an access token as a password; use auto')
        return auth

    @property
    def is_token(self) -> bool:
        """Whether an access token is what logs in, wherever it comes from."""
        return self.password.is_token or self.auth in TOKENS

    @property
    def endpoint(self) -> Endpoint:
        """The server."""
        return Endpoint(self.host, self.port)

    @property
    def tls_settings(self) -> TlsSettings:
        """How a connection to this server is encrypted and whom it trusts."""
        return TlsSettings(self.tls, self.ca_file, self.fingerprint)


class Source(Server):
    """A POP3 maildrop and what may happen to its mail."""

    port: Port = Field(default_factory=_by_tls(995, 110), description="the server's port")
    leave_on_server: Annotated[
        LeaveOnServer, PlainValidator(values.leave_on_server), Written("`true`, `false` or duration")
    ] = Field(
        Keep(),
        description="`true`: delete nothing; `false`: delete once every copy is verified; "
        '`"30 days"`: delete when that was so long ago',
    )
    proof_before_delete: SourceProof = Field(
        SourceProof.CONTENT,
        description="what proves that the source still holds what an earlier session copied: "
        "`content` (RETR again), `headers` (octets and TOP)",
    )
    max_message_size: Octets | None = Field(None, description="larger messages are left at the source and reported")


_WHEN_GONE = (
    "a proven copy that a person moved or expunged: `keep` (its message stays at the source), "
    "`restore` (store it again), `accept` (it counts as stored)"
)


class MboxDestination(Table):
    """A folder of append-only mboxrd volumes."""

    type: Literal["mbox"] = Field(description="the kind of destination")
    path: Folder = Field(
        description="the folder; accounts may share one, which then stores equal messages of theirs once"
    )
    volume_size: Octets = Field(2 * 10**9, description="a volume that has grown to this is closed, and a new one begun")


class MaildirDestination(Table):
    """A Maildir."""

    type: Literal["maildir"] = Field(description="the kind of destination")
    path: Folder = Field(description="the Maildir; accounts may share one, as with mbox")
    when_copy_is_gone: WhenCopyIsGone = Field(WhenCopyIsGone.KEEP, description=_WHEN_GONE)


class ImapDestination(Server):
    """A mailbox on an IMAP server.

    It knows where its table stands, for cures that are a setting.
    """

    type: Literal["imap"] = Field(description="the kind of destination")
    port: Port = Field(default_factory=_by_tls(993, 143), description="the server's port")
    folder: Text = Field("INBOX", description="the mailbox, with `/` between levels; created if it is missing")
    proof: Literal[Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC] = Field(
        Proof.EXACT,
        description="how well a copy must be proven; the grades below `exact` are for servers that change what they "
        "store ([providers](providers.md))",
    )
    flags: tuple[Text, ...] = Field((), description="system flags that each message arrives with")
    keywords: tuple[Text, ...] = Field((), description="keywords that each message arrives with")
    seen: Annotated[bool, Field(strict=True)] = Field(
        False,  # noqa: FBT003  # a default stands first
        description="whether messages arrive as read",
    )
    when_copy_is_gone: WhenCopyIsGone = Field(WhenCopyIsGone.KEEP, description=_WHEN_GONE)
    _place: Place | None = PrivateAttr(default=None)

    def written_at(self, place: Place) -> Self:
        """Return the mailbox as one whose table was read at this place."""
        copy = self.model_copy()
        copy._place = place  # noqa: SLF001  # a copy of its own
        return copy

    def setting_place(self) -> str:
        """Say where a person writes a setting of this mailbox; it takes a look through the whole file."""
        return "" if self._place is None else self._place.for_setting()


FolderDestination = MboxDestination | MaildirDestination
"""What stands on a disk of this machine."""

Destination = MboxDestination | MaildirDestination | S3Destination | ImapDestination
DESTINATIONS: dict[str, type[Destination]] = {
    "mbox": MboxDestination,
    "maildir": MaildirDestination,
    "s3": S3Destination,
    "imap": ImapDestination,
}


@dataclass(frozen=True, slots=True)
class Account:
    """One maildrop, where its mail goes, and when. ``place`` is where its table stands, None where it has none.

    ``address`` is what a sheet says whose mail it is, which need not be the name to log in with.
    """

    name: str
    source: Source
    destinations: tuple[Destination, ...]
    schedule: Schedule | None = None
    place: Place | None = None
    address: str = ""

    @property
    def file_name(self) -> str:
        """The name in a form that is safe as a file's name and unlike that of any other account."""
        quoted = quote(self.name, safe="@+")
        return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted

    @property
    def is_row(self) -> bool:
        """Whether it stands in a sheet, whose rows are worked each by itself."""
        return self.place is not None and self.place.line is not None

    def secrets(self) -> tuple[Secret, ...]:
        """Return every password that working this account needs."""
        return (*(server.password for server in self.servers()), *self._keys())

    def _keys(self) -> tuple[Secret, ...]:
        """Return what requests to object stores are signed with, where that is configured."""
        return tuple(key for end in self.destinations if isinstance(end, S3Destination) for key in end.signing_keys())

    def servers(self) -> tuple[Server, ...]:
        """Return the ends that are logged in to."""
        return tuple(end for end in (self.source, *self.destinations) if isinstance(end, Server))

    def secret_identities(self) -> tuple[str, ...]:
        """Return what changes when a person changes a password, or signs in; fetches no token. Only to be hashed."""
        passwords = (one.password.identity(is_fresh_each_time=one.is_token) for one in self.servers())
        return (*passwords, *(key.identity() for key in self._keys()))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of a sheet, or of the database, that is no account; ``problem`` is a line for a person that names it.

    ``lacks_host``: nothing is wrong with it but that nobody has looked yet for the server of its ``address``.
    """

    name: str
    address: str
    problem: str
    lacks_host: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. ``path`` is its file, None when it came from URLs; ``warnings`` are lines for a person.

    ``files`` are all that it was read from: ``path``, the ``accounts_file``, those that hold one account each, and what
    the page has written. ``bad_rows`` are no accounts, and hinder none. ``changed_by_page`` are the tables beside
    accounts that the page may change, since nobody has written them into ``path``. ``stored_revision`` is another one
    when the accounts that are kept in the ledger's database are others; ``unread`` is why those could not be read: they
    are missing then.
    """

    state_dir: Path
    accounts: Sequence[Account]
    path: Path | None = None
    files: tuple[Path, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    verify: VerifySchedule = field(default_factory=VerifySchedule)
    limits: LimitsTable = field(default_factory=LimitsTable)
    metrics: Metrics | None = None
    notify: Notify | None = None
    pings: Pings | None = None
    web: WebTable | None = None
    warnings: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    changed_by_page: frozenset[str] = frozenset()
    ledger: str = ""
    stored_revision: str = ""
    unread: FerryError | None = None

    @property
    def ledger_place(self) -> Path | str:
        """Where the ledger is: the state folder, in which it is a file, or the address of a database."""
        return self.ledger or self.state_dir

    def names(self) -> Iterator[str]:
        """Yield what the accounts are called, in the file's order."""
        many = self.accounts
        return many.names() if isinstance(many, ManyAccounts) else (account.name for account in many)

    def named(self, name: str) -> Account | None:
        """Return the account with this name, None if there is none."""
        many = self.accounts
        if isinstance(many, ManyAccounts):
            return many.named(name)
        return next((account for account in many if account.name == name), None)

    def select(self, names: Sequence[str]) -> Sequence[Account]:
        """Return the accounts with these names, in the file's order, or all for no names; raises ``ConfigError``.

        Where there is a page, which adds the first account, there may be none yet: then there is none to choose.
        """
        if not (self.accounts or names or self.bad_rows):
            raise ConfigError([NO_ACCOUNT])
        if not names:
            return self.accounts
        strange = [name for name in names if self.named(name) is None]
        if strange:
            bad = {row.name: row.problem for row in self.bad_rows}
            known = tuple(self.names())
            raise ConfigError(
                [bad.get(name) or f'there is no account "{name}"{nearest(name, known)}' for name in strange]
            )
        chosen = set(names)
        return tuple(filter(None, map(self.named, (name for name in self.names() if name in chosen))))

    def missing_secrets(self, accounts: Sequence[Account] | None = None) -> list[str]:
        """Say, a line for each, which password sources of the accounts (of all, by default) are plainly not there."""
        chosen = self.accounts if accounts is None else accounts
        lines = [
            f'account "{account.name}": {reason}'
            for account in chosen
            for secret in account.secrets()
            if (reason := secret.missing()) is not None
        ]
        return list(dict.fromkeys(lines))
