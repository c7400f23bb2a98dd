from __future__ import annotations

from pathlib import Path

import pytest

from migrator.adopting.getmail import GETMAIL
from migrator.adopting.model import NotTaken, OldAccount
from migrator.message.digest import header_block
from migrator.net.tls import TlsMode
from tests.unit.adopting.left_behind import MESSAGES, PASSWORD, UNIQUE_IDS, document, sample, stored_message

HOME = Path("/home/alice")
RC = ".getmail/getmailrc"


def read(text: str) -> OldAccount | NotTaken:
    [found] = GETMAIL.accounts(document(RC, text.encode()), HOME)
    return found


def account(text: str) -> OldAccount:
    found = read(text)
    assert isinstance(found, OldAccount)
    return found


def test_an_account_is_read_as_getmail_was_set_up_for_it() -> None:
    found = account(sample("getmail/getmailrc").decode())
    assert (found.host, found.port, found.username, found.password) == ("127.0.0.1", 1110, "alice", PASSWORD)
    assert (found.tls, found.deletes) == (TlsMode.NONE, False)
    assert found.state_files == (HOME / ".getmail" / "oldmail-127.0.0.1-1110-alice",)
    assert found.stores == (HOME / "gm",)


def test_a_command_stays_one_and_several_destinations_are_all_read() -> None:
    found = account("""
[retriever]
type = SimplePOP3SSLRetriever
server = pop.example.org
username = alice@example.org
password_command = ("pass", "show", "my mail")
[destination]
type = MultiDestination
destinations = ("[one]", "[two]", "[destination]")
[one]
type = Maildir
path = ~/Mail/
[two]
type = Mboxrd
path = $HOME/mbox
[options]
delete = true
""")
    assert found.password == {"command": "pass show 'my mail'"}
    assert (found.tls, found.deletes) == (TlsMode.IMPLICIT, True)
    assert found.stores == (HOME / "Mail", HOME / "mbox")
    assert found.state_files == (HOME / ".getmail" / "oldmail-pop.example.org-995-alice@example.org",)


@pytest.mark.parametrize(
    "text",
    [
        "[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = x\nusername = y\n",
        "[retriever]\ntype = SimplePOP3Retriever\nserver = x\n",
        "[retriever]\n",
        "[retriever]\n[retriever]\n",
        "nonsense\n[retriever]\n",
    ],
)
def test_what_is_no_pop3_account_is_named_with_the_reason(text: str) -> None:
    assert isinstance(read(text), NotTaken)


def test_its_list_is_that_of_the_very_server_and_user() -> None:
    found = account(sample("getmail/getmailrc").decode())
    old = document(".getmail/oldmail-127.0.0.1-1110-alice", sample("getmail/oldmail"))
    assert GETMAIL.is_state(old)
    assert GETMAIL.fetched(old, found) == set(UNIQUE_IDS)
    other = document(".getmail/oldmail-127.0.0.1-1110-bob", sample("getmail/oldmail"))
    assert GETMAIL.fetched(other, found) == frozenset()
    assert GETMAIL.noted(b"a/b") == b"a-b"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_what_it_added_is_taken_out_and_its_unique_id_read(number: int) -> None:
    stored = stored_message(sample(f"getmail/maildir/{number}"))
    found = GETMAIL.restored(header_block(stored))
    assert found is not None
    assert found.block == header_block(MESSAGES[number - 1])
    assert (found.unique_id, found.mark) == (UNIQUE_IDS[number - 1], "127.0.0.1")


def test_a_return_path_of_its_own_is_taken_out_and_no_other() -> None:
    added = (
        b"Delivered-To: unknown\r\nReceived: from h (h:110) by localhost with POP3 getmail6\r\n  msgid:u; 30 Nov\r\n"
    )
    for path, rest in ((b"Return-Path: <unknown>\r\n", b""), (b"Return-Path: <a@b>\r\n", b"Return-Path: <a@b>\r\n")):
        found = GETMAIL.restored(path + added + b"Subject: x\r\n")
        assert found is not None
        assert found.block == rest + b"Subject: x\r\n"
    assert GETMAIL.restored(b"Delivered-To: unknown\r\nSubject: x\r\n") is None
