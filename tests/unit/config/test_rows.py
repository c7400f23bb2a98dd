"""A row that is made of another's template is the account that reading it in full gives; many rows take little memory."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from migrator.config import Account, Config, load
from migrator.config.many_accounts import ManyAccounts
from migrator.config.model import BadRow, Server
from migrator.config.secrets import KeyringSecret, TextSecret
from migrator.config.settings import changed
from migrator.errors import ConfigError

COLUMNS = {
    "name": ["ann", "bob", "an n", "Zoë", "", "ann@example.org"],
    "address": ["ann@example.org", "bob@example.org", ""],
    "host": ["pop.example.org", "127.0.0.1", "no host", ""],
    "tls": ["implicit", "none", ""],
    "port": ["995", "x", "70000", ""],
    "username": ["ann", "bob", "a\x07b", ""],
    "password": ["secret", "other ", ""],
    "password_env": ["MAIL_PASSWORD", "OTHER", ""],
    "password_command": ["pass show mail", "'", ""],
    "password_keyring": ["mail", ""],
    "leave_on_server": ["true", "30 days", "soon", ""],
    "mbox": ["archive/ann", "archive/bob/", "..", "~/archive", "/srv/mail", "link", "state", ".", ""],
    "maildir": ["maildir/ann", "maildir//bob", ""],
    "imap_host": ["imap.example.org", "imap.example.net", ""],
    "imap_username": ["ann", "bob", ""],
    "imap_password": ["secret", ""],
    "imap_flags": ["\\Seen \\Flagged", "\\Seen", ""],
    "every": ["5 minutes", "1 hour", "never", ""],
}

OWN = {"name", "address", "username", "password", "mbox", "maildir", "imap_username", "imap_password"}

CONFIGURATIONS = (
    "",
    '[defaults.source]\nhost = "pop.example.org"\nusername = "master"\npassword = "common"\n',
    '[defaults.source]\npassword = { keyring = "mail" }\n[defaults.imap]\npassword = { env = "IMAP" }\n',
    """[defaults.source]
    password = { oauth = "office" }
    [oauth.office]
    token = "https://login.example.org/token"
    client_id = "i"
    client_secret = "s"
    grant = "client-credentials"
    scopes = ["mail"]
    """,
    '[defaults.destination]\ntype = "maildir"\npath = "maildir/{name}"\n',
    '[defaults.destination]\ntype = "imap"\nhost = "h"\nusername = "u"\npassword = "p"\nflags = ["\\\\Seen"]\n',
    """[defaults.destination]
    type = "s3"
    bucket = "mail"
    access_key_id = { env = "ID" }
    secret_access_key = { env = "KEY" }
    """,
)

Cells = Sequence[str]


@st.composite
def sheets(draw: st.DrawFn) -> list[Cells]:
    names = draw(st.lists(st.sampled_from([*COLUMNS]), min_size=1, unique=True).filter(_can_be_named))
    first = draw(st.tuples(*(st.sampled_from(COLUMNS[name][:2]) for name in names)))
    own = st.tuples(
        *(st.sampled_from(COLUMNS[name]) if name in OWN else st.just(first[names.index(name)]) for name in names)
    )
    others = st.tuples(*(st.sampled_from(COLUMNS[name]) for name in names))
    return [names, first, *draw(st.lists(st.one_of(own, own, others), min_size=2, max_size=7))]


def _can_be_named(names: Cells) -> bool:
    return not {"name", "address", "username"}.isdisjoint(names)


def written(folder: Path, lines: Sequence[Cells], configuration: str = "") -> Path:
    with (folder / "accounts.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    (folder / "accounts.csv").chmod(0o600)
    path = folder / "config.toml"
    path.write_text(f'accounts_file = "accounts.csv"\n{configuration}')
    path.chmod(0o600)
    return path


def found(path: Path) -> list[Account | BadRow]:
    """Return what the lines of the sheet are."""
    config = load(path)
    return [*config.accounts, *config.bad_rows]


@settings(max_examples=150, deadline=None)
@given(sheets(), st.sampled_from(CONFIGURATIONS))
def test_a_row_among_others_is_what_it_is_alone(lines: list[Cells], configuration: str) -> None:
    with TemporaryDirectory(prefix="mailferry-rows-") as name:
        folder = Path(name).resolve()
        (folder / "link").symlink_to(folder / "elsewhere")
        together = found(written(folder, lines, configuration))
        for number, line in enumerate(lines[1:], start=2):
            if any(cell.strip() for cell in line):
                others = [[""] * len(line)] * (number - 2)
                [alone] = found(written(folder, [lines[0], *others, line], configuration))
                assert alone in together or _is_refused_for_another(alone.name, together), line


def _is_refused_for_another(name: str, together: Sequence[Account | BadRow]) -> bool:
    """Say whether the row with this name is refused for what another says: its name, or the kind of its folder."""
    return any(
        isinstance(one, BadRow)
        and one.name == name
        and (" stands in line " in one.problem or ", another one as " in one.problem)
        for one in together
    )


def rows_of(config: Config) -> ManyAccounts:
    assert isinstance(config.accounts, ManyAccounts)
    return config.accounts


HEAD = ("name", "host", "username", "password", "mbox")


def line(name: str, password: str = "p", mbox: str = "") -> Cells:
    return name, "h", name, password, mbox or f"archive/{name}"


def test_accounts_of_a_sheet_are_in_order_between_the_others_and_found_by_name(tmp_path: Path) -> None:
    own = '[[accounts]]\nname = "zoe"\n[accounts.source]\nhost = "h"\nusername = "u"\npassword = "p"\n'
    own += '[[accounts.destinations]]\ntype = "mbox"\npath = "archive/zoe"\n'
    path = written(tmp_path, [HEAD, line("bob", "q"), line("ann")], own)
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "accounts.d" / "carl.toml").write_text(own.replace("zoe", "carl"))
    config = load(path)
    accounts = rows_of(config)
    names = ["zoe", "bob", "ann", "carl"]
    assert [account.name for account in accounts] == [*accounts.names()] == names
    assert [accounts[number].name for number in range(4)] == names
    assert [account.name for account in accounts[1:3]] == ["bob", "ann"]
    assert accounts[-2].name == "ann"
    with pytest.raises(IndexError):
        accounts[4]
    bob = config.named("bob")
    assert bob is not None
    assert (bob.source.password.reveal(), bob.file_name) == ("q", "bob")
    assert config.named("dora") is None
    assert [account.name for account in config.select(["ann", "zoe"])] == ["zoe", "ann"]


def test_one_account_is_selected_without_going_through_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of one of ten thousand accounts took longer for this than for its log-in."""
    config = load(written(tmp_path, [HEAD, line("ann"), line("bob")]))
    monkeypatch.setattr(type(config.accounts), "names", lambda _: pytest.fail("all names were asked for"))
    assert [account.name for account in config.select(["bob", "bob"])] == ["bob"]


