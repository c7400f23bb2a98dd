from __future__ import annotations

from pathlib import Path

from migrator.adopting.model import Document, NotTaken, OldAccount
from migrator.adopting.thunderbird import THUNDERBIRD
from migrator.message.digest import header_block
from migrator.net.tls import TlsMode
from tests.rig import mboxrd
from tests.unit.adopting.left_behind import MESSAGES, UNIQUE_IDS, document, thunderbird_profile


def read(path: Path) -> Document:
    return Document(path, path.read_bytes())


def test_a_profile_has_its_pop3_accounts_and_names_the_others(tmp_path: Path) -> None:
    thunderbird_profile(tmp_path, 1110, MESSAGES)
    alice, imap = THUNDERBIRD.accounts(read(tmp_path / "prefs.js"), tmp_path)
    assert isinstance(alice, OldAccount)
    assert (alice.host, alice.port, alice.username, alice.password) == ("127.0.0.1", 1110, "alice", None)
    assert (alice.tls, alice.deletes, alice.marks) == (TlsMode.NONE, False, frozenset({"account1"}))
    assert alice.stores == (tmp_path / "Mail/127.0.0.1",)
    assert imap == NotTaken("imap.example.org", "it is imap, not pop3")
    state = read(tmp_path / "Mail/127.0.0.1/popstate.dat")
    assert THUNDERBIRD.is_state(state)
    assert THUNDERBIRD.fetched(state, alice) == set(UNIQUE_IDS)


def test_names_that_were_changed_later_win_and_a_shared_inbox_is_found() -> None:
    prefs = document(
        "prefs.js",
        b'user_pref("mail.account.account1.server", "server1");\n'
        b'user_pref("mail.account.account3.server", "server3");\n'
        b'user_pref("mail.server.server1.type", "pop3");\n'
        b'user_pref("mail.server.server1.hostname", "old.example.org");\n'
        b'user_pref("mail.server.server1.realhostname", "new.example.org");\n'
        b'user_pref("mail.server.server1.userName", "al");\n'
        b'user_pref("mail.server.server1.realuserName", "al\\u0069ce");\n'
        b'user_pref("mail.server.server1.socketType", 3);\n'
        b'user_pref("mail.server.server1.deferred_to_account", "account3");\n'
        b'user_pref("mail.server.server3.type", "none");\n'
        b'user_pref("mail.server.server3.directory-rel", "[ProfD]Mail/Local Folders");\n'
        b'user_pref("broken", nonsense);\n',
    )
    [found] = THUNDERBIRD.accounts(prefs, Path("/home/alice"))
    assert isinstance(found, OldAccount)
    assert (found.host, found.username, found.tls) == ("new.example.org", "alice", TlsMode.IMPLICIT)
    assert found.deletes
    assert found.stores == (Path("/home/alice/Mail/Local Folders/Inbox"),)
    assert found.noted_as == "old.example.org al"


def test_a_message_of_which_only_the_headers_were_fetched_is_not_fetched() -> None:
    state = document("popstate.dat", b"# POP3 State File\n\n*h u\nk one 1\nb two 1\nd three 1\n*h v\nk four 1\nk\n")
    assert THUNDERBIRD.fetched(state, OldAccount("h", "u", noted_as="h u")) == {b"one", b"three"}
    assert THUNDERBIRD.noted(b"one two") == b"one"


def test_its_own_fields_are_taken_off_the_top(tmp_path: Path) -> None:
    thunderbird_profile(tmp_path, 1110, MESSAGES)
    stored = mboxrd((tmp_path / "Mail/127.0.0.1/Inbox").read_bytes())
    for unique_id, text, message in zip(UNIQUE_IDS, stored, MESSAGES, strict=True):
        found = THUNDERBIRD.restored(header_block(text))
        assert found is not None
        assert (found.block, found.unique_id, found.mark) == (header_block(message), unique_id, "account1")


def test_fields_of_those_names_that_the_server_sent_stay() -> None:
    assert THUNDERBIRD.restored(b"X-UIDL: 1\r\nSubject: x\r\n") is None
    own = b"X-Account-Key: a\r\nX-UIDL: 1\r\nX-Mozilla-Status: 0001\r\n"
    found = THUNDERBIRD.restored(own + b"X-UIDL: servers\r\nSubject: x\r\n")
    assert found is not None
    assert found.block == b"X-UIDL: servers\r\nSubject: x\r\n"
