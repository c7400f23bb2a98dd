from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from jobs.web.factor_store import factor_of, keep_factor
from jobs.web.hashing import is_right
from jobs.web.identity_store import connect_identity, identities_of, invite, invited
from jobs.web.openid.id_token import Proven
from jobs.web.passkey_store import Passkey, handle_of, keep_passkey, passkeys_of
from jobs.web.store import WebStore
from tests.command_line import ROOT, Ferry, account, mbox, source
from tests.terminal import talk

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", PASSWORD)
    monkeypatch.setenv("SHORT", "short")
    (tmp_path / "config.toml").write_text(account("alice", source(1110), mbox()))


def test_users_are_added_listed_and_removed(ferry: Ferry) -> None:
    assert ferry("users", "add", "Ann", "--password-env", "PAGE_PASSWORD").code == 0
    reader = ("--role", "reader", "--account", "alice", "--password-env", "PAGE_PASSWORD")
    assert ferry("users", "add", "rita", *reader).out == "rita: added as reader of alice\n"
    assert ferry("users", "list").out == "Ann: administrator\nrita: reader of alice\n"
    assert ferry("users", "list", "--json").document == {
        "users": [
            {"name": "Ann", "role": "administrator", "accounts": []},
            {"name": "rita", "role": "reader", "accounts": ["alice"]},
        ]
    }
    assert ferry("users", "remove", "rita").code == 0
    assert ferry("users", "list").out == "Ann: administrator\n"


def test_a_person_types_the_password_twice_and_may_leave(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "migrator", "users", "add", "Ann"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    first, again = ("Password for Ann:", f"{PASSWORD}\n"), ("The same again:", f"{PASSWORD}\n")
    left = talk(command, [first, ("The same again:", "\x04")], folder=tmp_path, environment=environment)
    assert (left.code, "nothing was changed" in left.said) == (2, True), left.said
    done = talk(command, [first, again], folder=tmp_path, environment=environment)
    assert (done.code, PASSWORD in done.said) == (0, False), done.said
    with closing(WebStore(tmp_path / "state")) as store:
        assert store.user("Ann") is not None


def test_a_password_is_reset_and_kept_as_a_hash_only(ferry: Ferry, tmp_path: Path) -> None:
    ferry("users", "add", "Ann", "--password-command", "printf 'first password'")
    assert ferry("users", "reset", "ann", "--password-env", "PAGE_PASSWORD").code == 0
    with closing(WebStore(tmp_path / "state")) as store:
        known = store.user("Ann")
    assert known is not None
    assert is_right(known[1], PASSWORD)
    assert not is_right(known[1], "first password")


def test_a_reset_takes_every_other_way_in_away(ferry: Ferry, tmp_path: Path) -> None:
    ferry("users", "add", "Ann", "--password-command", "printf 'first password'")
    with closing(WebStore(tmp_path / "state")) as store:
        keep_factor(store, "Ann", "SECRET", 0, [])
        handle = handle_of(store, "Ann")
        assert keep_passkey(store, Passkey(0, "Ann", handle, b"id", b"key", 0, "localhost", "laptop", 0.0, None))
        assert connect_identity(store, "Ann", Proven("https://id.example.org", "1", "ann"), 0.0)
        invite(store, "Ann", "the link", 2e9)
    said = ferry("users", "reset", "ann", "--password-env", "PAGE_PASSWORD").out
    assert (
        "no second factor any more, no passkeys any more, no account at the sign-in provider any more, and is" in said
    )
    with closing(WebStore(tmp_path / "state")) as store:
        assert (factor_of(store, "Ann"), passkeys_of(store, "Ann"), identities_of(store, "Ann")) == (None, [], [])
        assert invited(store, "the link", 1e9) == ""
    assert "any more" not in ferry("users", "reset", "ann", "--password-env", "PAGE_PASSWORD").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add",), "which user?"),
        (("add", "Ann"), "--password-env"),
        (("add", "Ann", "--password-env", "SHORT"), "at least 10 characters"),
        (("add", "Ann", "--password-env", "NOT_THERE"), "--password-env"),
        (("add", " ", "--password-env", "PAGE_PASSWORD"), "A name contains letters"),
        (("add", "Ann", "--role", "reader", "--password-env", "PAGE_PASSWORD"), "needs at least one"),
        (("add", "Ann", "--account", "alice", "--password-env", "PAGE_PASSWORD"), "goes with --role reader"),
        (("add", "Ann", "--role", "reader", "--account", "bob", "--password-env", "PAGE_PASSWORD"), 'no account "bob"'),
        (("reset", "nobody", "--password-env", "PAGE_PASSWORD"), "there is no user nobody"),
        (("remove", "nobody"), "there is no user nobody"),
        (("forget", "Ann"), "is not one of add, reset, remove, list"),
    ],
)
def test_what_cannot_be_done_is_named_and_nothing_is(ferry: Ferry, words: tuple[str, ...], said: str) -> None:
    answer = ferry("users", *words)
    assert answer.code == 2
    assert said in answer.err
    assert ferry("users", "list").out == ""
