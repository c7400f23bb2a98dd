from __future__ import annotations

import stat
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.new_account import Home, Raw, Site, account_text, site_of, write_account
from migrator.errors import ConfigError, FerryError

ALICE: Raw = {
    "name": "alice",
    "source": {"host": "pop.example.org", "username": "alice", "password": {"env": "A"}, "leave_on_server": "30 days"},
    "destinations": [{"type": "mbox", "path": "/mail/alice"}],
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state home"))


def filled(_home: Home, _undo: ExitStack) -> Raw:
    return ALICE


def add(site: Site) -> Path:
    return write_account(site, *site.with_account(ALICE), filled)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "locks" not in path.parts)


def test_a_configuration_is_made_where_there_is_none(tmp_path: Path) -> None:
    site = site_of(None)
    assert (site.path, site.is_new) == (tmp_path / "xdg" / "mailferry" / "config.toml", True)
    file = add(site)
    config = load(site.path)
    assert [(one.name, one.place and one.place.file) for one in config.accounts] == [("alice", str(file))]
    assert config.state_dir == tmp_path / "state home" / "mailferry"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, site.path, file.parent)] == [0o600, 0o600, 0o700]


def test_a_configuration_that_is_named_is_made_there_with_its_state_beside_it(tmp_path: Path) -> None:
    site = site_of(Path("mine/mail.toml"))
    add(site)
    assert load(tmp_path / "mine" / "mail.toml").state_dir == tmp_path / "mine" / "state"


def test_the_first_usual_configuration_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('state_dir = "st"\n# a remark\n')
    site = site_of(None)
    assert (site.path, site.is_new) == (Path("config.toml"), False)
    add(site)
    assert (tmp_path / "config.toml").read_text() == 'state_dir = "st"\n# a remark\n'
    assert [one.name for one in load(Path("config.toml")).accounts] == ["alice"]


def test_what_is_wrong_is_said_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("sate_dir = 1\n")
    with pytest.raises(ConfigError, match="sate_dir"):
        site_of(None).with_account(ALICE)
    (tmp_path / "config.toml").write_text("not toml")
    with pytest.raises(ConfigError, match="not TOML"):
        site_of(None).with_account(ALICE)
    assert files(tmp_path) == ["config.toml"]


def test_a_file_that_is_there_is_never_replaced() -> None:
    site = site_of(None)
    config, account = site.with_account(ALICE)
    file = write_account(site, config, account, filled)
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="is there already"):
        write_account(site, config, account, filled)
    assert file.read_bytes() == before


def test_a_name_that_is_taken_is_known_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[[accounts]]\nname = "bob"\n')
    site = site_of(None)
    assert (site.place_of("bob"), site.place_of("alice")) == ("config.toml", "")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ConfigError(["no"])])
def test_what_fails_on_the_way_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    site = site_of(None)
    config, account = site.with_account(ALICE)

    def fails(home: Home, undo: ExitStack) -> Raw:
        path = home.folder / "kept"
        undo.callback(path.unlink, missing_ok=True)
        path.write_text("a password")
        raise error

    with pytest.raises((FerryError, ConfigError, KeyboardInterrupt)):
        write_account(site, config, account, fails)
    assert [name for name in files(tmp_path) if name.startswith("xdg/mailferry/")] == []


def test_a_configuration_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    site = site_of(None)
    config, account = site.with_account(ALICE)

    def appears(_home: Home, _undo: ExitStack) -> Raw:
        site.path.write_text("# somebody else's\n")
        return ALICE

    with pytest.raises(ConfigError, match="has appeared meanwhile"):
        write_account(site, config, account, appears)
    assert [name for name in files(tmp_path) if name.startswith("xdg/mailferry/")] == ["xdg/mailferry/config.toml"]


def test_where_the_folder_cannot_be_made_the_account_goes_to_the_state(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "accounts.d").write_text("a file, where a folder should be")
    site = site_of(None)
    homes: list[Home] = []

    def seen(home: Home, _undo: ExitStack) -> Raw:
        homes.append(home)
        return ALICE

    file = write_account(site, *site.with_account(ALICE), seen)
    assert file == tmp_path / "state" / "accounts.d" / "alice.toml"
    assert homes[0].written(tmp_path / "state" / "secrets" / "alice") == str(tmp_path / "state" / "secrets" / "alice")
    assert [one.name for one in load(Path("config.toml")).accounts] == ["alice"]


def test_the_text_says_what_was_meant() -> None:
    assert tomllib.loads(account_text(ALICE)) == {"accounts": [ALICE]}
    assert 'password = {env = "A"}' in account_text(ALICE)
