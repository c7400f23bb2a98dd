"""``mailferry vault`` as it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.vault import Vault, vault_of
from tests.command_line import Ferry, Site, account, mbox, source


@pytest.fixture
def vault(ferry: Ferry, tmp_path: Path) -> Vault:  # ferry stands in the folder of the test
    site = Site(tmp_path)
    site.writes(account("alice", source(1), mbox("mail")))
    return vault_of(load(site.folder / "config.toml"))


def test_without_a_vault_that_is_said(ferry: Ferry, vault: Vault) -> None:
    assert ferry("vault", "status", "--json").document == {"path": str(vault.path), "passwords": []}
    assert ferry("vault", "begin-again", "--json").document == {"aside": None}
    assert ferry("vault", "recover", "--key-file", "no-such-file").code == 2


def test_a_lost_key_is_said_and_the_recovery_key_opens_the_vault(ferry: Ferry, vault: Vault, tmp_path: Path) -> None:
    vault.keep("alice/source-1", "open sesame", 5.0, "anna")
    key = ferry("vault", "recovery-key", "--json").document["recovery_key"]
    vault.keys.fallbacks()[0].unlink()
    status = ferry("vault", "status", "--json")
    assert status.code == 1
    assert "vault recover" in status.document["problem"]
    assert [one["name"] for one in status.document["passwords"]] == ["alice/source-1"]
    (tmp_path / "key").write_text("AAAA-BBBB\n")
    assert ferry("vault", "recover", "--key-file", str(tmp_path / "key")).code == 1
    (tmp_path / "key").write_text(f"{key}\n")
    done = ferry("vault", "recover", "--key-file", str(tmp_path / "key"))
    assert (done.code, "open sesame" in done.out + done.err) == (0, False)
    assert vault.reveal("alice/source-1") == "open sesame"
    assert ferry("vault", "status").code == 0


def test_where_both_keys_are_lost_another_vault_is_begun(ferry: Ferry, vault: Vault) -> None:
    vault.keep("alice/source-1", "open sesame", 5.0, "anna")
    vault.keys.fallbacks()[0].unlink()
    assert ferry("vault", "begin-again").code == 0
    vault.keep("alice/source-1", "open barley", 6.0, "anna")
    assert vault.reveal("alice/source-1") == "open barley"
