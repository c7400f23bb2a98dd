from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from migrator.config import Account
from migrator.errors import FerryError, Kind
from migrator.operations.check_account import check_accounts
from migrator.pop3.session import Session, open_session
from migrator.wiring.account import source_of
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults.greeting import AtMostAtOnce
from tests.unit.archive.office import Office


def test_an_end_that_answers_says_what_it_offers_and_another_why_it_does_not(office: Office) -> None:
    with Pop3Server(Maildrop([b"Subject: one\r\n\r\n"])) as server:

        def log_in(account: Account) -> Session:
            if account.name != "alice":
                raise FerryError(Kind.CONNECT, "nobody answers")
            source = replace(source_of(account), host="127.0.0.1", port=server.port, username="alice")
            return open_session(source, lambda: server.password)

        alice, bob = check_accounts(office.config.accounts, office.state_dir, open_source=log_in)
        assert not {"RETR", "TOP", "DELE"} & set(server.verbs())
    assert (alice.name, alice.is_ok, alice.source.facts["messages"]) == ("alice", True, 1)
    assert [end.facts["writable"] for end in alice.destinations] == [True, True]
    assert (bob.is_ok, bob.destinations[0].error) == (False, None)
    assert bob.source.as_json() == {
        "label": "u at localhost",
        "status": "failed",
        "kind": "connect",
        "message": "nobody answers",
    }


def test_nothing_is_made_by_a_check(office: Office, tmp_path: Path) -> None:
    def refuse(_account: Account) -> Session:
        raise FerryError(Kind.AUTH, "no")

    before = sorted(tmp_path.rglob("*"))
    check_accounts(office.config.accounts, office.state_dir, open_source=refuse)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_server_that_takes_few_at_once_fails_no_account(office: Office) -> None:
    with Pop3Server(Maildrop(), faults=[AtMostAtOnce(2)]) as server:
        [account] = [one for one in office.config.accounts if one.name == "alice"]

        def log_in(account: Account) -> Session:
            return open_session(replace(source_of(account), port=server.port), lambda: server.password)

        checked = check_accounts([account] * 6, office.state_dir, open_source=log_in)
    assert [one.errors for one in checked] == [()] * 6
