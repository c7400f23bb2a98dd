from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.config import Account, Server, load
from migrator.errors import ConfigError, FerryError, Kind
from migrator.oauth.flows import Method
from migrator.operations.account_list import remove
from migrator.operations.look_at_sign_ins import look_at_sign_ins
from migrator.operations.sign_in import sign_in, still_to_sign_in, to_sign_in
from tests.servers.oauth_provider import OAuthProvider, trusted
from tests.unit.oauth.test_flows import Somebody

ACCOUNT = """
[[accounts]]
name = "{name}"
[accounts.source]
host = "pop.example.org"
username = "alice"
password = {{ oauth = "local" }}
[[accounts.destinations]]
type = "imap"
host = "imap.example.org"
username = "{imap_user}"
password = {{ oauth = "local" }}
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OAuthProvider]:
    with trusted(monkeypatch, tmp_path), OAuthProvider() as running:
        yield running


def written(folder: Path, server: OAuthProvider, *accounts: str) -> Path:
    path = folder / "config.toml"
    path.write_text(f"[oauth.local]\n{server.table}" + "".join(accounts))
    path.chmod(0o600)
    return path


def account_of(folder: Path, server: OAuthProvider, imap_user: str = "alice") -> Account:
    return load(written(folder, server, ACCOUNT.format(name="ann", imap_user=imap_user))).accounts[0]


class Mailboxes:
    """The ends of an account, and what they say to a log-in."""

    def __init__(self, **errors: FerryError) -> None:
        self.errors = errors
        self.tried: list[tuple[str, str]] = []

    def __call__(self, server: Server, token: str) -> None:
        self.tried.append((server.host, token))
        if error := self.errors.get(server.host.partition(".")[0]):
            raise error


def test_ends_of_one_user_share_a_sign_in_and_others_do_not(tmp_path: Path, server: OAuthProvider) -> None:
    [shared] = to_sign_in(account_of(tmp_path, server))
    assert [one.host for one in shared.servers] == ["pop.example.org", "imap.example.org"]
    assert len(to_sign_in(account_of(tmp_path, server, "bob"))) == 2
    [imap] = to_sign_in(account_of(tmp_path, server, "bob"), "imap")
    assert imap.secret.user == "bob"


def test_a_token_is_tried_at_every_end_and_then_kept(tmp_path: Path, server: OAuthProvider) -> None:
    account = account_of(tmp_path, server)
    [before] = look_at_sign_ins(account)
    assert "nobody has signed in as alice" in before.trouble
    [wanted], mailboxes = to_sign_in(account), Mailboxes()
    done = sign_in(wanted, Method.PASTE, Somebody(server), log_in=mailboxes)
    assert done.tried == ("alice at pop.example.org (POP3)", "alice at imap.example.org (IMAP)")
    assert done.untried == ()
    assert {token for _, token in mailboxes.tried} == {account.source.password.reveal()}
    [after] = look_at_sign_ins(account)
    assert after.trouble == ""
    assert after.signed_in_at > 0


def test_what_a_mailbox_refuses_is_not_kept(tmp_path: Path, server: OAuthProvider) -> None:
    account = account_of(tmp_path, server)
    [wanted] = to_sign_in(account)
    with pytest.raises(FerryError, match="does not accept this sign-in") as raised:
        sign_in(wanted, Method.PASTE, Somebody(server), log_in=Mailboxes(imap=FerryError(Kind.AUTH, "no")))
    assert raised.value.finding == "sign-in-needed"
    assert not list(tmp_path.rglob("sign-in-*"))


def test_a_mailbox_that_cannot_be_asked_is_said(tmp_path: Path, server: OAuthProvider) -> None:
    account = account_of(tmp_path, server)
    [wanted] = to_sign_in(account)
    down = FerryError(Kind.CONNECT, "nobody is there")
    done = sign_in(wanted, Method.PASTE, Somebody(server), log_in=Mailboxes(pop=down))
    assert done.untried == (down,)
    assert done.tried == ("alice at imap.example.org (IMAP)",)
    assert account.source.password.reveal()


def test_an_account_without_tokens_has_nothing_to_sign_in_to(tmp_path: Path, server: OAuthProvider) -> None:
    text = ACCOUNT.format(name="ann", imap_user="alice").replace('{ oauth = "local" }', '"geheim"', 1)
    [account] = load(written(tmp_path, server, text)).accounts
    assert len(to_sign_in(account)) == 1
    with pytest.raises(ConfigError, match="nothing to sign in to"):
        to_sign_in(account, "source")


def test_removing_an_account_removes_a_sign_in_that_nobody_else_uses(tmp_path: Path, server: OAuthProvider) -> None:
    path = written(tmp_path, server, ACCOUNT.format(name="ann", imap_user="alice"))
    folder = tmp_path / "accounts.d"
    folder.mkdir()
    (folder / "bob.toml").write_text(ACCOUNT.format(name="bob", imap_user="bob"))
    config = load(path)
    for wanted in to_sign_in(config.accounts[1]):
        sign_in(wanted, Method.PASTE, Somebody(server), log_in=Mailboxes())
    assert len(list(tmp_path.rglob("sign-in-*.json"))) == 2
    remove(config.accounts[1], config)
    assert len(list(tmp_path.rglob("sign-in-*"))) == 2  # alice's, and its lock
    assert config.accounts[0].source.password.reveal()


def test_what_is_still_to_sign_in(tmp_path: Path, server: OAuthProvider) -> None:
    account = account_of(tmp_path, server, "bob")
    first, second = still_to_sign_in(account)
    sign_in(first, Method.PASTE, Somebody(server), log_in=Mailboxes())
    assert [one.label for one in still_to_sign_in(account)] == [second.label]
    text = ACCOUNT.format(name="ann", imap_user="alice").replace('{ oauth = "local" }', '"geheim"')
    [plain] = load(written(tmp_path, server, text)).accounts
    assert still_to_sign_in(plain) == []
