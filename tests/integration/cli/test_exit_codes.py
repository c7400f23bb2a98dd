"""What a script sees of what went wrong, with and without asking for finer codes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command_line import Ferry, account, alice, archived_account, mbox, source
from tests.servers.pop3 import Pop3Server


@dataclass
class Installation:
    """A configuration, and the command called on it."""

    ferry: Ferry
    config: Path

    def code(self, *accounts: str) -> int:
        self.config.write_text("\n".join(accounts))
        self.config.chmod(0o600)
        return self.ferry("migrate").code


@pytest.fixture
def site(ferry: Ferry, server: Pop3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setenv("PASSWORD", server.password)
    monkeypatch.setenv("WRONG", "sesame-shut")
    return Installation(ferry, tmp_path / "config.toml")


def refused(name: str, port: int) -> str:
    return archived_account(name, port, password='{ env = "WRONG" }')


def away(name: str, port: int) -> str:
    """An account whose archive cannot be made: a file is in its place."""
    return account(name, source(port, user=name), mbox("config.toml"))


def test_a_wrong_password_is_one_and_77_where_a_script_asks(
    site: Installation, server: Pop3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site.code(refused("bob", server.port)) == 1
    monkeypatch.setenv("MAILFERRY_EXIT_CODES", "sysexits")
    assert site.code(refused("bob", server.port)) == 77
    assert site.ferry("check").code == 77


def test_two_accounts_with_one_trouble_have_its_code_and_with_two_it_is_one(
    site: Installation, server: Pop3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILFERRY_EXIT_CODES", "sysexits")
    assert site.code(refused("bob", server.port), refused("carol", server.port)) == 77
    assert site.code(refused("bob", server.port), away("carol", server.port)) == 1
    assert site.code(refused("bob", server.port), alice(server.port)) == 77


def test_what_the_contract_fixes_stays_as_it_is(
    site: Installation, server: Pop3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILFERRY_EXIT_CODES", "sysexits")
    assert site.code(alice(server.port)) == 0
    assert site.ferry("migrate", "nobody").code == 2
    assert site.ferry("migrate", "--nonsense").code == 2
