"""From the configuration to the two ends of an account: its source and its destinations.

What an end is made of is imported once there is one: a search needs no POP3, and an mbox archive no IMAP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from os.path import realpath
from typing import TYPE_CHECKING, assert_never

from migrator import config
from migrator.lazy_dataclasses import dataclass
from migrator.model import Proof, folder_identity, store_label
from migrator.policy import WhenCopyIsGone

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.destinations import Destination
    from migrator.destinations.s3.settings import S3Settings
    from migrator.imap.settings import ImapSettings
    from migrator.policy import Policy
    from migrator.pop3.session import Session, Source
    from migrator.run.context import AccountJob


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may: new messages to copy, messages to delete, log-ins; None without a limit.

    ``is_scheduled``: nobody watches it. What failed waits for its time then, and so does deletion by age where the
    clock has jumped, until a person has run ``migrate``.
    """

    messages: int | None = None
    deletions: int | None = None
    logins: int | None = None
    is_scheduled: bool = False


def job_of(account: config.Account, state_dir: Path, limits: RunLimits | None = None) -> AccountJob:
    """Return the work of one account; connects to nothing yet."""
    from migrator.run.context import AccountJob

    return AccountJob(
        name=account.name,
        source=source_of(account),
        password=account.source.password.for_login(),
        policy=policy_of(account.source, limits or RunLimits()),
        destinations=[destination_of(place, state_dir) for place in account.destinations],
        state_dir=state_dir,
    )


def connections_allowed(accounts: Iterable[config.Account]) -> dict[str, int]:
    """Return how many connections each server may have at one time where a person has said so: the least of all."""
    allowed: dict[str, int] = {}
    for account in accounts:
        for server in (account.source, *account.destinations):
            if isinstance(server, config.Server) and server.max_connections is not None:
                host = str(server.endpoint)
                allowed[host] = min(server.max_connections, allowed.get(host, server.max_connections))
    return allowed


def source_of(account: config.Account) -> Source:
    """Return where an account's mail is."""
    return _source_at(account.source)


def _source_at(source: config.Source) -> Source:
    from migrator.pop3.session import Source

    return Source(
        host=source.host,
        port=source.port,
        tls=source.tls_settings,
        username=source.username,
        auth=str(source.auth),
        allow_plaintext=source.allow_plaintext,
        timeout=source.timeout.total_seconds(),
        is_token=source.is_token,
    )


def open_source(account: config.Account) -> Session:
    """Log in where an account's mail is; raises ``FerryError``."""
    from migrator.pop3.session import open_session

    return open_session(source_of(account), account.source.password.for_login())


def policy_of(source: config.Source, limits: RunLimits) -> Policy:
    """Return what may happen to an account's mail."""
    from migrator.policy import Policy

    return Policy(
        leave_on_server=source.leave_on_server,
        source_proof=source.proof_before_delete,
        max_octets=source.max_message_size,
        limit=limits.messages,
        max_delete=limits.deletions,
        max_logins=limits.logins,
        has_patience=limits.is_scheduled,
    )


def identity_of(place: config.Destination, state_dir: Path) -> str:
    """Return what the ledger knows a destination by; for a folder nothing is imported that reads or writes it."""
    if isinstance(place, config.FolderDestination):
        return folder_identity(place.type, realpath(place.path))
    return destination_of(place, state_dir).identity


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a destination before anything is written to it or read there."""

    identity: str
    kind: str
    required_proof: Proof
    when_copy_is_gone: WhenCopyIsGone


def terms_of(place: config.Destination, state_dir: Path) -> Terms:
    """Return on which terms copies count there; for a folder nothing is imported that reads or writes it."""
    if isinstance(place, config.FolderDestination):
        gone = place.when_copy_is_gone if isinstance(place, config.MaildirDestination) else WhenCopyIsGone.KEEP
        return Terms(identity_of(place, state_dir), place.type, Proof.EXACT, gone)
    made = destination_of(place, state_dir)
    return Terms(made.identity, made.kind, made.required_proof, made.when_copy_is_gone)


def destination_of(
    place: config.Destination, state_dir: Path, step: Callable[[str], None] | None = None
) -> Destination:
    """Return a destination; connects to nothing yet. ``step`` is called with the name of each durable step."""
    from migrator.files import no_step

    step = step or no_step
    match place:
        case config.MboxDestination():
            from migrator.destinations.mbox.destination import MboxDestination

            return MboxDestination(
                place.path,
                state_dir=state_dir,
                clock=partial(datetime.now, UTC),
                volume_limit=place.volume_size,
                step=step,
            )
        case config.MaildirDestination():
            from migrator.destinations.maildir.destination import MaildirDestination

            return MaildirDestination(
                place.path,
                state_dir=state_dir,
                clock=partial(datetime.now, UTC),
                step=step,
                when_copy_is_gone=place.when_copy_is_gone,
            )
        case config.S3Destination():
            from migrator.destinations.s3.destination import S3Destination

            return S3Destination(
                s3_settings_of(place), state_dir=state_dir, clock=partial(datetime.now, UTC), step=step
            )
        case config.ImapDestination():
            from migrator.destinations.imap import ImapDestination

            settings = imap_settings_of(place)
            return ImapDestination(settings, place.password.for_login(), state_dir=state_dir, step=step)
        case _ as never:
            assert_never(never)


def s3_settings_of(place: config.S3Destination) -> S3Settings:
    """Return what is configured about an archive in an object store."""
    from migrator.destinations.s3.settings import Keys, S3Settings

    keys = place.signing_keys()
    return S3Settings(
        bucket=place.bucket,
        prefix=place.prefix,
        endpoint=place.endpoint or "",
        region=place.region or "",
        path_style=place.path_style,
        ca_file=place.ca_file,
        timeout=place.timeout.total_seconds(),
        keys=(lambda: Keys(*(key.reveal() for key in keys))) if keys else None,
    )


def imap_settings_of(place: config.ImapDestination) -> ImapSettings:
    """Return what is configured about a mailbox."""
    from migrator.imap.settings import ImapSettings

    return ImapSettings(
        host=place.host,
        port=place.port,
        tls=place.tls_settings,
        username=place.username,
        auth=str(place.auth),
        allow_plaintext=place.allow_plaintext,
        folder=place.folder,
        proof=place.proof,
        timeout=place.timeout.total_seconds(),
        flags=place.flags,
        keywords=place.keywords,
        seen=place.seen,
        when_copy_is_gone=place.when_copy_is_gone,
        setting_place=place.setting_place,
        is_token=place.is_token,
    )


def log_in_with(server: config.Server, secret: str) -> None:
    """Log in at an end with this secret, and leave at once; raises ``FerryError``."""
    if isinstance(server, config.Source):
        from migrator.pop3.session import open_session

        open_session(_source_at(server), lambda: secret).abandon()
    elif isinstance(server, config.ImapDestination):
        from migrator.imap.session import ImapSession

        ImapSession(imap_settings_of(server), lambda: secret).close()


def label_of(place: config.Destination) -> str:
    """Return what a person calls a destination."""
    if isinstance(place, config.ImapDestination):
        return f"{place.folder} of {place.username} at {place.host}"
    if isinstance(place, config.S3Destination):
        return store_label(place.bucket, place.prefix, place.endpoint or "")
    return f"{place.type} {place.path}"
