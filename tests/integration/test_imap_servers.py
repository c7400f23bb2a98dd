"""The IMAP destination on Cyrus and Courier: other servers, other habits, each message once and proven or reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult
from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.proof import prove
from migrator.model import Proof
from tests.conftest import PrivateImap
from tests.contract.support import Memory, read, recover, store
from tests.integration.imap_support import PLAIN, Naps, bodies_of, errors_of, locators_of
from tests.integration.test_imap_destination import ODD
from tests.mail import message_of, simple
from tests.servers.imap_faults import DropUnanswered
from tests.servers.imap_proxy import ImapProxy

REFUSED = {"Cyrus": {"NUL", "no colon"}, "Courier": set[str]()}
CANONICAL = {
    "Cyrus": {"8-bit header"},
    "Courier": {"no final line end", "bare CR", "CR CR LF"},
}


class Opened:
    """Opens the same folder anew, as a new run would."""

    def __init__(self, server: PrivateImap, state_dir: Path) -> None:
        self.server = server
        self._state_dir = state_dir
        self._opened: list[ImapDestination] = []

    def __call__(
        self, port: int | None = None, *, folder: str = "INBOX", proof: Proof = Proof.EXACT
    ) -> ImapDestination:
        settings = ImapSettings(
            self.server.host, port or self.server.imap_port, "ann", tls=PLAIN, folder=folder, proof=proof, timeout=30
        )
        destination = ImapDestination(
            settings, lambda: self.server.password, state_dir=self._state_dir, sleep=Naps(is_real=True)
        )
        self._opened.append(destination)
        return destination

    def close(self) -> None:
        for destination in self._opened:
            destination.close()


@pytest.fixture
def opened(private_imap: PrivateImap, tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(private_imap, tmp_path)
    yield opened
    opened.close()


def test_stores_in_order_and_reads_back_exactly(opened: Opened) -> None:
    messages = [simple(number, 3000) for number in range(150)]
    destination, memory = opened(), Memory()
    stored = [store(destination, memory, messages[start : start + 100]) for start in (0, 100)]
    assert [content for each in stored for content in read(destination, each)] == bodies_of(messages)
    assert opened.server.mailbox("ann").messages() == bodies_of(messages)


def test_odd_messages_arrive_once_proven_or_are_refused_with_the_reason(opened: Opened) -> None:
    kind = type(opened.server).__name__
    destination = opened()
    messages = [message_of(content) for content in ODD.values()]
    stored = store(destination, Memory(), messages)
    refused = errors_of(stored)
    names = list(ODD)
    assert {names[place] for place in refused} == REFUSED[kind]
    assert all(error.kind is Kind.REFUSED and error.server_words for error in refused.values())
    kept = [place for place in range(len(names)) if place not in refused]
    shown = destination.read([outcome for outcome in stored.outcomes if not isinstance(outcome, FerryError)])
    grades = {}
    for place, copy in zip(kept, shown, strict=True):
        assert not isinstance(copy, FerryError)
        grades[names[place]] = prove(messages[place].body, copy).proof
    assert set(grades.values()) <= {Proof.EXACT, Proof.CANONICAL}
    assert {name for name, proof in grades.items() if proof is Proof.CANONICAL} == CANONICAL[kind]
    assert opened.server.mailbox("ann").count() == len(kept)


def test_a_lost_reply_neither_loses_nor_doubles(opened: Opened) -> None:
    messages = [simple(number, 3000) for number in range(30)]
    with ImapProxy(opened.server.imap_port, faults=[DropUnanswered("APPEND", skip=0, times=2)]) as proxy:
        destination = opened(proxy.port)
        stored = store(destination, Memory(), messages)
        assert read(destination, stored) == bodies_of(messages)
    assert len(locators_of(stored)) == 30
    assert sorted(opened.server.mailbox("ann").messages()) == sorted(bodies_of(messages))


def test_recovery_recognises_what_this_server_alters(opened: Opened) -> None:
    messages = [message_of(content) for content in ODD.values()]
    destination, memory = opened(), Memory()
    with destination.exclusive():
        memory.intend(destination, destination.begin(messages), messages)
        stored = destination.store(messages)
    recover(opened(), memory)
    accepted = [
        m.digest for m, outcome in zip(messages, stored.outcomes, strict=True) if not isinstance(outcome, FerryError)
    ]
    assert set(memory.copies) == set(accepted)


def test_a_folder_is_made_where_this_server_keeps_folders(opened: Opened) -> None:
    for number in (1, 2):
        store(opened(folder="Old/Büro"), Memory(), [simple(number)])
    assert opened(folder="Old/Büro").probe()["messages"] == 2


def test_after_the_ledger_is_lost_this_servers_mailbox_is_recognised(opened: Opened, tmp_path: Path) -> None:
    refused = REFUSED[type(opened.server).__name__]
    messages = [simple(n) for n in range(120)] + [message_of(c) for name, c in ODD.items() if name not in refused]
    for state, expected in [("one", CopyResult.COPIED), ("two", CopyResult.DUPLICATE)]:
        destination = opened(proof=Proof.CANONICAL)
        with closing(Ledger.open(tmp_path / state)) as ledger:
            copies = ledger.copies(destination.identity, destination.kind)
            assert set(Copier(destination, copies, clock=lambda: 1.0).copy(messages)) == {expected}
