from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.config import Config, ImapDestination, load
from migrator.config.one_shot import FILE_NAME, Remembered, config_in, remember
from migrator.config.secrets import CommandSecret, EnvironmentSecret, Secret, TextSecret
from migrator.config.urls import End, config_from_urls
from migrator.errors import ConfigError
from migrator.model import Proof
from migrator.policy import DeleteAfter, Keep

FROM = "pop3s://alice%40example.org@pop.example.org"
NAME = "alice@example.org@pop.example.org"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def typed(_end: End) -> Secret:
    return TextSecret("hunter2")


def asked(*to: str, source: str = FROM, passwords: Callable[[End], Secret] = typed, leave: str = "true") -> Config:
    return config_from_urls(source, to, passwords=passwords, leave_on_server=leave, state_dir=Path("st"))


def left(*to: str, **options: object) -> tuple[Config, str]:
    """Remember a call; returns the configuration that is left then, and its text."""
    done = remember(asked(*to, **options))  # type: ignore[arg-type]  # as ``asked`` takes them
    assert done.problem == ""
    path = config_in(Path("st"))
    return load(path), path.read_text()


def test_what_is_left_says_the_same_as_the_call(tmp_path: Path) -> None:
    to = ("mbox:a", "maildir:b", "imaps://ann@imap.example.org/Old?proof=canonical&timeout=90%20seconds")
    config, text = left(*to, leave="36 hours", source=f"{FROM}:1995")
    [said] = asked(*to, leave="36 hours", source=f"{FROM}:1995").accounts
    [account] = config.accounts
    assert (account.name, config.state_dir) == (NAME, tmp_path / "st")
    assert replace(account.source, password=said.source.password) == said.source
    assert [one.type for one in account.destinations] == ["mbox", "maildir", "imap"]
    assert account.destinations[:2] == said.destinations[:2]
    mailbox = account.destinations[2]
    assert isinstance(mailbox, ImapDestination)
    assert (mailbox.folder, mailbox.proof, mailbox.timeout.total_seconds()) == ("Old", Proof.CANONICAL, 90)
    assert isinstance(account.source.leave_on_server, DeleteAfter)
    assert "hunter2" not in text


