"""What is learned of a user's log-ins holds over runs, for that user alone."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.ledger import Ledger
from migrator.net.login_order import LoginMemory
from migrator.net.tls import TlsSettings
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from tests.mail import growing_letters
from tests.rig import Rig, ShortPauses
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import Answers, InSessions, LoginRefused
from tests.servers.pop3_session import Fault

LETTERS = growing_letters(3, by=5)
WRONG = "-ERR [AUTH] wrong user or password"


def tries(server: Pop3Server, since: int = 0) -> list[str]:
    """What was tried to log in with, in order."""
    return [
        command.line.decode().split(" ")[1] if command.verb == "AUTH" else command.verb
        for command in server.commands[since:]
        if command.verb in {"AUTH", "APOP", "PASS"}
    ]


def known(rig: Rig, user: str) -> LoginMemory:
    with closing(Ledger.open(rig.state)) as ledger:
        facts = ledger.server_facts(f"{user}@127.0.0.1", rig.server.port)
    return LoginMemory.from_stored(facts.get("login", {}))


def test_what_is_refused_once_is_not_tried_in_the_next_run(tmp_path: Path) -> None:
    refuses: list[Fault] = [Answers("AUTH", words=WRONG, times=1)]
    with Pop3Server(Maildrop(LETTERS), faults=refuses) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().status == "ok"
        assert tries(server)[:2] == ["SCRAM-SHA-256", "PLAIN"]
        assert known(rig, "alice") == LoginMemory("plain", ("scram-sha-256", "scram-sha-1", "cram-md5", "apop"))
        before = len(server.commands)
        server.maildrop.add(b"Subject: more\r\n\r\nmore\r\n")
        assert rig.migrate().status == "ok"
        assert set(tries(server, before)) == {"PLAIN"}
        before = len(server.commands)
        assert replace(rig, user="bob", folder=tmp_path).migrate().status == "ok"
        assert tries(server, before)[0] == "SCRAM-SHA-256"


def test_a_wrong_password_teaches_nothing(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS), faults=[LoginRefused("[AUTH] no")]) as server:
        rig = Rig(tmp_path, server)
        report = rig.migrate()
        assert [problem.finding for problem in report.problems] == ["auth-refused"]
        assert tries(server) == ["SCRAM-SHA-256", "PLAIN"]
        assert known(rig, "alice") == LoginMemory()


def test_in_use_behind_a_refused_challenge_costs_one_refusal_a_run(tmp_path: Path) -> None:
    faults: list[Fault] = [Answers("AUTH", words=WRONG, times=1), LoginRefused("[IN-USE] locked")]
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        report = Rig(tmp_path, server).migrate()
        assert [str(problem.kind) for problem in report.problems] == ["in-use"]
        assert tries(server) == ["SCRAM-SHA-256", "PLAIN", "PLAIN", "PLAIN"]


def test_a_refused_look_for_more_is_a_note(tmp_path: Path) -> None:
    faults: list[Fault] = [InSessions(LoginRefused("login too frequent"), first=2)]
    with Pop3Server(Maildrop(LETTERS), faults=faults) as server:
        report = Rig(tmp_path, server).migrate()
        assert report.status == "ok"
        assert [note for note in report.notes if "could not be seen" in note]


def test_a_line_without_encryption_that_offers_less_is_not_used(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(LETTERS)) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().status == "ok"
        server.auth = ("PLAIN", "USER")
        report = rig.migrate()
        assert report.status == "failed"
        assert "took scram-sha-256 before" in report.problems[0].message
        assert server.password not in str(report.as_json())
        assert tries(server)[-1] == "SCRAM-SHA-256"


def test_an_encrypted_line_that_offers_less_is_used_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Pop3Server(Maildrop(LETTERS), tls="implicit") as server:
        job = Rig(tmp_path, server).job()
        job = replace(job, source=replace(job.source, tls=TlsSettings(fingerprint=server.certificate.fingerprint)))
        effects = Effects(stop=ShortPauses())
        with closing(Ledger.open(job.state_dir)) as ledger:
            assert run_accounts([job], ledger, effects)[0].status == "ok"
            server.auth = ("PLAIN", "USER")
            with caplog.at_level(logging.WARNING):
                report = run_accounts([job], ledger, effects)[0]
        assert report.status == "ok"
        assert [note for note in report.notes if "took scram-sha-256 before, and now only plain" in note]
        assert "login.weaker" in caplog.text
