from __future__ import annotations

from pathlib import Path

import pytest

from migrator.adopting.fdm import FDM
from migrator.adopting.model import NotTaken, OldAccount
from migrator.message.digest import header_block
from migrator.net.tls import TlsMode
from tests.unit.adopting.left_behind import MESSAGES, PASSWORD, UNIQUE_IDS, document, sample, stored_message

HOME = Path("/home/alice")


def accounts(text: str) -> list[OldAccount | NotTaken]:
    return list(FDM.accounts(document(".fdm.conf", text.encode()), HOME))


def test_an_account_is_read_with_its_cache_and_the_mailboxes_of_all_actions() -> None:
    [found] = accounts(sample("fdm/fdm.conf").decode())
    assert isinstance(found, OldAccount)
    assert (found.host, found.port, found.username, found.password) == ("127.0.0.1", 1110, "alice", PASSWORD)
    assert (found.tls, found.deletes, found.marks) == (TlsMode.NONE, False, frozenset({"work"}))
    assert found.state_files == (HOME / "fdmc/cache",)
    assert found.stores == (HOME / "fdm.mbox", HOME / "fdm-maildir")


def test_macros_are_put_in_and_what_is_no_pop3_is_named() -> None:
    text = """
    $host = "pop.example.org"
    $box = "${home}/x"
    # account "commented" pop3 server "h" user "u" pass "p"
    action "in" maildir "%h/Mail/inbox"
    action "split" maildir "%h/Mail/%[tag]"
    account "a" user "root" pop3s server $host user "alice" pass 'p$w' new-only cache "%h/.cache"
    account "b" imaps server "imap.example.org" user "bob" pass "x"
    account "c" disabled pop3 server "h" user "u" pass "p"
    account "d" pop3 server "h"
    account "e" pop3 server "pop.example.org" port "pop3" user "eve" pass "x" starttls keep
    match all action "in"
    """
    alice, *others, eve = accounts(text)
    assert isinstance(alice, OldAccount)
    assert isinstance(eve, OldAccount)
    assert (alice.host, alice.username, alice.password) == ("pop.example.org", "alice", "p$w")
    assert (alice.tls, alice.deletes) == (TlsMode.IMPLICIT, True)
    assert alice.stores == (HOME / "Mail/inbox",)
    assert alice.state_files == (HOME / ".cache",)
    assert (eve.port, eve.tls, eve.deletes) == (110, TlsMode.STARTTLS, False)
    assert [type(one) for one in others] == [NotTaken] * 3


def test_a_cache_names_unique_ids_with_their_lengths() -> None:
    [found] = accounts(sample("fdm/fdm.conf").decode())
    assert isinstance(found, OldAccount)
    cache = document("cache", sample("fdm/cache"))
    assert FDM.is_state(cache)
    assert FDM.fetched(cache, found) == set(UNIQUE_IDS)
    assert not FDM.is_state(document("x", b"11 uid-00000001\n"))
    assert not FDM.is_state(document("x", b""))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_its_field_is_taken_out_and_names_the_account(number: int) -> None:
    found = FDM.restored(header_block(stored_message(sample(f"fdm/maildir/{number}"))))
    assert found is not None
    assert (found.block, found.mark) == (header_block(MESSAGES[number - 1]), "work")
    assert FDM.restored(header_block(MESSAGES[3])) is None