def test_a_password_of_any_characters_comes_back_as_it_was_written(tmp_path: Path) -> None:
    odd = ["a\tb", 'quo"te', "com,ma", "line\nfeed", "Ä€😀", "a\x1fb"]
    config = load(written(tmp_path, [HEAD, *(line(f"u{number}", one) for number, one in enumerate(odd))]))
    assert [account.source.password for account in config.accounts] == [TextSecret(one) for one in odd]


def test_a_common_password_from_the_keyring_is_that_of_each_user(tmp_path: Path) -> None:
    common = '[defaults.source]\nhost = "h"\npassword = { keyring = "mail" }\n'
    config = load(written(tmp_path, [("username",), ("ann",), ("bob",)], common))
    assert [account.source.password for account in config.accounts] == [
        KeyringSecret("mail", "ann"),
        KeyringSecret("mail", "bob"),
    ]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("port", ["995", "1995", "995"]),
        ("host", ["a", "b", "a"]),
        ("leave_on_server", ["true", "false", "true"]),
        ("every", ["1 hour", "2 hours", "1 hour"]),
        ("imap_flags", ["\\Seen", "\\Flagged", "\\Seen"]),
        ("imap_folder", ["INBOX", "Old", "INBOX"]),
    ],
)
def test_rows_that_differ_in_more_than_a_person_are_of_templates_of_their_own(
    tmp_path: Path, column: str, cells: list[str]
) -> None:
    head = dict.fromkeys(
        ["name", "host", "username", "password", "imap_host", "imap_username", "imap_password", column]
    )
    lines = [[{"name": f"n{n}", column: cell}.get(name, "x") for name in head] for n, cell in enumerate(cells)]
    alone = [load(written(tmp_path, [[*head], line])).accounts[0] for line in lines]
    together = load(written(tmp_path, [[*head], *lines])).accounts
    assert [_ends(one) for one in together] == [_ends(one) for one in alone]
    assert _ends(together[0]) != _ends(together[1])


