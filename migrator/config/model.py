"""The configuration as types: one frozen value for each table of the file, and what they make up together.

They were checked before they were made (``server_tables``, ``worker_tables``, ``store_table``), and check nothing
themselves: importing them takes no pydantic. A table is added by writing both, naming the value in ``Config`` and
reading the table in ``migrator.config.reading``. What only the scheduled worker reads is in ``worker``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from migrator.config.many_accounts import ManyAccounts
from migrator.config.problems import Place, nearest
from migrator.config.secrets import Secret
from migrator.config.settings import NO_SETTING, changed
from migrator.config.store import S3Destination
from migrator.config.worker import Limits, Metrics, Notify, Pings, Schedule, VerifySchedule, Web
from migrator.errors import ConfigError, Endpoint, FerryError
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import Proof
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import LeaveOnServer, SourceProof, WhenCopyIsGone


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One end of a connection: what POP3 sources and IMAP destinations have in common.

    ``written`` are the keys that stand in its table.
    """

    host: str
    tls: TlsMode
    port: int
    username: str
    password: Secret
    auth: Auth
    allow_plaintext: bool
    ca_file: Path | None
    fingerprint: str | None
    timeout: timedelta
    max_connections: int | None
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False, metadata=NO_SETTING)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Server):
    """A POP3 maildrop and what may happen to its mail."""

    leave_on_server: LeaveOnServer
    proof_before_delete: SourceProof
    max_message_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MboxDestination:
    """A folder of append-only mboxrd volumes."""

    type: Literal["mbox"]
    path: Path
    volume_size: int
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False, metadata=NO_SETTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirDestination:
    """A Maildir."""

    type: Literal["maildir"]
    path: Path
    when_copy_is_gone: WhenCopyIsGone
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False, metadata=NO_SETTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapDestination(Server):
    """A mailbox on an IMAP server.

    It knows where its table stands, for cures that are a setting.
    """

    type: Literal["imap"]
    folder: str
    proof: Proof
    flags: tuple[str, ...]
    keywords: tuple[str, ...]
    seen: bool
    when_copy_is_gone: WhenCopyIsGone
    place: Place | None = field(default=None, repr=False, metadata=NO_SETTING)

    def written_at(self, place: Place) -> ImapDestination:
        """Return the mailbox as one whose table was read at this place."""
        return changed(self, {"place": place})

    def setting_place(self) -> str:
        """Say where a person writes a setting of this mailbox; it takes a look through the whole file."""
        return "" if self.place is None else self.place.for_setting()


FolderDestination = MboxDestination | MaildirDestination
"""What stands on a disk of this machine."""

Destination = MboxDestination | MaildirDestination | S3Destination | ImapDestination

NO_ACCOUNT = "there is no account; add [[accounts]], or run: mailferry add ADDRESS"


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
    limits: Limits = field(default_factory=Limits)
    metrics: Metrics | None = None
    notify: Notify | None = None
    pings: Pings | None = None
    web: Web | None = None
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
        found = {name: self.named(name) for name in names}
        chosen = {name: account for name, account in found.items() if account is not None}
        if strange := [name for name in found if name not in chosen]:
            bad = {row.name: row.problem for row in self.bad_rows}
            known = tuple(self.names())
            raise ConfigError(
                [bad.get(name) or f'there is no account "{name}"{nearest(name, known)}' for name in strange]
            )
        if len(chosen) == 1:  # each run asks for its own: of ten thousand, nobody goes through all for one
            return tuple(chosen.values())
        return tuple(chosen[name] for name in self.names() if name in chosen)

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
