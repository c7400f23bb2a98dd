"""The configuration as types: one frozen model per table of the file; docs/configuration is the same in prose.

A table is added by writing a model here, naming it in ``Config`` and reading it in ``migrator.config.reading``.
A relative path starts at the folder that the validation context names; ``~`` is the home folder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.functional_validators import PlainValidator

from migrator.config import passwords, values
from migrator.config.problems import nearest
from migrator.errors import ConfigError
from migrator.model import Proof
from migrator.net import TlsMode, TlsSettings, is_loopback
from migrator.policy import Keep, LeaveOnServer, SourceProof
from migrator.secrets import Secret


@dataclass(frozen=True, slots=True)
class Context:
    """What a table needs to know of its surroundings: where relative paths start, which variables hold passwords."""

    folder: Path
    withheld: frozenset[str] = frozenset()

    def path(self, written: str) -> Path:
        """Return the absolute path of one that was written down."""
        return (self.folder / Path(written).expanduser()).absolute()


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


def _absolute(written: object, info: ValidationInfo) -> Path:
    if not isinstance(written, str) or not written or "\0" in written:
        raise ValueError(f"{values.shown(written)} must be a path")
    return _context(info).path(written)


def _existing_file(written: object, info: ValidationInfo) -> Path:
    path = _absolute(written, info)
    if not path.is_file():
        raise ValueError(f"the file {path} is not there")
    return path


def _password(written: object, info: ValidationInfo) -> Secret:
    if isinstance(written, Secret):
        return written
    context = _context(info)
    username = info.data.get("username", "")
    return passwords.secret(written, path=context.path, username=username, withheld=context.withheld)


def _context(info: ValidationInfo) -> Context:
    if not isinstance(info.context, Context):
        raise TypeError("a table of the configuration is validated with a Context")
    return info.context


def _by_tls(implicit: int, otherwise: int) -> Callable[[dict[str, object]], int]:
    return lambda table: implicit if table.get("tls", TlsMode.IMPLICIT) is TlsMode.IMPLICIT else otherwise


Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Text = Annotated[str, BeforeValidator(values.one_line)]
Host = Annotated[str, BeforeValidator(values.host)]
Fingerprint = Annotated[str, BeforeValidator(values.fingerprint)]
Duration = Annotated[timedelta, PlainValidator(values.positive_duration)]
Octets = Annotated[int, PlainValidator(values.size)]
Folder = Annotated[Path, PlainValidator(_absolute)]
ExistingFile = Annotated[Path, PlainValidator(_existing_file)]


class Table(BaseModel):
    """A table of the file: unknown keys and wrong types are errors, and nothing changes once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    @classmethod
    def key_names(cls) -> tuple[str, ...]:
        """Return the keys that may stand in the table."""
        return tuple(cls.model_fields)


class Server(Table):
    """One end of a connection: what POP3 sources and IMAP destinations have in common."""

    host: Host
    tls: TlsMode = TlsMode.IMPLICIT
    port: Port
    username: Text
    password: Annotated[Secret, PlainValidator(_password)]
    auth: Auth = Auth.AUTO
    allow_plaintext: Annotated[bool, Field(strict=True, validate_default=True)] = False
    ca_file: ExistingFile | None = None
    fingerprint: Fingerprint | None = None
    timeout: Duration = timedelta(seconds=45)

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

    @property
    def tls_settings(self) -> TlsSettings:
        """How a connection to this server is encrypted and whom it trusts."""
        return TlsSettings(self.tls, self.ca_file, self.fingerprint)


class Source(Server):
    """A POP3 maildrop and what may happen to its mail."""

    port: Port = Field(default_factory=_by_tls(995, 110))
    leave_on_server: Annotated[LeaveOnServer, PlainValidator(values.leave_on_server)] = Keep()
    proof_before_delete: SourceProof = SourceProof.CONTENT
    max_message_size: Octets | None = None


class MboxDestination(Table):
    """A folder of append-only mboxrd volumes."""

    type: Literal["mbox"]
    path: Folder
    volume_size: Octets = 2 * 10**9


class MaildirDestination(Table):
    """A Maildir."""

    type: Literal["maildir"]
    path: Folder


class ImapDestination(Server):
    """A mailbox on an IMAP server."""

    type: Literal["imap"]
    port: Port = Field(default_factory=_by_tls(993, 143))
    folder: Text = "INBOX"
    proof: Literal[Proof.EXACT, Proof.CANONICAL, Proof.SEMANTIC] = Proof.EXACT
    flags: tuple[Text, ...] = ()
    keywords: tuple[Text, ...] = ()
    seen: Annotated[bool, Field(strict=True)] = False


Destination = MboxDestination | MaildirDestination | ImapDestination
DESTINATIONS: dict[str, type[Destination]] = {
    "mbox": MboxDestination,
    "maildir": MaildirDestination,
    "imap": ImapDestination,
}


class Schedule(Table):
    """When ``mailferry run`` works an account: exactly one of ``every`` and ``cron`` is there."""

    cron: str | None = None
    every: Annotated[Duration | None, Field(validate_default=True)] = None

    @field_validator("cron")
    @classmethod
    def _cron_is_understood(cls, written: str | None) -> str | None:
        from apscheduler.triggers.cron import CronTrigger

        if written is not None:
            try:
                CronTrigger.from_crontab(written)
            except ValueError as error:
                raise ValueError(f'{values.shown(written)} is no cron line such as "*/15 * * * *": {error}') from error
        return written

    @field_validator("every")
    @classmethod
    def _one_of_both(cls, every: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if every and info.data.get("cron"):
            raise ValueError("every and cron stand side by side; keep one of them")
        return None if info.data.get("cron") else every or timedelta(minutes=15)


class VerifySchedule(Table):
    """How often ``mailferry run`` reads the whole archive again."""

    every: Duration = timedelta(days=30)


class Metrics(Table):
    """Where ``mailferry run`` answers Prometheus: an address and a port."""

    listen: Text

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, written: str) -> str:
        host, colon, port = written.rpartition(":")
        if not (colon and port.isdecimal() and int(port) <= 65535):
            raise ValueError(f'{values.shown(written)} must be an address and a port, such as "127.0.0.1:9300"')
        values.host(host)
        return written


class Account(Table):
    """One maildrop, where its mail goes, and when."""

    name: str
    source: Source
    destinations: tuple[Destination, ...]
    schedule: Schedule | None = None

    @property
    def file_name(self) -> str:
        """The name in a form that is safe as a file's name and unlike that of any other account."""
        quoted = quote(self.name, safe="@+")
        return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted

    def secrets(self) -> tuple[Secret, ...]:
        """Return every password that working this account needs."""
        servers = [end for end in (self.source, *self.destinations) if isinstance(end, Server)]
        return tuple(server.password for server in servers)


class Config(Table):
    """A whole configuration. ``path`` is its file, None when it came from URLs; ``warnings`` are lines for a person."""

    path: Path | None = None
    state_dir: Path
    schedule: Schedule = Schedule()
    verify: VerifySchedule = VerifySchedule()
    metrics: Metrics | None = None
    accounts: tuple[Account, ...]
    warnings: tuple[str, ...] = ()

    def select(self, names: Sequence[str]) -> tuple[Account, ...]:
        """Return the accounts with these names, in the file's order, or all for no names; raises ``ConfigError``."""
        known = {account.name: account for account in self.accounts}
        strange = [name for name in names if name not in known]
        if strange:
            raise ConfigError([f'there is no account "{name}"{nearest(name, known)}' for name in strange])
        return tuple(account for account in self.accounts if not names or account.name in names)

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