def _ends(account: Account) -> tuple[object, ...]:
    models = (account.source, *account.destinations, account.schedule)
    return tuple(repr(model) for model in models)


def test_a_link_that_leads_to_an_archive_of_another_kind_is_seen(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    head = ("name", "host", "username", "password", "mbox", "maildir")
    lines = [("a", "h", "a", "p", "one", ""), ("b", "h", "b", "p", "real", ""), ("c", "h", "c", "p", "", "two")]
    config = load(
        written(tmp_path, [head, *lines, ("d", "h", "d", "p", "", "link"), ("e", "h", "e", "p", "", "real/")])
    )
    assert [account.name for account in config.accounts] == ["a", "b", "c"]
    assert [row.problem.rpartition(", ")[2] for row in config.bad_rows] == ["another one as mbox"] * 2


def test_a_line_that_is_no_csv_refuses_the_sheet_wherever_it_stands(tmp_path: Path) -> None:
    path = written(tmp_path, [HEAD, *(line(f"u{number}") for number in range(50))])
    with (tmp_path / "accounts.csv").open("a") as file:
        file.write('v,h,"v"x,p,m\n')
    with pytest.raises(ConfigError, match="line 52: this is not CSV"):
        load(path)


_MEASURED = """
import sys
from pathlib import Path
from migrator.config import load
config = load(Path(sys.argv[1]))
assert len(config.accounts) == 100_000 and sum(account.source.port for account in config.accounts) == 99_500_000
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


def test_a_hundred_thousand_rows_take_less_than_a_hundred_megabytes(tmp_path: Path) -> None:
    lines = ((f"user{n:06}@example.org", f"pop{n % 400}.example.org", f"user{n:06}", f"secret-{n:08}", f"archive/{n:06}")
             for n in range(100_000))  # fmt: skip
    path = written(tmp_path, [HEAD, *lines])
    command = [sys.executable, "-c", _MEASURED, str(path)]
    kib = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert kib * 1024 < 100_000_000


def test_a_changed_value_is_what_replace_makes_of_it() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(
            '[[accounts]]\nname = "ann"\n[accounts.source]\nhost = "pop.example.org"\nusername = "ann"\npassword = "x"\n'
            '[[accounts.destinations]]\ntype = "imap"\nhost = "imap.example.org"\nusername = "ann"\npassword = "x"\n'
        )
        [account] = load(path).accounts
    for table in (account.source, *account.destinations):
        assert isinstance(table, Server)
        own: dict[str, Any] = {"username": "bob", "password": TextSecret("y")}
        assert changed(table, own) == replace(table, **own)
        assert changed(table, own).written == table.written
        assert changed(table, {}) == table != changed(table, own)


def test_a_keyring_is_asked_for_the_username_that_all_rows_have(tmp_path: Path) -> None:
    common = '[defaults.source]\nhost = "pop.example.org"\nusername = "master"\n'
    lines = [["password_keyring", "name"], ["mail", "ann"], ["mail", "bob"], ["mail", "cleo"]]
    accounts = [one for one in found(written(tmp_path, lines, common)) if isinstance(one, Account)]
    assert [one.source.password for one in accounts] == [KeyringSecret("mail", "master")] * 3