def test_only_its_owner_may_read_it() -> None:
    left("mbox:a")
    assert stat.S_IMODE(Path("st", FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path("st").stat().st_mode) == 0o700


def test_it_may_be_moved_and_read_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left("mbox:a")
    Path("st").rename("elsewhere")
    monkeypatch.chdir("/")
    config = load(config_in(tmp_path / "elsewhere"))
    assert config.state_dir == tmp_path / "elsewhere"
    assert [getattr(one, "path", None) for one in config.accounts[0].destinations] == [tmp_path / "a"]


@pytest.mark.parametrize(
    ("secret", "written"),
    [
        (EnvironmentSecret("PW"), 'password = {env = "PW"}'),
        (CommandSecret("pass show mail"), 'password = {command = "pass show mail"}'),
        (TextSecret("hunter2", Path("/run/pw")), 'password = {file = "/run/pw"}'),
        (TextSecret("hunter2"), 'password = {env = "MAILFERRY_PASSWORD_ALICE_EXAMPLE_ORG_POP_EXAMPLE_ORG"}'),
    ],
)
def test_a_password_is_where_it_comes_from(secret: Secret, written: str) -> None:
    config, text = left("mbox:a", passwords=lambda _end: secret)
    assert written in text
    assert "hunter2" not in text
    assert config.missing_secrets() or isinstance(secret, CommandSecret)


def test_two_runs_with_different_destinations_leave_both(tmp_path: Path) -> None:
    left("mbox:a")
    config, _ = left("maildir:b", "imaps://ann@IMAP.example.org/inbox")
    again, text = left("mbox:./a/", "imaps://ann@imap.example.org")
    [account] = config.accounts
    assert [getattr(one, "path", one.type) for one in account.destinations] == [tmp_path / "a", tmp_path / "b", "imap"]
    assert len(again.accounts[0].destinations) == 3
    assert text.count("[[accounts]]") == 1


def test_two_accounts_share_a_state_folder() -> None:
    left("mbox:a", "imaps://ann@imap.example.org")
    config, text = left("mbox:b", source="pop3s://bob@pop.example.org")
    assert [account.name for account in config.accounts] == [NAME, "bob@pop.example.org"]
    assert [len(account.destinations) for account in config.accounts] == [2, 1]
    assert text.count('state_dir = "."') == 1


def test_what_a_person_has_written_stays(tmp_path: Path) -> None:
    _, text = left("imaps://ann@imap.example.org")
    path = tmp_path / "st" / FILE_NAME
    mine = text.replace('username = "ann"\n', 'username = "ann"  # mine\nproof = "canonical"\n')
    mine = mine.replace('{env = "MAILFERRY_PASSWORD_ALICE_EXAMPLE_ORG_POP_EXAMPLE_ORG"}', '{ command = "pass show a" }')
    path.write_text(mine + '\n[schedule]\nevery = "1 hour"\n')
    config, text = left("imaps://ann@imap.example.org", "mbox:a", leave="30 days")
    assert "# mine" in text
    assert '[schedule]\nevery = "1 hour"' in text
    assert isinstance(config.accounts[0].source.password, CommandSecret)
    mailbox = config.accounts[0].destinations[0]
    assert isinstance(mailbox, ImapDestination)
    assert mailbox.proof is Proof.CANONICAL
    assert isinstance(config.accounts[0].source.leave_on_server, DeleteAfter)
    assert isinstance(left("mbox:a")[0].accounts[0].source.leave_on_server, Keep)


def test_the_same_call_again_writes_nothing() -> None:
    left("mbox:a", "imaps://ann@imap.example.org/Old")
    before = Path("st", FILE_NAME).stat()
    left("mbox:a", "imaps://ann@imap.example.org/Old")
    after = Path("st", FILE_NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("written", ['state_dir = "."\n', "no toml [", ""])
def test_a_configuration_of_somebody_else_is_left_alone(written: str) -> None:
    Path("st").mkdir()
    Path("st", FILE_NAME).write_text(written)
    done = remember(asked("mbox:a"))
    assert "is a configuration of your own" in done.problem
    assert Path("st", FILE_NAME).read_text() == written
    assert done.config == asked("mbox:a")


def test_what_could_not_be_read_again_is_not_written() -> None:
    _, before = left("mbox:a")
    done = remember(asked("maildir:a", source="pop3s://bob@pop.example.org"))
    assert "uses" in done.problem
    assert Path("st", FILE_NAME).read_text() == before


@pytest.mark.parametrize(
    "spoil", [lambda: Path("st").write_text(""), lambda: Path("st", FILE_NAME).mkdir(parents=True)]
)
def test_a_place_that_cannot_be_written_is_a_warning_only(spoil: Callable[[], None]) -> None:
    spoil()
    done = remember(asked("mbox:a"))
    assert done.problem
    assert isinstance(done, Remembered)


def test_a_setting_has_its_line_and_its_option(tmp_path: Path) -> None:
    done = remember(asked("mbox:a", "imaps://ann@imap.example.org"))
    mailbox = done.config.accounts[0].destinations[1]
    assert isinstance(mailbox, ImapDestination)
    lines = (tmp_path / "st" / FILE_NAME).read_text().splitlines()
    line = 1 + max(number for number, text in enumerate(lines) if text == "[[accounts.destinations]]")
    place = f"under [[accounts.destinations]] of {NAME} ({tmp_path}/st/{FILE_NAME}, line {line})"
    assert mailbox.setting_place() == f"{place}, or ?KEY=VALUE in --to"


def test_a_folder_without_one_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing was archived with this state folder"):
        config_in(tmp_path / "no")
    (tmp_path / "ledger.sqlite3").touch()
    with pytest.raises(ConfigError, match=r"a ledger without a config\.toml"):
        config_in(tmp_path)
