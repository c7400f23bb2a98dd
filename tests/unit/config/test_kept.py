"""A kept configuration is what a check would give, or it is not taken."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from migrator.config import Config, MboxDestination, load
from migrator.config.kept import MOST, kept
from migrator.config.loading import load_quickly
from migrator.errors import ConfigError

PLAIN = """\
state_dir = "state"
[[accounts]]
name = "alice"
[accounts.source]
host = "pop.example.org"
username = "alice"
password = { env = "PASSWORD" }
[[accounts.destinations]]
type = "mbox"
path = "archive/alice"
"""
SMTP = (
    '[notify.smtp]\nhost = "smtp.example.org"\nsender = "a@example.org"\nto = ["b@example.org"]\nca_file = "ca.pem"\n'
)
EVERYTHING = (
    SMTP
    + """\
[notify]
apprise = { env = "APPRISE" }
[schedule]
cron = "*/5 * * * *"
timezone = "Europe/Berlin"
jitter = "90 seconds"
[limits]
accounts = 2
[metrics]
textfile = "~/metrics"
[pings]
accounts = { alice = { file = "ping" } }
[web]
listen = "127.0.0.1:8025"
vault_key = "key"
[web.oidc]
issuer = "https://id.example.org"
client_id = "page"
[oauth.google]
client_id = "us"
client_secret = { command = "secret google" }
"""
    + PLAIN.replace('{ env = "PASSWORD" }', '{ vault = "alice/source-1" }').replace('state_dir = "state"\n', "")
    + """\
