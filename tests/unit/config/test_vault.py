"""The vault: what is kept is had again with its key alone, cannot be exchanged, and stands nowhere in clear."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.vault import Vault, vault_of
from migrator.config.vault_key import CREDENTIAL, KeyPlaces
from migrator.config.vault_secret import VaultSecret
from migrator.errors import ConfigError, FerryError

PASSWORD = "p\u00e4ss wort \udcff"
OTHER = "another one"


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def places(tmp_path: Path) -> KeyPlaces:
    (tmp_path / "etc").mkdir()
    return KeyPlaces(tmp_path / "var" / "state", beside=tmp_path / "etc")


@pytest.fixture
def vault(places: KeyPlaces) -> Vault:
    return Vault(places.state_dir / "secrets" / "vault.json", places)


def key_file(places: KeyPlaces) -> Path:
    return places.fallbacks()[0]


def test_a_password_is_had_again_and_stands_nowhere_in_clear(vault: Vault, places: KeyPlaces, tmp_path: Path) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    vault.keep("bob/source-1", OTHER, 6.0, "bert")
    assert (vault.reveal("alice/source-1"), vault.reveal("bob/source-1")) == (PASSWORD, OTHER)
    entry = vault.entry("alice/source-1")
    assert entry is not None
    assert (entry.set_at, entry.set_by) == (5.0, "anna")
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert PASSWORD.encode(errors="surrogateescape") not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key_file(places).is_file()
    assert "***" in repr(VaultSecret("alice/source-1", vault.path, places))


def test_another_password_takes_the_place_of_the_first(vault: Vault) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    vault.keep("alice/source-1", OTHER, 6.0, "bert")
    assert vault.reveal("alice/source-1") == OTHER


def test_a_value_that_was_put_in_the_place_of_another_is_not_given_out(vault: Vault) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    vault.keep("bob/source-1", OTHER, 6.0, "bert")
    document = json.loads(vault.path.read_text())
    document["entries"]["bob/source-1"] = document["entries"]["alice/source-1"]
    vault.path.write_text(json.dumps(document))
    with pytest.raises(FerryError, match="put in the place of another") as raised:
        vault.reveal("bob/source-1")
    assert raised.value.finding == "secret-missing"
    assert vault.reveal("alice/source-1") == PASSWORD


def test_names_that_look_alike_when_put_together_are_two(vault: Vault) -> None:
    vault.keep("a/b", PASSWORD, 5.0, "anna")
    document = json.loads(vault.path.read_text())
    for name in ("/ab", "ab/", "a/b/", "/a/b"):
        document["entries"][name] = document["entries"]["a/b"]
    vault.path.write_text(json.dumps(document))
    for name in ("/ab", "ab/", "a/b/", "/a/b"):
        with pytest.raises(FerryError):
            vault.reveal(name)


def test_without_its_key_nothing_is_had_and_nothing_is_made(vault: Vault, places: KeyPlaces) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    key_file(places).unlink()
    before = vault.path.read_bytes()
    for attempt in (
        lambda: vault.reveal("alice/source-1"),
        lambda: vault.keep("bob/source-1", OTHER, 6.0, "bert"),
        lambda: vault.new_recovery_key(7.0),
    ):
        with pytest.raises(FerryError, match="the key of the vault is not there") as raised:
            attempt()
        assert "mailferry vault recover" in raised.value.cure
    assert (vault.path.read_bytes(), key_file(places).exists()) == (before, False)


def test_the_recovery_key_opens_it_where_the_key_is_lost(vault: Vault, places: KeyPlaces) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    first = vault.new_recovery_key(6.0)
    second = vault.new_recovery_key(7.0)
    assert [len(group) for group in second.split("-")] == [4] * 13
    key_file(places).unlink()
    for wrong in (first, "", "no key", "A" * 52, "\u00fc" * 52):
        with pytest.raises(FerryError, match="not the recovery key"):
            vault.recover(wrong)
    vault.recover(second.lower().replace("-", " ").replace("o", "0").replace("i", "1"))
    assert vault.reveal("alice/source-1") == PASSWORD
    assert second not in vault.path.read_text()


def test_a_better_place_for_the_key_is_taken_with_the_next_password(
    vault: Vault, places: KeyPlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    named = replace(vault, keys=replace(places, configured=tmp_path / "usb.key"))
    assert named.reveal("alice/source-1") == PASSWORD
    named.keep("bob/source-1", OTHER, 6.0, "bert")
    key_file(places).unlink()
    assert (named.reveal("alice/source-1"), named.reveal("bob/source-1")) == (PASSWORD, OTHER)
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / CREDENTIAL).write_text("x" * 40)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    named.new_recovery_key(7.0)
    (tmp_path / "usb.key").unlink()
    assert named.reveal("alice/source-1") == PASSWORD
    master = named.master()
    assert master is not None
    assert (master.source, master.is_fallback) == (f"the credential {CREDENTIAL}", False)


def test_a_key_is_never_made_inside_the_state_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (tmp_path / "link").symlink_to(state)
    for beside in (state, state / "inner", tmp_path / "link"):
        places = KeyPlaces(state, beside=beside)
        assert places.fallbacks() == (tmp_path / "vault.key",)
        assert places.best().source == f"the file {tmp_path / 'vault.key'}"


def test_where_there_is_no_place_for_a_key_that_is_said(
    vault: Vault, places: KeyPlaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(FerryError, match="no place outside the state folder") as raised:
        vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    assert "vault_key" in raised.value.cure
    assert not vault.path.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"version": 1}', '{"version": 2}', '{"version": 1, "entries": 5}']
)
def test_what_is_no_vault_is_said_to_be_damaged(vault: Vault, content: str) -> None:
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    vault.path.write_text(content)
    with pytest.raises(FerryError, match="is damaged"):
        vault.reveal("alice/source-1")
    with pytest.raises(FerryError, match="is damaged"):
        vault.keep("bob/source-1", OTHER, 6.0, "bert")
    aside = vault.set_aside()
    assert aside is not None
    assert aside.read_text() == content
    vault.keep("bob/source-1", OTHER, 6.0, "bert")
    assert vault.reveal("bob/source-1") == OTHER


def test_what_is_swept_is_gone_and_the_rest_stays(vault: Vault) -> None:
    for name in ("alice/source-1", "alice/source-2", "bob/source-1"):
        vault.keep(name, PASSWORD, 5.0, "anna")
    vault.sweep(lambda name: name != "alice/source-1")
    vault.forget(["bob/source-1", "nobody/source-1"])
    content = vault.content()
    assert content is not None
    assert list(content.entries) == ["alice/source-2"]


CONFIG = """
state_dir = "state"
[web]
listen = "127.0.0.1:0"
{key}
[[accounts]]
name = "alice"
source = {{ host = "h", username = "u", password = {{ vault = "alice/source-1" }} }}
destinations = [{{ type = "mbox", path = "mail" }}]
"""


def written(folder: Path, key: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(key=key))
    path.chmod(0o600)
    return path


def test_an_account_has_its_password_from_the_vault_and_a_new_one_is_another_identity(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'vault_key = "../vault-of-the-test.key"'))
    secret = config.accounts[0].source.password
    assert secret.missing() == "the password alice/source-1 in the vault is not there"
    before = secret.identity()
    with pytest.raises(FerryError, match="there is no password"):
        secret.reveal()
    vault = vault_of(config)
    vault.keep("alice/source-1", PASSWORD, 5.0, "anna")
    assert (secret.missing(), secret.reveal()) == (None, PASSWORD)
    first = secret.identity()
    vault.keep("alice/source-1", PASSWORD, 6.0, "anna")
    assert len({before, first, secret.identity()}) == 3
    assert load(config.path or tmp_path).accounts[0] == config.accounts[0]


def test_a_key_in_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "state")
    for inside in ("state/vault.key", "state/deep/vault.key", "way/vault.key"):
        with pytest.raises(ConfigError, match="lies in state_dir"):
            load(written(tmp_path, f'vault_key = "{inside}"'))
    load(written(tmp_path, 'vault_key = "state.key"'))


def test_a_reference_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace('vault = "alice/source-1"', 'vault = ""'))
    with pytest.raises(ConfigError, match="vault must be text"):
        load(path)
