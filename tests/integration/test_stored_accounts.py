"""Accounts that are kept in the ledger's database: imported from a sheet, seen by every command, exported as a sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from jobs.fleet.accounts import Listed, register
from jobs.fleet.schema import prepare
from tests.command_line import Answer, Ferry
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.service_manager import ServiceManager

COMMON = """ledger = "{database}"
state_dir = "state"
{more}
[defaults.source]
host = "127.0.0.1"
port = {port}
tls = "none"
"""
OWN = """
[[accounts]]
name = "own"
[accounts.source]
username = "own"
password = { env = "MF_OWN" }
[[accounts.destinations]]
type = "mbox"
path = "archive/own"
"""
HEAD = "name,username,password_env,mbox\n"
ALICE = "alice,alice,MF_ALICE,archive/alice\n"
BOB = "bob,bob,MF_BOB,archive/bob\n"


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(3))) as running:
        yield running


class Desk:
    """A configuration whose ledger is in a database, and the commands on it."""

    def __init__(self, folder: Path, database: str, port: int, ferry: Ferry) -> None:
        self.folder, self.database, self._ferry, self._port = folder, database, ferry, port
        self.path, self.sheet = folder / "config.toml", folder / "sheet.csv"
        self.write()

    def write(self, *, more: str = "", accounts: str = "") -> None:
        common = COMMON.format(database=self.database, port=self._port, more=more)
        self.path.write_text(common + accounts)

    def __call__(self, *words: str) -> Answer:
        return self._ferry(*words, "-c", str(self.path))

    def imports(self, text: str, *options: str) -> Answer:
        self.sheet.write_text(text)
        return self("accounts", "import", str(self.sheet), *options)

    def names(self) -> list[str]:
        listed = self("accounts", "--json")
        assert listed.code == 0, listed.err
        return [account["name"] for account in listed.document["accounts"]]

    def queued(self) -> list[str]:
        """The accounts that workers are to take."""
        with closing(psycopg.connect(self.database, autocommit=True)) as session:
            return [name for (name,) in session.execute("select name from fleet_accounts order by name")]

    def exported(self) -> str:
        answer = self("accounts", "export")
        assert answer.code == 0, answer.err
        return answer.out.replace("\r\n", "\n")


@pytest.fixture
def desk(tmp_path: Path, database: str, server: Pop3Server, ferry: Ferry, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("MF_ALICE", "MF_BOB", "MF_OWN"):
        monkeypatch.setenv(name, server.password)
    return Desk(tmp_path, database, server.port, ferry)


def test_what_is_imported_is_worked_beside_the_configuration(desk: Desk) -> None:
    desk.write(accounts=OWN)
    done = desk.imports(HEAD + ALICE + BOB, "--json")
    assert done.code == 0, done.err
    assert done.document == {
        "added": ["alice", "bob"],
        "changed": [],
        "removed": [],
        "unchanged": 0,
        "dry_run": False,
    }
    assert desk.names() == ["own", "alice", "bob"]
    migrated = desk("migrate", "alice", "own", "--json")
    assert migrated.code == 0, migrated.err
    assert [(one["name"], one["copied"]) for one in migrated.reports] == [("own", 3), ("alice", 3)]
    assert desk("pause", "bob").code == 0
    status = desk("status", "--json")
    assert status.code == 0, status.err
    assert [one["name"] for one in status.document["accounts"]] == ["own", "alice", "bob"]
    checked = desk("check", "bob")
    assert checked.code == 0, checked.err


def test_an_export_is_taken_back_as_it_was(desk: Desk) -> None:
    rows = (
        "Name;User1;Password Command;Host1;leave on server;imap_host;imap_username;imap_password_file;imap_keywords\n"
        'zoe;zoe;pass show "mail/zoe";127.0.0.1;30 days;;;;\n'
        "adam;ädam,x;cat /run/adam;127.0.0.1;false;imap.example.org;adam;/run/adam.imap;a b\n"
    )
    assert desk.imports(rows).code == 0
    written = desk.exported()
    assert written.startswith("name,host,leave_on_server,password_command,username,imap_host,")
    assert [line.split(",")[0] for line in written.splitlines()[1:]] == ["zoe", "adam"]
    again = desk.imports(written, "--json")
    assert again.document["unchanged"] == 2
    assert not again.document["added"]
    assert not again.document["changed"]
    assert desk.exported() == written
    with closing(psycopg.connect(desk.database, autocommit=True)) as session:
        session.execute("drop table account_rows, account_rows_revision")
    assert desk.imports(written, "--replace").code == 0
    assert desk.exported() == written


def test_what_the_sheet_lacks_stays_unless_it_is_to_go(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE + BOB).code == 0
    carol = "carol,carol,MF_CAROL,archive/carol\n"
    changed = desk.imports(HEAD + "bob,bob,MF_BOB,archive/robert\n" + carol)
    assert "added: carol" in changed.out
    assert "changed: bob" in changed.out
    assert "1 added, 1 changed, 0 removed, 0 as they were" in changed.out
    dry = desk.imports(HEAD + ALICE, "--replace", "--dry-run", "--json")
    assert dry.document == {
        "added": [],
        "changed": [],
        "removed": ["bob", "carol"],
        "unchanged": 1,
        "dry_run": True,
    }
    assert desk.names() == ["alice", "bob", "carol"]
    assert desk.imports(HEAD + ALICE, "--replace").code == 0
    assert desk.names() == ["alice"]
    assert desk("remove", "alice").out.startswith("alice: removed (the database ")
    assert desk("accounts").out.count("alice") == 0


def test_one_bad_row_keeps_all_of_them_out(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE).code == 0
    before = desk.exported()
    desk.write(accounts=OWN)
    refused = desk.imports(
        HEAD + BOB + "own,own,MF_OWN,archive/x\n" + "carol,,MF_C,archive/c\n" + "dan,dan,MF_D,archive/dan\n" * 2
    )
    assert refused.code == 2
    assert 'line 3: another account is named "own"' in refused.err
    assert "line 4" in refused.err
    assert "username" in refused.err
    assert 'line 6: the name "dan" stands in line 5 already' in refused.err
    assert "nothing was imported" in refused.err
    assert desk.exported() == before


def test_a_row_that_does_not_fit_in_with_those_that_are_there_is_refused(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE).code == 0
    refused = desk.imports("name,username,password_env,maildir\n" + BOB.replace("archive/bob", "archive/alice"))
    assert refused.code == 2
    assert "as maildir, another one as mbox" in refused.err


def test_no_password_enters_the_database(desk: Desk) -> None:
    secret = "correct horse"  # what must be nowhere
    refused = desk.imports(f"name,username,password,mbox\nalice,alice,{secret},archive/alice\n")
    assert refused.code == 2
    assert "line 2: a password stands in the sheet, and none may enter the database" in refused.err
    assert "password_command" in refused.err
    assert secret not in refused.err
    assert desk("accounts", "export").out.strip() == "name"
    assert desk.imports("name,username,password,password_env,mbox\nalice,alice,,MF_ALICE,archive/alice\n").code == 0
    with closing(psycopg.connect(desk.database, autocommit=True)) as session:
        session.execute("update account_rows set cells = cells || %s", (json.dumps({"password": secret}),))
    seen = desk("doctor", "--json")
    assert seen.code == 1
    [row] = [one for one in seen.document["findings"] if one["id"] == "account-row"]
    assert "a password stands in the database" in row["text"]
    assert secret not in seen.out + seen.err


def test_a_name_that_is_in_both_is_told(desk: Desk, database: str) -> None:
    assert desk.imports(HEAD + ALICE + BOB).code == 0
    desk.write(accounts=OWN.replace("own", "alice"))
    seen = desk("status", "--json")
    [row] = [one for one in seen.document["findings"] if one["id"] == "account-row"]
    assert 'another account is named "alice"' in row["text"]
    assert "the database" in row["text"]
    assert [one["name"] for one in seen.document["accounts"]] == ["alice", "bob"]


def test_a_ledger_that_is_a_file_keeps_none(desk: Desk) -> None:
    desk.path.write_text(desk.path.read_text().partition("\n")[2] + OWN)
    refused = desk.imports(HEAD + ALICE)
    assert refused.code == 2
    assert "accounts_file = " in refused.err
    assert "stand in" in desk("accounts", "export").err


def test_the_accounts_file_is_taken_out_before_it_is_imported(desk: Desk) -> None:
    desk.write(more='accounts_file = "sheet.csv"')
    assert "take accounts_file out of it" in desk.imports(HEAD + ALICE).err
    desk.write()
    assert desk.imports(HEAD + ALICE).code == 0


def test_two_imports_at_one_time_do_not_undo_each_other(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE).code == 0
    from migrator.ledger.postgres import account_rows

    seen = account_rows.read(desk.database).revision
    assert desk.imports(HEAD + BOB).code == 0
    with pytest.raises(Exception, match="somebody has changed the accounts"):
        account_rows.keep(desk.database, [("carol", {"name": "carol"})], seen=seen)
    assert desk.names() == ["alice", "bob"]


def test_a_database_that_is_away_is_an_error_and_no_empty_list(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE).code == 0
    desk.database = "postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=2"
    desk.write()
    for words in (("accounts",), ("migrate",), ("accounts", "export"), ("run",)):
        failed = desk(*words)
        assert failed.code == 1, words
        assert "does not answer" in failed.err
    seen = desk("doctor", "--json")
    assert [one["id"] for one in seen.document["findings"]].count("ledger-away") == 1


def test_a_ledger_goes_into_no_file_while_accounts_are_kept_beside_it(desk: Desk) -> None:
    assert desk.imports(HEAD + ALICE).code == 0
    refused = desk("ledger", "move", "--to", "sqlite")
    assert refused.code == 2
    assert "mailferry accounts export > accounts.csv" in refused.err
    (desk.folder / "accounts.csv").write_text(desk.exported())
    assert desk.imports(HEAD, "--replace").code == 0
    desk.write(more='accounts_file = "accounts.csv"')
    assert desk("ledger", "move", "--to", "sqlite").code == 0


def test_what_goes_wrong_with_the_words_is_said(desk: Desk) -> None:
    assert "which FILE" in desk("accounts", "import").err
    assert "go with accounts import" in desk("accounts", "--replace").err
    assert desk("accounts", "export", "--json").code == 2
    assert desk("accounts").code == 0


def archived(folder: Path, name: str) -> int:
    return sum(path.read_bytes().count(b"\nSubject: ") for path in (folder / "archive" / name).glob("*.mbox"))


@pytest.mark.slow
def test_a_worker_works_what_is_imported_changed_and_removed_without_a_restart(desk: Desk) -> None:
    desk.write(more='[schedule]\nevery = "1 hour"\n[limits]\naccounts = 2')
    with ServiceManager(desk.path) as manager:
        manager.start()
        assert desk.imports(HEAD + ALICE + BOB).code == 0
        manager.wait_for(lambda: archived(desk.folder, "alice") == archived(desk.folder, "bob") == 3)
        assert desk.imports(HEAD + ALICE.replace("archive/alice", "archive/elsewhere")).code == 0
        manager.wait_for(lambda: archived(desk.folder, "elsewhere") == 3)
        assert desk("remove", "alice").code == 0
        manager.wait_for(lambda: desk.queued() == ["bob"])
        assert manager.stop() == 0
    assert manager.log.count("worker.reload.accounts_changed") == 3
    assert "worker.account.unknown" not in manager.log


@pytest.mark.slow
def test_a_row_that_one_machine_cannot_read_is_worked_by_the_others(desk: Desk) -> None:
    (desk.folder / "ca.pem").write_text("")
    assert desk.imports(f"{HEAD[:-1]},ca_file\n{ALICE[:-1]},{desk.folder / 'ca.pem'}\n").code == 0
    (desk.folder / "ca.pem").unlink()
    with closing(psycopg.connect(desk.database, autocommit=True)) as session:
        prepare(session)
        register(session, [Listed("alice", "a:995", [], "theirs")], {}, 0.0)
    with ServiceManager(desk.path) as manager:
        manager.start()
        assert desk.queued() == ["alice"]
        assert manager.stop() == 0
    assert "is not there" in desk("doctor").out