[[accounts.destinations]]
type = "imap"
host = "imap.example.org"
username = "alice"
password = { oauth = "google" }
flags = ["\\\\Seen"]
ca_file = "ca.pem"
[[accounts.destinations]]
type = "maildir"
path = "mail"
when_copy_is_gone = "accept"
[accounts.schedule]
every = "3 minutes"
[[accounts]]
name = "bob"
[accounts.source]
host = "pop.example.org"
username = "bob"
password = { keyring = "mail" }
leave_on_server = "30 days"
[[accounts.destinations]]
type = "mbox"
path = "archive/bob"
"""
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the files, and one for what is kept."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ca.pem").touch()
    return tmp_path


def written(home: Path, text: str) -> Path:
    path = home / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def known(home: Path, text: str = PLAIN) -> Path:
    """Write a configuration that an earlier command has found right."""
    path = written(home, text)
    load_quickly(path)
    assert kept(path) is not None
    return path


def kept_file(home: Path) -> Path:
    [file] = (home / "cache" / "mailferry").iterdir()
    return file


@pytest.mark.parametrize("text", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_what_was_kept_equals_what_is_read(text: str, home: Path) -> None:
    path = known(home, text)
    assert kept(path) == load(path)
    again, read = kept(path), load(path)
    assert again is not None
    assert [one.source.written for one in again.accounts] == [one.source.written for one in read.accounts]
    assert [one.source.password.identity() for one in again.accounts] == [
        one.source.password.identity() for one in read.accounts
    ]


def test_a_password_in_the_file_is_read_there_and_not_copied(home: Path) -> None:
    path = known(home, PLAIN.replace('{ env = "PASSWORD" }', '"hunter2"'))
    assert "hunter2" not in kept_file(home).read_text()
    found = kept(path)
    assert found is not None
    assert found.accounts[0].source.password.reveal() == "hunter2"
    assert found == load(path)


def test_a_password_that_others_may_read_now_is_warned_of(home: Path) -> None:
    path = known(home, PLAIN.replace('{ env = "PASSWORD" }', '"hunter2"'))
    path.chmod(0o644)
    found = kept(path)
    assert found is not None
    assert found.warnings == load(path).warnings != ()
    path.chmod(0o600)
    again = kept(path)
    assert again is not None
    assert again.warnings == ()


def test_a_page_s_settings_and_accounts_of_their_own_files_count(home: Path) -> None:
    path = known(home)
    (home / "accounts.d").mkdir()
    bob = home / "accounts.d" / "bob.toml"
    bob.write_text(PLAIN.partition("\n")[2].replace("alice", "bob"))
    assert kept(path) is None
    assert [one.name for one in load_quickly(path).accounts] == ["alice", "bob"]
    assert kept(path) == load(path)
    bob.write_text(bob.read_text().replace("pop.", "pop3."))
    assert kept(path) is None
    load_quickly(path)
    bob.unlink()
    assert kept(path) is None
    load_quickly(path)
    (home / "state").mkdir()
    (home / "state" / "settings.toml").write_text(SMTP)
    assert kept(path) is None
    assert load_quickly(path).notify is not None
    assert kept(path) == load(path)


def _becomes_a_link(home: Path) -> None:
    (home / "archive").mkdir()
    (home / "archive" / "alice").symlink_to(home / "state")


def _moves_state(home: Path) -> None:
    (home / "keys").mkdir()
    (home / "state").symlink_to(home / "keys")


@pytest.mark.parametrize(
    ("more", "happens"),
    [
        ("", lambda home: written(home, PLAIN + 'path = "twice"\n')),
        ("", lambda home: written(home, PLAIN.replace("pop.example.org", "//"))),
        ("", _becomes_a_link),
        (SMTP, lambda home: (home / "ca.pem").unlink()),
        ('[web]\nlisten = "127.0.0.1:1"\nvault_key = "keys/key"\n', _moves_state),
    ],
    ids=["no TOML", "no host", "state in the archive", "no file", "key in the state"],
)
def test_what_is_wrong_now_is_refused(more: str, happens: Callable[[Path], object], home: Path) -> None:
    path = known(home, more + PLAIN if not more else PLAIN.replace("[[accounts]]", f"{more}[[accounts]]"))
    happens(home)
    with pytest.raises(ConfigError):
        load(path)
    with pytest.raises(ConfigError):
        load_quickly(path)


def _spoiled(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"pop.example.org", b"pop.example.com"))


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _open_to_others(file: Path) -> None:
    file.chmod(0o620)


def _link(file: Path) -> None:
    file.rename(file.with_suffix(".real"))
    file.symlink_to(file.with_suffix(".real"))


def _with(**changes: object) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        content = json.dumps(json.loads(file.read_bytes().partition(b"\n")[2]) | changes).encode()
        file.write_bytes(sha256(content).hexdigest().encode() + b"\n" + content)

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff\n" * 9),
        _spoiled,
        _cut,
        _open_to_others,
        _link,
        _with(circumstances=[0]),
        _with(state_dir=1),
        _with(config=["value", "Popen", {}]),
        _with(config=["value", "Config", {"state_dir": ["path", "/"]}]),
        _with(config=["password", 7]),
        _with(config=[]),
        _with(config="text"),
    ],
)
def test_a_damaged_or_foreign_file_is_as_good_as_none(spoil: Callable[[Path], object], home: Path) -> None:
    path = known(home)
    spoil(kept_file(home))
    assert kept(path) is None
    assert load_quickly(path) == load(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_another_user_wrote_is_not_believed(home: Path) -> None:
    path = known(home)
    os.chown(kept_file(home), 12345, -1)
    assert kept(path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_nothing_is_made_in_another_user_s_home(home: Path) -> None:
    path = written(home, PLAIN)
    os.chown(home, 12345, -1)
    assert isinstance(load_quickly(path), Config)
    assert not (home / "cache").exists()


def test_another_home_means_other_folders(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = known(home, PLAIN.replace("archive/alice", "~/archive"))
    monkeypatch.setenv("HOME", str(home / "elsewhere"))
    assert kept(path) is None
    [place] = load_quickly(path).accounts[0].destinations
    assert isinstance(place, MboxDestination)
    assert place.path == home / "elsewhere" / "archive"


def test_one_place_in_two_spellings_is_two(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known(home)
    monkeypatch.chdir(home)
    path = Path("config.toml")
    assert kept(path) is None
    assert load_quickly(path) == load(path) == kept(path)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("archive/alice", "~root/archive"),
        PLAIN.replace("[[accounts]]", 'accounts_file = "more.csv"\n[[accounts]]', 1),
    ],
    ids=["another one's home", "a sheet"],
)
def test_some_are_checked_each_time(text: str, home: Path) -> None:
    (home / "more.csv").write_text("name,host,username,password_env,mbox\nbob,pop.example.org,bob,PASSWORD,mail/bob\n")
    path = written(home, text)
    load_quickly(path)
    assert kept(path) is None


def test_where_nothing_can_be_written_it_is_checked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(home, PLAIN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "ca.pem"))
    assert load_quickly(path) == load_quickly(path) == load(path)


def test_what_is_kept_is_the_user_s_alone_and_not_without_end(home: Path) -> None:
    path = known(home)
    assert kept_file(home).stat().st_mode & 0o077 == 0
    others = [home / f"{number}.toml" for number in range(MOST + 3)]
    for other in others:
        other.write_text(PLAIN)
        load_quickly(other)
    assert len(list((home / "cache" / "mailferry").iterdir())) == MOST
    assert kept(path) is None
    assert kept(others[-1]) is not None
