from __future__ import annotations

from pathlib import Path

import pytest

from migrator.adopting.model import NotTaken, OldAccount
from migrator.adopting.mpop import MPOP
from migrator.message.digest import header_block
from migrator.net.tls import TlsMode
from tests.rig import mboxrd
from tests.unit.adopting.left_behind import MESSAGES, PASSWORD, UNIQUE_IDS, document, sample

HOME = Path("/home/alice")


def accounts(text: str) -> list[OldAccount | NotTaken]:
    return list(MPOP.accounts(document(".mpoprc", text.encode()), HOME))


def account(text: str) -> OldAccount:
    [found] = accounts(text)
    assert isinstance(found, OldAccount)
    return found


def test_accounts_are_read_with_what_they_inherit() -> None:
    found = [one for one in accounts(sample("mpop/mpoprc").decode()) if isinstance(one, OldAccount)]
    work, home, default = found
    assert (work.host, work.port, work.username, work.password) == ("127.0.0.1", 1110, "alice", PASSWORD)
    assert (work.auth, work.tls, work.deletes) == ("user", TlsMode.NONE, False)
    assert work.stores == (HOME / "mpop.mbox",)
    assert work.state_files == (HOME / ".mpop_uidls" / "alice_at_127.0.0.1",)
    assert home.stores == (HOME / "mpop-maildir",)
    assert home.state_files == (HOME / "mpop-uidls-home",)
    assert default.stores == work.stores


@pytest.mark.parametrize(
    ("lines", "tls"),
    [
        ("tls on", TlsMode.STARTTLS),
        ("tls on\ntls_starttls off", TlsMode.IMPLICIT),
        ("tls off", TlsMode.STARTTLS),
        ("", TlsMode.STARTTLS),
    ],
)
def test_a_line_that_leaves_this_machine_is_encrypted(lines: str, tls: TlsMode) -> None:
    assert account(f"account a\nhost pop.example.org\nuser alice\n{lines}\n").tls is tls


@pytest.mark.parametrize(
    ("written", "command"),
    [
        ("pass show mail", "pass show mail"),
        ('"gpg -d ~/x | head -1"', "sh -c 'gpg -d ~/x | head -1'"),
    ],
)
def test_a_password_command_is_run_as_mpop_ran_it(written: str, command: str) -> None:
    found = account(f"account a\nhost h\nuser u\npasswordeval {written}\n")
    assert found.password == {"command": command}


def test_an_account_without_a_host_is_named() -> None:
    [found] = accounts("account a\nuser alice\n")
    assert isinstance(found, NotTaken)


def test_a_fingerprint_is_taken_if_it_is_by_sha_256() -> None:
    assert account(f"account a\nhost h\nuser u\ntls_fingerprint {'AB:' * 31}AB\n").fingerprint == "ab" * 32
    assert account("account a\nhost h\nuser u\ntls_fingerprint AB:CD\n").fingerprint == ""


def test_a_file_may_hold_the_lists_of_several_accounts() -> None:
    work = accounts(sample("mpop/mpoprc").decode())[0]
    assert isinstance(work, OldAccount)
    state = document("uidls", sample("mpop/uidls") + b" 1 127.0.0.1 bob\nbobs\n")
    assert MPOP.is_state(state)
    assert not MPOP.is_configuration(state)
    assert MPOP.fetched(state, work) == set(UNIQUE_IDS)


def test_its_field_is_taken_out() -> None:
    for stored, message in zip(mboxrd(sample("mpop/work.mbox")), MESSAGES, strict=True):
        found = MPOP.restored(header_block(stored))
        assert found is not None
        assert found.block == header_block(message)
    assert MPOP.restored(header_block(MESSAGES[3])) is None
