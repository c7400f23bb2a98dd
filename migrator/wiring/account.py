"""From the configuration to the two ends of an account: its source and its destinations.

What an end is made of is imported once there is one: a search needs no POP3, and an mbox archive no IMAP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, assert_never

from migrator import config

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.destinations import Destination
    from migrator.policy import Policy
    from migrator.pop3.session import Session, Source
    from migrator.run.context import AccountJob


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a person allows one run: new messages to copy, messages to delete; None without a limit."""

    messages: int | None = None
    deletions: int | None = None


def job_of(account: config.Account, state_dir: Path, limits: RunLimits | None = None) -> AccountJob:
    """Return the work of one account; connects to nothing yet."""
    from migrator.run.context import AccountJob

    return AccountJob(
        name=account.name,
        source=source_of(account),
        password=account.source.password.reveal,
        policy=policy_of(account.source, limits or RunLimits()),
        destinations=[destination_of(place, state_dir) for place in account.destinations],
        state_dir=state_dir,
    )


def source_of(account: config.Account) -> Source:
    """Return where an account's mail is."""
    from migrator.pop3.session import Source

    source = account.source
    return Source(
        host=source.host,
        port=source.port,
        tls=source.tls_settings,
        username=source.username,
        auth=str(source.auth),
        allow_plaintext=source.allow_plaintext,
        timeout=source.timeout.total_seconds(),
    )


def open_source(account: config.Account) -> Session:
    """Log in where an account's mail is; raises ``FerryError``."""
    from migrator.pop3.session import open_session

    return open_session(source_of(account), account.source.password.reveal)


def policy_of(source: config.Source, limits: RunLimits) -> Policy:
    """Return what may happen to an account's mail."""
    from migrator.policy import Policy

    return Policy(
        leave_on_server=source.leave_on_server,
        source_proof=source.proof_before_delete,
        max_octets=source.max_message_size,
        limit=limits.messages,
        max_delete=limits.deletions,
    )


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
        case config.ImapDestination():
            from migrator.destinations.imap import ImapDestination, ImapSettings

            settings = ImapSettings(
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
            )
            return ImapDestination(settings, place.password.reveal, state_dir=state_dir, step=step)
        case _ as never:
            assert_never(never)


def label_of(place: config.Destination) -> str:
    """Return what a person calls a destination."""
    if isinstance(place, config.ImapDestination):
        return f"{place.folder} of {place.username} at {place.host}"
    return f"{place.type} {place.path}"
