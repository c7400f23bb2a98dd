from __future__ import annotations

from pathlib import Path

import pytest

from migrator.adopting.finding import Found, find
from migrator.adopting.model import NotTaken
from migrator.adopting.programs import PROGRAMS
from migrator.errors import ConfigError
from tests.unit.adopting.left_behind import FILES, MESSAGES, UNIQUE_IDS, leaves, thunderbird_profile


def places(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [*FILES, "thunderbird"])
def test_everything_is_found_at_its_usual_places_and_nothing_is_changed(name: str, tmp_path: Path) -> None:
    if name == "thunderbird":
        thunderbird_profile(tmp_path / ".thunderbird" / "x.default", 1110, MESSAGES)
    else:
        leaves(name, tmp_path, 1110)
    before = places(tmp_path)
    [account] = find(PROGRAMS[name], [], tmp_path).accounts
    assert account.fetched == set(UNIQUE_IDS)
    assert (account.old.host, account.old.port, account.old.username) == ("127.0.0.1", 1110, "alice")
    assert all(path.exists() for path in account.stores)
    assert account.stores
    assert places(tmp_path) == before


def test_paths_are_what_they_hold_wherever_they_stand(tmp_path: Path) -> None:
    leaves("mpop", tmp_path / "home", 1110)
    moved = {
        "config": tmp_path / "home/.mpoprc",
        "ids": tmp_path / "home/.mpop_uidls/alice_at_127.0.0.1",
        "mail": tmp_path / "home/mpop.mbox",
    }
    for name, path in moved.items():
        path.rename(tmp_path / name)
    found = find(PROGRAMS["mpop"], [tmp_path / name for name in moved], tmp_path / "nobody")
    [account] = found.accounts
    assert account.fetched == set(UNIQUE_IDS)
    assert account.stores == (tmp_path / "mail",)
    assert found.looked_at == (tmp_path / "config",)


def test_a_path_with_mail_is_added_to_what_stands_at_the_usual_places(tmp_path: Path) -> None:
    leaves("fdm", tmp_path, 1110)
    (tmp_path / "old" / "cur").mkdir(parents=True)
    [account] = find(PROGRAMS["fdm"], [tmp_path / "old"], tmp_path).accounts
    assert account.stores == (tmp_path / "old", tmp_path / "fdm.mbox")


def test_no_place_is_read_twice(tmp_path: Path) -> None:
    leaves("fdm", tmp_path, 1110)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "fdm.mbox")
    [account] = find(PROGRAMS["fdm"], [link, tmp_path / "fdm.mbox"], tmp_path).accounts
    assert len(account.stores) == 1


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_without_a_configuration_there_is_nothing_to_take_over(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no configuration of {name} was found"):
        find(PROGRAMS[name], [], tmp_path)
    with pytest.raises(ConfigError, match="there is no such file"):
        find(PROGRAMS[name], [tmp_path / "x"], tmp_path)


def one(home: Path) -> Found:
    return find(PROGRAMS["fetchmail"], [], home)


def test_a_password_is_taken_from_netrc_for_that_very_user(tmp_path: Path) -> None:
    (tmp_path / ".fetchmailrc").write_text("poll pop.example.org proto pop3 user alice user bob user carol pass own\n")
    (tmp_path / ".netrc").write_text("machine pop.example.org login alice password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert [found.old.password for found in one(tmp_path).accounts] == ["secret", None, "own"]


def test_two_accounts_of_one_maildrop_are_one(tmp_path: Path) -> None:
    leaves("mpop", tmp_path, 1110)
    (tmp_path / "mpop-maildir" / "new").mkdir(parents=True)
    [account] = find(PROGRAMS["mpop"], [], tmp_path).accounts
    assert account.stores == (tmp_path / "mpop.mbox", tmp_path / "mpop-maildir")


def test_what_is_no_account_of_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / ".fetchmailrc").write_text("poll imap.example.org proto imap user alice\n")
    found = one(tmp_path)
    assert found.accounts == ()
    assert found.not_taken == (NotTaken("imap.example.org", "its protocol is imap, not pop3"),)
