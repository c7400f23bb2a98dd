"""The tables of sources and destinations as pydantic checks them.

Each key says in its ``description`` what it means: docs/configuration.md is printed from these (``make docs``). What a
table says once it is right is a value of ``model``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.functional_validators import PlainValidator

from migrator.config import values
from migrator.config.model import (
    TOKENS,
    Auth,
    Destination,
    ImapDestination,
    MaildirDestination,
    MboxDestination,
    Source,
)
from migrator.config.store_table import S3Table
from migrator.config.table import (
    Checking,
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
from migrator.model import Proof
from migrator.net.tls import TlsMode, is_loopback
from migrator.policy import Keep, LeaveOnServer, SourceProof, WhenCopyIsGone


def _by_tls(implicit: int, otherwise: int) -> Callable[[dict[str, object]], int]:
    return lambda table: implicit if table.get("tls", TlsMode.IMPLICIT) is TlsMode.IMPLICIT else otherwise


class ServerTable(Table):
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


class SourceTable(ServerTable):
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

    def value(self) -> Source:
        """Return what the table says."""
        return Source(**self.told(), written=self.written)


_WHEN_GONE = (
    "a proven copy that a person moved or expunged: `keep` (its message stays at the source), "
    "`restore` (store it again), `accept` (it counts as stored)"
)


class MboxTable(Table):
    """A folder of append-only mboxrd volumes."""

    type: Literal["mbox"] = Field(description="the kind of destination")
    path: Folder = Field(
        description="the folder; accounts may share one, which then stores equal messages of theirs once"
    )
    volume_size: Octets = Field(2 * 10**9, description="a volume that has grown to this is closed, and a new one begun")

    def value(self) -> MboxDestination:
        """Return what the table says."""
        return MboxDestination(**self.told(), written=self.written)


class MaildirTable(Table):
    """A Maildir."""

    type: Literal["maildir"] = Field(description="the kind of destination")
    path: Folder = Field(description="the Maildir; accounts may share one, as with mbox")
    when_copy_is_gone: WhenCopyIsGone = Field(WhenCopyIsGone.KEEP, description=_WHEN_GONE)

    def value(self) -> MaildirDestination:
        """Return what the table says."""
        return MaildirDestination(**self.told(), written=self.written)


class ImapTable(ServerTable):
    """A mailbox on an IMAP server."""

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

    def value(self) -> ImapDestination:
        """Return what the table says."""
        return ImapDestination(**self.told(), written=self.written)


DESTINATIONS: dict[str, type[Checking[Destination]]] = {
    "mbox": MboxTable,
    "maildir": MaildirTable,
    "s3": S3Table,
    "imap": ImapTable,
}
