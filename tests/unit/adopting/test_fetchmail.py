from __future__ import annotations

from pathlib import Path

import pytest

from migrator.adopting.fetchmail import FETCHMAIL
from migrator.adopting.model import NotTaken, OldAccount
from migrator.message.digest import header_block
from migrator.net.tls import TlsMode
from tests.unit.adopting.left_behind import MESSAGES, PASSWORD, UNIQUE_IDS, document, sample, stored_message

HOME = Path("/home/alice")


def accounts(text: str) -> list[OldAccount | NotTaken]:
    return list(FETCHMAIL.accounts(document(".fetchmailrc", text.encode()), HOME))


def account(text: str) -> OldAccount:
    [found] = accounts(text)
    assert isinstance(found, OldAccount)
    return found


def test_an_account_is_read_as_fetchmail_was_set_up_for_it() -> None:
    found = account(sample("fetchmail/fetchmailrc").decode())
    assert (found.host, found.port, found.username, found.password) == ("127.0.0.1", 1110, "alice", PASSWORD)
    assert found.tls is TlsMode.NONE
    assert found.state_files == (HOME / ".fetchids",)
    assert not found.deletes


@pytest.mark.parametrize(
    ("options", "tls", "port"),
    [
        ("ssl", TlsMode.IMPLICIT, None),
        ("", TlsMode.STARTTLS, None),
        ("sslproto ''", TlsMode.STARTTLS, None),
        ("port 995", TlsMode.IMPLICIT, 995),
        ("service pop3s", TlsMode.IMPLICIT, 995),
    ],
)
def test_a_line_that_leaves_this_machine_is_encrypted(options: str, tls: TlsMode, port: int | None) -> None:
    is_server_option = options.startswith(("port", "service"))
    found = account(
        f"poll pop.example.org proto pop3 {options if is_server_option else ''}\n"
        f"user alice pass x {'' if is_server_option else options}"
    )
    assert (found.tls, found.port) == (tls, port)


def test_options_of_the_defaults_hold_for_all_and_quotes_hide_words() -> None:
    text = """
    # poll commented.example.org proto pop3 user nobody
    set daemon 300
    set idfile "~/.ids"
    defaults proto pop3 ssl keep
    poll work via pop.example.org:
        user "keep" with password "ssl \\"x\\"" is alice here;
        user bob there password p no keep
    skip later.example.org user carol
    poll imap.example.org proto imap user dora
    """
    keep, bob, skipped, imap = accounts(text)
    assert isinstance(keep, OldAccount)
    assert isinstance(bob, OldAccount)
    assert (keep.username, keep.password, keep.deletes, keep.tls) == ("keep", 'ssl "x"', False, TlsMode.IMPLICIT)
    assert (keep.host, keep.noted_as, keep.state_files) == ("pop.example.org", "keep@work", (HOME / ".ids",))
    assert (bob.username, bob.deletes) == ("bob", True)
    assert isinstance(skipped, NotTaken)
    assert isinstance(imap, NotTaken)
    assert imap.reason == "its protocol is imap, not pop3"


def test_its_list_says_which_unique_ids_were_fetched_for_whom() -> None:
    ids = document(".fetchids", sample("fetchmail/fetchids") + b"alice@example.org@work other\nbob@127.0.0.1 bobs\n")
    assert FETCHMAIL.is_state(ids)
    assert FETCHMAIL.fetched(ids, account(sample("fetchmail/fetchmailrc").decode())) == set(UNIQUE_IDS)
    work = account('poll work proto pop3 user "alice@example.org" pass x')
    assert FETCHMAIL.fetched(ids, work) == {b"other"}


def test_a_unique_id_is_noted_up_to_its_first_blank_and_128_octets() -> None:
    assert FETCHMAIL.noted(b"one two") == b"one"
    assert FETCHMAIL.noted(b"x" * 200) == b"x" * 128


def test_configuration_and_list_are_known_by_what_they_hold() -> None:
    rc, ids = document("rc", sample("fetchmail/fetchmailrc")), document("ids", sample("fetchmail/fetchids"))
    assert (FETCHMAIL.is_configuration(rc), FETCHMAIL.is_state(rc)) == (True, False)
    assert (FETCHMAIL.is_configuration(ids), FETCHMAIL.is_state(ids)) == (False, True)


@pytest.mark.parametrize("number", [1, 4])
def test_its_own_field_is_taken_out_wherever_it_stands(number: int) -> None:
    stored = stored_message(sample(f"fetchmail/{number}.msg"))
    found = FETCHMAIL.restored(header_block(stored))
    assert found is not None
    assert found.block == header_block(MESSAGES[number - 1])
    assert found.mark == "127.0.0.1"


def test_a_message_without_its_mark_is_left_as_it_is() -> None:
    assert FETCHMAIL.restored(header_block(MESSAGES[3])) is None
    assert FETCHMAIL.restored(b"") is None
