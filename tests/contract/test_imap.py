"""The contract of destinations held against a folder on a real Dovecot.

Left out is what only an archive of our own promises: that odd bytes stay as they are (what servers change is in
tests/integration/test_imap_destination.py), and that mail which no intent speaks of is found. A mailbox belongs to its
owner; ``recover`` looks there for what was meant to be stored, and for nothing else.
"""

from __future__ import annotations

import imaplib
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
    test_no_handle_stays_open,
    test_nothing_new_is_nothing_found,
    test_one_batch_after_another_under_one_lock,
    test_probing_changes_nothing,
    test_two_runs_exclude_each_other_and_other_places_are_free,
    test_what_is_stored_is_read_back_in_order,
)
from tests.servers.dovecot import Dovecot

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
    "test_no_handle_stays_open",
    "test_nothing_new_is_nothing_found",
    "test_one_batch_after_another_under_one_lock",
    "test_probing_changes_nothing",
    "test_two_runs_exclude_each_other_and_other_places_are_free",
    "test_what_is_stored_is_read_back_in_order",
]


@pytest.fixture
def place(dovecot: Dovecot, tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as opened:

        def open_folder(folder: str = "INBOX") -> ImapDestination:
            settings = ImapSettings(
                dovecot.host, dovecot.imap_port, "ann", tls=TlsSettings(TlsMode.NONE), folder=folder
            )
            destination = ImapDestination(
                settings, lambda: dovecot.password, state_dir=tmp_path, sleep=lambda _: None, lock_timeout=0.05
            )
            opened.callback(destination.close)
            return destination

        yield Place(
            open_folder,
            lambda: open_folder("Another"),
            lambda content: dovecot.mailbox("ann").append([content]),
            lambda: _delete_everything(dovecot),
        )


def _delete_everything(server: Dovecot) -> None:
    with imaplib.IMAP4(server.host, server.imap_port, timeout=20) as session:
        session.login("ann", server.password)
        session.select("INBOX")
        session.store("1:*", "+FLAGS", "\\Deleted")
        session.expunge()
