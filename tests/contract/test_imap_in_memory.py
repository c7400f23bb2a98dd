"""The contract of destinations held against the scripted IMAP server; what is left out stands in ``test_imap.py``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.net.tls import TlsMode, TlsSettings
from tests.contract.test_destinations import (
    Place,
    memory,
    test_a_batch_that_the_ledger_did_not_hear_of_is_found_once,
    test_a_large_message_streams,
    test_a_later_run_reads_what_an_earlier_one_stored,
    test_a_lost_copy_is_an_error_of_its_own,
    test_an_empty_batch_is_nothing,
    test_an_intent_without_any_store_leaves_nothing_to_find,
    test_closing_never_raises,
    test_it_says_what_it_is,
    test_nothing_new_is_nothing_found,
    test_one_batch_after_another_under_one_lock,
    test_probing_changes_nothing,
    test_two_runs_exclude_each_other_and_other_places_are_free,
    test_what_is_stored_is_read_back_in_order,
)
from tests.servers.imap import CAPABILITIES, ImapServer
from tests.servers.mailboxes import INBOX, AppendItem, Mailboxes

__all__ = [
    "memory",
    "test_a_batch_that_the_ledger_did_not_hear_of_is_found_once",
    "test_a_large_message_streams",
    "test_a_later_run_reads_what_an_earlier_one_stored",
    "test_a_lost_copy_is_an_error_of_its_own",
    "test_an_empty_batch_is_nothing",
    "test_an_intent_without_any_store_leaves_nothing_to_find",
    "test_closing_never_raises",
    "test_it_says_what_it_is",
    "test_nothing_new_is_nothing_found",
    "test_one_batch_after_another_under_one_lock",
    "test_probing_changes_nothing",
    "test_two_runs_exclude_each_other_and_other_places_are_free",
    "test_what_is_stored_is_read_back_in_order",
]

PLAIN = ("IMAP4rev1", "AUTH=PLAIN")


@pytest.fixture(params=[CAPABILITIES, PLAIN], ids=["able", "plain"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    mailboxes = Mailboxes()
    with ImapServer(mailboxes, capabilities=request.param) as server, ExitStack() as opened:

        def open_folder(folder: str = "INBOX") -> ImapDestination:
            settings = ImapSettings(
                server.host, server.port, "ann", tls=TlsSettings(TlsMode.NONE), folder=folder, timeout=20
            )
            destination = ImapDestination(
                settings, lambda: server.password, state_dir=tmp_path, sleep=lambda _: None, lock_timeout=0.05
            )
            opened.callback(destination.close)
            return destination

        def put(content: bytes) -> None:
            mailboxes.append(INBOX, [AppendItem(content)])

        yield Place(open_folder, lambda: open_folder("Another"), put, lambda: _expunge_all(mailboxes))


def _expunge_all(mailboxes: Mailboxes) -> None:
    folder = mailboxes.folder(INBOX)
    assert folder is not None
    for message in list(folder.messages):
        mailboxes.expunge(INBOX, message.uid)
