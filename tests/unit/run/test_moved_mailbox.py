from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrator.copy_records import Found
from migrator.copying.copier import Copier
from migrator.ledger import Ledger
from migrator.model import Digest, ImapLocator, is_same_mailbox_elsewhere, mailbox_identity
from migrator.run.moved_mailbox import follow_mailbox
from tests.mail import simple
from tests.memory_destination import MemoryDestination

OLD = mailbox_identity("ann@example.org", "Mail.Example.org", "inbox")
NEW = mailbox_identity("ann@example.org", "127.0.0.1", "INBOX")


@dataclass
class Mailbox(MemoryDestination):
    """A mailbox that tells its UIDVALIDITY, and counts how often it is asked."""

    kind: str = "imap"
    validity: int | None = 7
    asked: list[str] = field(default_factory=list)

    def uid_validity(self) -> int | None:
        self.asked.append(self.identity)
        return self.validity


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger that knows one copy in the old place, under UIDVALIDITY 7."""
    with closing(Ledger.open(tmp_path)) as ledger:
        one = simple(1)
        found = Found(one.digest, one.header_digest, one.message_id, one.octets, ImapLocator(7, 1))
        ledger.copies(OLD, "imap").found([found], [])
        yield ledger


def copier(ledger: Ledger, mailbox: MemoryDestination) -> Copier:
    return Copier(mailbox, ledger.copies(mailbox.identity, mailbox.kind), clock=lambda: 7.0)


def known(ledger: Ledger, identity: str) -> list[Digest]:
    return list(ledger.copies(identity, "imap").find([simple(1).digest]))


def test_a_mailbox_under_another_host_name_keeps_what_is_known_of_it(ledger: Ledger) -> None:
    assert follow_mailbox(ledger, copier(ledger, Mailbox(NEW)), {NEW})
    assert known(ledger, NEW) == [simple(1).digest]
    assert not follow_mailbox(ledger, copier(ledger, Mailbox(NEW)), {NEW})


@pytest.mark.parametrize("validity", [8, None])
def test_a_mailbox_at_a_new_provider_is_another_one(ledger: Ledger, validity: int | None) -> None:
    assert not follow_mailbox(ledger, copier(ledger, Mailbox(NEW, validity=validity)), {NEW})
    assert known(ledger, NEW) == []


def test_no_server_is_asked_where_there_is_nothing_to_follow(ledger: Ledger) -> None:
    both = Mailbox(NEW)
    assert not follow_mailbox(ledger, copier(ledger, both), {NEW, OLD})
    elsewhere = Mailbox(mailbox_identity("bob@example.org", "127.0.0.1", "INBOX"))
    assert not follow_mailbox(ledger, copier(ledger, elsewhere), {elsewhere.identity})
    folder = MemoryDestination("mbox:/archive", kind="mbox")
    assert not follow_mailbox(ledger, copier(ledger, folder), {folder.identity})
    assert both.asked == elsewhere.asked == []


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (OLD, NEW, True),
        (OLD, OLD, False),
        (OLD, mailbox_identity("ann@example.org", "127.0.0.1", "INBOX/Old"), False),
        (OLD, mailbox_identity("Ann@example.org", "127.0.0.1", "INBOX"), False),
        ("mbox:/a", "mbox:/b", False),
        ("imap:a@b@one/INBOX", "imap:a@b@two/INBOX", True),
    ],
)
def test_the_same_mailbox_elsewhere_differs_in_its_host_and_in_nothing_else(
    one: str, other: str, is_same: bool
) -> None:
    assert is_same_mailbox_elsewhere(one, other) is is_same
