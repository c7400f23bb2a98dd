from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import Config, ImapDestination, MaildirDestination, MboxDestination, load
from migrator.config.found_servers import remember_servers
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


def bad_rows(folder: Path, sheet: str) -> list[str]:
    return [row.problem.removeprefix(f"{folder}/") for row in read(folder, sheet).bad_rows]


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
        ("host,port\nh,1\n", "accounts.csv, line 1: the first row must name the columns, and one of them must be name, address or username"),
        ("name,hots\na,h\n", 'accounts.csv, line 1: unknown column "hots"; did you mean "host"?'),
        ("name,host,host\na,h,h\n", 'accounts.csv, line 1: the column "host" stands twice'),
        ('name,host\na,"h\n', "accounts.csv, line 2: this is not CSV"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_whole_sheet_is_named(tmp_path: Path, sheet: str, line: str) -> None:
    found = problems(tmp_path, sheet)
    assert any(line in problem for problem in found), found


@pytest.mark.parametrize(
    ("sheet", "line"),
    [
        ("name,host\na,h,x,y\n", "accounts.csv, line 2: has 4 cells, but there are 2 columns"),
        ("name,host,username,password,mbox\na,h,u,p,m\nb,h,,p,m\n", 'accounts.csv, line 3: [source] of "b": username: is missing'),
        ("name,host,username,password,mbox,port\na,h,u,p,m,99x\n", 'line 2: [source] of "a": port: "99x" must be a whole number'),
        ("name,host,username,password,mbox\n,h,u,p,m\n", "accounts.csv, line 2: name: is missing"),
        ("name,host,username,password,mbox\na,h,u,p,m\na,h,u,p,m\n", 'accounts.csv, line 3: the name "a" stands in line 2 already'),
        ("name,host,username,password,mbox,maildir\na,h,u,p,m,\nb,h,u,p,,m\n", '"b" uses'),
        ("name,host,username,password,mbox,imap_host\na,h,u,p,m,i\n", 'accounts.csv, line 2: [[destinations]] of "a": username: is missing'),
    ],
)  # fmt: skip
def test_each_wrong_row_is_named_and_hinders_no_other(tmp_path: Path, sheet: str, line: str) -> None:
    found = bad_rows(tmp_path, sheet)
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


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_sheet_is_read_in_every_form_that_a_spreadsheet_writes(tmp_path: Path, encoding: str, separator: str) -> None:
    lines = ["name", "host", "username", "password", "mbox"], ["jürgen", "h", "u", "pässword€", "a"]
    content = "\r\n".join(separator.join(cells) for cells in lines) + "\r\n"
    (tmp_path / "accounts.csv").write_bytes(content.encode(encoding))
    (tmp_path / "accounts.csv").chmod(0o600)
    (tmp_path / "config.toml").write_text('accounts_file = "accounts.csv"\n')
    [found] = load(tmp_path / "config.toml").accounts
    assert (found.name, found.source.password.reveal()) == ("jürgen", "pässword€")


IMAP = '[defaults.source]\nhost = "pop.example.org"\n[defaults.imap]\nhost = "imap.example.org"\n'


def test_the_columns_of_imapsync_are_taken_as_they_are(tmp_path: Path) -> None:
    sheet = "host1;user1;password1;host2;user2;password2;\npop.a;alice;p1;imap.b;bob;p2;\n"
    [found] = read(tmp_path, sheet).accounts
    [imap] = found.destinations
    assert (found.name, found.source.host, found.source.username) == ("alice@pop.a", "pop.a", "alice")
    assert isinstance(imap, ImapDestination)
    assert (imap.host, imap.username, imap.password.reveal()) == ("imap.b", "bob", "p2")


def test_the_columns_of_microsoft_are_taken_as_they_are(tmp_path: Path) -> None:
    [found] = read(tmp_path, "EmailAddress,UserName,Password\nalice@example.org,alice,p\n", IMAP).accounts
    assert (found.name, found.source.username, found.source.password.reveal()) == ("alice@example.org", "alice", "p")
    [place] = found.destinations
    assert isinstance(place, MboxDestination)
    assert place.path == tmp_path / "archive" / "alice@example.org"


def test_the_columns_of_migrationwiz_are_taken_in_any_case_and_spacing(tmp_path: Path) -> None:
    sheet = (
        "Source Email,SOURCE_LOGIN_NAME,source password,Destination Email,Destination Login Name,DestinationPassword,Flags\n"
        "alice@a.org,,p1,alice@b.org,,p2,1\n"
    )
    [found] = read(tmp_path, sheet, IMAP).accounts
    [imap] = found.destinations
    assert isinstance(imap, ImapDestination)
    assert (found.source.username, imap.username, imap.password.reveal()) == ("alice@a.org", "alice@b.org", "p2")


def test_a_row_without_a_destination_takes_the_default_one(tmp_path: Path) -> None:
    sheet = "name,host,username,password,maildir\na,h,u,p,\nb,h,v,p,own\n"
    config = '[defaults.destination]\ntype = "maildir"\npath = "mail/{name}"\n'
    first, second = (account.destinations for account in read(tmp_path, sheet, config).accounts)
    assert [place.path for place in (*first, *second) if isinstance(place, MaildirDestination)] == [
        tmp_path / "mail/a",
        tmp_path / "own",
    ]
    with pytest.raises(ConfigError, match="not a kind of destination"):
        read(tmp_path, sheet, '[defaults.destination]\ntype = "tape"\n')


def test_a_bad_row_hinders_no_other_and_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    sheet = "name,host,username,password,mbox\na,h,u,p,a\nb,h,,p,b\nc,h,u,p,c\n"
    config = read(tmp_path, sheet)
    assert [account.name for account in config.accounts] == ["a", "c"]
    [bad] = config.bad_rows
    assert (bad.name, bad.lacks_host) == ("b", False)
    with pytest.raises(ConfigError, match=r"line 3: .*username: is missing"):
        config.select(["b"])


def test_a_name_that_another_account_has_makes_the_row_a_bad_one(tmp_path: Path) -> None:
    own = (
        '[[accounts]]\nname = "a"\n[accounts.source]\nhost = "h"\nusername = "u"\npassword = "p"\n'
        '[[accounts.destinations]]\ntype = "maildir"\npath = "m"\n'
    )
    config = read(tmp_path, "name,host,username,password,mbox\na,x,y,z,b\n", own)
    assert [account.source.host for account in config.accounts] == ["h"]
    assert 'line 2: another account is named "a"' in config.bad_rows[0].problem


def test_no_problem_shows_a_password(tmp_path: Path) -> None:
    sheet = "name,host,username,password,mbox,port\na,h,u,s3cret,a,s3cret\nb,h,u,s3cret,b,1,s3cret\nc,,u,s3cret,c,1\n"
    config = read(tmp_path, sheet.replace("a,s3cret\n", "a,x\n"))
    assert len(config.bad_rows) == 3
    assert "s3cret" not in repr(config.bad_rows)


def test_an_address_without_a_host_waits_for_its_server_and_takes_the_one_that_was_found(tmp_path: Path) -> None:
    sheet = "address,password,mbox\nAlice@Example.org,p,a\nbob@example.net,p,b\n"
    config = read(tmp_path, sheet)
    assert [(row.address, row.lacks_host) for row in config.bad_rows] == [
        ("Alice@Example.org", True),
        ("bob@example.net", True),
    ]
    server = {"host": "pop.example.org", "port": 1995, "tls": "starttls", "username": "Alice"}
    remember_servers(config.state_dir, {"Alice@Example.org": server})
    config = read(tmp_path, sheet)
    [alice] = config.accounts
    assert (alice.source.host, alice.source.port, alice.source.username) == ("pop.example.org", 1995, "Alice")
    assert [row.address for row in config.bad_rows] == ["bob@example.net"]
    [whole] = read(tmp_path, "address,username,password\nalice@example.org,Alice@Example.org,p\n").accounts
    assert (whole.source.host, whole.source.username) == ("pop.example.org", "Alice@Example.org")
    [own] = read(tmp_path, "address,username,host,password\nalice@example.org,al,h,p\n").accounts
    assert (own.source.host, own.source.username) == ("h", "al")
