"""What tests of the IMAP destination need: one on loopback with time that does not pass, and ways to look behind it."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from migrator.destinations import Stored
from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.errors import FerryError
from migrator.imap.upload_limits import Allowances
from migrator.message.body import Message
from migrator.model import ImapLocator, Proof
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import WhenCopyIsGone
from tests.contract.support import content_of
from tests.servers.dovecot import Dovecot

PLAIN = TlsSettings(TlsMode.NONE)


@dataclass
class Naps:
    """Sleeping that is remembered, and takes no time unless it ``is_real``."""

    seconds: list[float] = field(default_factory=list)
    is_real: bool = False

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.is_real:
            time.sleep(seconds)


@dataclass
class Bench:
    """Opens destinations for one user of one server, each as a new run would."""

    server: Dovecot
    state_dir: Path
    user: str = "ann"
    naps: Naps = field(default_factory=Naps)
    steps: list[str] = field(default_factory=list)
    opened: list[ImapDestination] = field(default_factory=list)

    def open(
        self,
        port: int | None = None,
        *,
        tls: TlsSettings = PLAIN,
        folder: str = "INBOX",
        proof: Proof = Proof.EXACT,
        timeout: float = 20.0,
        auth: str = "auto",
        password: str | None = None,
        flags: tuple[str, ...] = (),
        keywords: tuple[str, ...] = (),
        allowances: Allowances | None = None,
        gone: WhenCopyIsGone = WhenCopyIsGone.KEEP,
        host: str | None = None,
        step: Callable[[str], None] | None = None,
    ) -> ImapDestination:
        """Open the user's folder at ``port`` (a proxy's, say); by default at the server itself."""
        settings = ImapSettings(
            host or self.server.host,
            port or self.server.imap_port,
            self.user,
            tls=tls,
            auth=auth,
            folder=folder,
            proof=proof,
            timeout=timeout,
            flags=flags,
            keywords=keywords,
            allowances=allowances,
            when_copy_is_gone=gone,
        )
        destination = ImapDestination(
            settings,
            lambda: password or self.server.password,
            state_dir=self.state_dir,
            sleep=self.naps,
            step=step or self.steps.append,
            lock_timeout=0.05,
        )
        self.opened.append(destination)
        return destination

    def contents(self, folder: str = "INBOX") -> list[bytes]:
        """What really stands in the folder."""
        return self.server.mailbox(self.user, folder).messages()

    @contextmanager
    def as_another_client(self, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Log in as the person does, with the folder open for writing."""
        with imaplib.IMAP4(self.server.host, self.server.imap_port, timeout=20) as session:
            session.login(self.user, self.server.password)
            session.select(folder)
            yield session

    def expunge(self, uids: str, folder: str = "INBOX") -> None:
        """Take messages out, as the person does."""
        with self.as_another_client(folder) as session:
            session.uid("STORE", uids, "+FLAGS", "(\\Deleted)")
            session.expunge()

    def make_anew(self, folder: str, messages: Sequence[bytes] | None = None) -> None:
        """Delete a folder and make it again under another UIDVALIDITY, with these messages or those that it had."""
        contents = self.contents(folder) if messages is None else messages
        with self.as_another_client() as session:
            session.delete(folder)
            session.create(folder)
        self.server.mailbox(self.user, folder).append(contents)

    def close(self) -> None:
        """Close whatever was opened."""
        for destination in self.opened:
            destination.close()


def bodies_of(messages: list[Message]) -> list[bytes]:
    """Return the bytes of messages."""
    return [content_of(each.body) for each in messages]


def locators_of(stored: Stored) -> list[ImapLocator]:
    """Return where everything stands; fails on any error."""
    return list(_located(stored))


def _located(stored: Stored) -> Iterator[ImapLocator]:
    for outcome in stored.outcomes:
        assert isinstance(outcome, ImapLocator), str(outcome)
        yield outcome


def errors_of(stored: Stored) -> dict[int, FerryError]:
    """Return the errors by the places of their messages."""
    return {place: outcome for place, outcome in enumerate(stored.outcomes) if isinstance(outcome, FerryError)}
