from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import Config, ImapDestination, load
from migrator.config.secrets import EnvironmentSecret
from migrator.errors import ConfigError
from migrator.policy import DeleteAfter, DeleteWhenVerified


def read(folder: Path, sheet: str, config: str = "") -> Config:
    (folder / "accounts.csv").write_text(sheet, encoding="utf-8")
    (folder / "accounts.csv").chmod(0o600)
    (folder / "config.toml").write_text(f'accounts_file = "accounts.csv"\n{config}')
    return load(folder / "config.toml")


def problems(folder: Path, sheet: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, sheet)
    return [line.removeprefix(f"{folder}/") for line in caught.value.problems]


def test_each_row_is_an_account_with_the_defaults(tmp_path: Path) -> None:
    sheet = (
        "name,username,password_env,port,leave_on_server,mbox,every\n"
        "alice,alice@example.org,ALICE,1995,false,archive/alice,\n"
        "bob,bob@example.org,BOB,,30 days,archive/bob,1 hour\n"
    )
    alice, bob = read(tmp_path, sheet, '[defaults.source]\nhost = "pop.example.org"\n').accounts
    assert (alice.name, alice.source.host, alice.source.port) == ("alice", "pop.example.org", 1995)
    assert alice.source.leave_on_server == DeleteWhenVerified()
    assert alice.source.password == EnvironmentSecret("ALICE")
    assert (bob.source.port, alice.schedule) == (995, None)
    assert isinstance(bob.source.leave_on_server, DeleteAfter)
    assert bob.schedule is not None


def test_a_sheet_as_a_spreadsheet_writes_it_is_understood(tmp_path: Path) -> None:
    sheet = (
        "\ufeffname;host;username;password;imap_host;imap_username;imap_password;imap_seen;imap_flags\r\n"
        '"alice";h;u;"p;q";i;v;w;TRUE;\\Flagged\r\n\r\n;;;;;;;;\r\n'
    )
    [alice] = read(tmp_path, sheet).accounts
    [imap] = alice.destinations
    assert alice.source.password.reveal() == "p;q"
    assert isinstance(imap, ImapDestination)
    assert (imap.host, imap.seen, imap.flags) == ("i", True, ("\\Flagged",))


def test_accounts_of_file_and_sheet_stand_side_by_side(tmp_path: Path) -> None:
    config = (
        '[[accounts]]\nname = "alice"\n[accounts.source]\nhost = "h"\nusername = "u"\npassword = "p"\n'
        '[[accounts.destinations]]\ntype = "maildir"\npath = "m"\n'
    )
    names = [
        account.name for account in read(tmp_path, "name,host,username,password,mbox\nbob,h,u,p,a\n", config).accounts
    ]
    assert names == ["alice", "bob"]


@pytest.mark.parametrize(
    ("sheet", "line"),
    [
        ("", "accounts.csv, line 1: the first row must name the columns"),
        ("host,username\nh,u\n", "accounts.csv, line 1: the first row must name the columns, and one of them must be name"),
        ("name,hots\na,h\n", 'accounts.csv, line 1: unknown column "hots"; did you mean "host"?'),
        ("name,host,host\na,h,h\n", 'accounts.csv, line 1: the column "host" stands twice'),
        ("name,host\na,h,x,y\n", "accounts.csv, line 2: has 4 cells, but there are 2 columns"),
        ('name,host\na,"h\n', "this is not CSV"),
        ("name,host,username,password,mbox\na,h,u,p,m\nb,h,,p,m\n", 'accounts.csv, line 3: [source] of "b": username: is missing'),
        ("name,host,username,password,mbox,port\na,h,u,p,m,99x\n", 'line 2: [source] of "a": port: "99x" must be a whole number'),
        ("name,host,username,password\na,h,u,p\n", 'accounts.csv, line 2: "a": has no destination; fill mbox, maildir or imap_host'),
        ("name,host,username,password,mbox\n,h,u,p,m\n", "accounts.csv, line 2: name: is missing"),
        ("name,host,username,password,mbox\na,h,u,p,m\na,h,u,p,m\n", '2 accounts are named "a"'),
    ],
)  # fmt: skip
def test_each_wrong_row_is_named(tmp_path: Path, sheet: str, line: str) -> None:
    found = problems(tmp_path, sheet)
    assert any(line in problem for problem in found), found


def test_a_missing_sheet_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('accounts_file = "no.csv"\n')
    with pytest.raises(ConfigError, match=r"no\.csv: cannot be read"):
        load(tmp_path / "config.toml")


def test_a_sheet_that_others_may_read_and_that_holds_passwords_is_warned_about(tmp_path: Path) -> None:
    read(tmp_path, "name,host,username,password,mbox\na,h,u,p,m\n")
    (tmp_path / "accounts.csv").chmod(0o644)
    [warning] = load(tmp_path / "config.toml").warnings
    assert "accounts.csv" in warning
