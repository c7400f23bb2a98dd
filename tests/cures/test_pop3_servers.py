"""Findings about sources: the way to a server, the log-in, and what the server says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, account, alice, mbox, source
from tests.cures.bench import Bench
from tests.servers.certificates import Certificate
from tests.servers.imap import ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import Answers, LoginRefused, NoUniqueIds
from tests.servers.pop3_session import Fault, Session


class Offers(Fault):
    """Offers one capability more."""

    def __init__(self, line: bytes) -> None:
        self._line = line

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return [*offered, self._line]


class WantsEncryption(Fault):
    """Takes no password over an open line."""

    def refusal(self, session: Session) -> bytes | None:
        return (
            None if session.encrypted else b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections."
        )


def holds_all_once(bench: Bench) -> None:
    assert Counter(bench.site.stored()) == Counter(MESSAGES)


@contextmanager
def with_fault(server: Pop3Server, fault: Fault) -> Iterator[None]:
    """Let a server misbehave for a while."""
    before, server.faults = server.faults, (*server.faults, fault)
    yield
    server.faults = before


def is_over(bench: Bench) -> None:
    """See the finding gone by ``doctor``, which asks the server, and from then on by ``status``, which does not."""
    bench.is_well("doctor")
    bench.is_well("status")
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)


def test_auth_refused(bench: Bench, server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.writes(alice(server.port))
    monkeypatch.setenv("PASSWORD", "mistyped")
    assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("auth-refused"))
    monkeypatch.setenv("PASSWORD", server.password)
    is_over(bench)


def test_auth_refused_ends_by_a_run_that_logs_in(
    bench: Bench, server: Pop3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.writes(alice(server.port))
    monkeypatch.setenv("PASSWORD", "mistyped")
    assert bench.migrate().code == 1
    monkeypatch.setenv("PASSWORD", server.password)
    bench.migrates()
    bench.is_well("status")
    holds_all_once(bench)


def test_auth_refused_by_a_mechanism_that_cannot_be_used(bench: Bench) -> None:
    with Pop3Server(Maildrop(MESSAGES), auth=["USER"]) as server:
        bench.writes(alice(server.port, auth="apop"))
        assert bench.migrate().code == 1
        bench.sets(bench.finds("auth-refused", says="APOP"))
        is_over(bench)


def test_secret_missing(bench: Bench, server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    monkeypatch.delenv("PASSWORD")
    bench.no_machine_can(bench.finds("secret-missing", says="PASSWORD"))
    monkeypatch.setenv("PASSWORD", server.password)
    is_over(bench)


def test_secret_missing_behind_a_command(bench: Bench, server: Pop3Server) -> None:
    script = bench.folder / "password"
    script.write_text("#!/bin/sh\nexit 3\n")
    script.chmod(0o700)
    bench.writes(alice(server.port, password=f'{{ command = "{script}" }}'))
    assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("secret-missing", says="exit code 3"))
    script.write_text(f"#!/bin/sh\necho {server.password}\n")
    is_over(bench)


@pytest.mark.parametrize("has_run", [True, False])
def test_host_unknown(bench: Bench, server: Pop3Server, has_run: bool) -> None:
    bench.writes(alice(server.port, host="pop.example.invalid", tls="implicit"))
    if has_run:
        assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("host-unknown", says="pop.example.invalid", by_looking=has_run))
    bench.writes(alice(server.port))
    is_over_at_new_host(bench)


def is_over_at_new_host(bench: Bench) -> None:
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)


def test_host_unreachable(bench: Bench) -> None:
    maildrop = Maildrop(MESSAGES)
    with Pop3Server(maildrop) as server:
        bench.writes(alice(server.port))
    assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("host-unreachable", says=f"127.0.0.1:{server.port}"))
    with Pop3Server(maildrop) as again:
        bench.writes(alice(again.port))
        is_over(bench)


def test_host_unreachable_of_three_accounts_is_one(bench: Bench, server: Pop3Server) -> None:
    names = ["alice", "bob", "carol"]
    bench.writes(*(account(name, source(server.port, user=name), mbox(f"archive/{name}")) for name in names))
    server.stop()
    assert bench.migrate().code == 1
    bench.finds("host-unreachable", accounts=names)


def test_wrong_service(bench: Bench, server: Pop3Server) -> None:
    with ImapServer(Mailboxes()) as imap:
        bench.writes(alice(imap.port))
        assert bench.migrate().code == 1
        bench.no_machine_can(bench.finds("wrong-service", says="IMAP"))
    bench.writes(alice(server.port))
    is_over(bench)


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_wrong_tls_where_tls_begins_at_once(bench: Bench, tmp_path: Path, tls: str) -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="implicit") as server:
        (tmp_path / "ca.pem").write_bytes(server.authority.certificate)
        bench.writes(alice(server.port, tls=tls, ca_file="ca.pem"))
        assert bench.migrate().code == 1
        found = bench.finds("wrong-tls", says="speaks TLS from the first byte")
        bench.sets(found)
        is_over(bench)


def test_wrong_tls_where_tls_begins_later(bench: Bench, tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="starttls") as server:
        (tmp_path / "ca.pem").write_bytes(server.authority.certificate)
        bench.writes(alice(server.port, tls="implicit", ca_file="ca.pem"))
        assert bench.migrate().code == 1
        bench.sets(bench.finds("wrong-tls", says="speaks plain POP3"))
        is_over(bench)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_wrong_tls_where_nothing_is_encrypted(bench: Bench, server: Pop3Server, tls: str) -> None:
    bench.writes(alice(server.port, tls=tls))
    assert bench.migrate().code == 1
    bench.sets(bench.finds("wrong-tls"))
    is_over(bench)


def test_wrong_tls_where_no_password_is_taken_in_the_clear(bench: Bench, tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="starttls", faults=[WantsEncryption()]) as server:
        (tmp_path / "ca.pem").write_bytes(server.authority.certificate)
        bench.writes(alice(server.port, ca_file="ca.pem"))
        assert bench.migrate().code == 1
        bench.sets(bench.finds("wrong-tls"))
        is_over(bench)


@pytest.mark.parametrize("kind", [Certificate.SELF_SIGNED, Certificate.WRONG_NAME, Certificate.EXPIRED])
@pytest.mark.parametrize("has_ca_file", [True, False])
def test_certificate(bench: Bench, tmp_path: Path, kind: Certificate, has_ca_file: bool) -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="implicit", certificate=kind) as server:
        (tmp_path / "ca.pem").write_bytes(server.authority.certificate)
        keys = {"ca_file": "ca.pem"} if has_ca_file else {}
        bench.writes(alice(server.port, tls="implicit", **keys))
        assert bench.migrate().code == 1
        bench.sets(bench.finds("certificate", says="is not trusted"))
        is_over(bench)


def test_certificate_that_was_renewed(bench: Bench) -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="implicit") as server:
        bench.writes(alice(server.port, tls="implicit", fingerprint=server.certificate.fingerprint))
        bench.migrates()
        bench.writes(alice(server.port, tls="implicit", fingerprint="ab" * 32))
        bench.sets(bench.finds("certificate", says="another certificate than the pinned one", by_looking=False))
        is_over(bench)


@pytest.mark.parametrize("verb", ["STAT", "LIST"])
def test_refused(bench: Bench, server: Pop3Server, verb: str) -> None:
    bench.writes(alice(server.port))
    with with_fault(server, Answers(verb, words="-ERR not for you")):
        assert bench.migrate().code == 1
        bench.no_machine_can(bench.finds("refused", says="not for you"))
    is_over(bench)


def test_limited(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    with with_fault(server, LoginRefused("[IN-USE] somebody else is logged in")):
        assert bench.migrate().code == 1
        bench.no_machine_can(bench.finds("limited", says="somebody else is logged in"))
    is_over(bench)


def test_message_refused(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    fault = Answers("RETR", 3, words="-ERR cannot read that one")
    with with_fault(server, fault):
        for _ in range(2):
            assert bench.migrate().code == 1
        found = bench.finds("message-refused", says="1 message is set aside")
        with bench.as_before():
            bench.runs(found)
            bench.is_well()
            bench.migrates()
            bench.is_well()
            assert Counter(bench.site.stored()) == Counter([*MESSAGES[:2], *MESSAGES[3:]])
    is_over_at_new_host(bench)


def test_message_refused_five_times(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    with with_fault(server, Answers("RETR", words="-ERR cannot read that one")):
        for _ in range(2):
            assert bench.migrate().code == 1
        bench.runs(bench.finds("message-refused", says=f"{len(MESSAGES)} messages are set aside"))
        bench.is_well()
        bench.migrates()
        bench.is_well()


def test_message_too_large(bench: Bench) -> None:
    large = b"From: a@example.org\r\nSubject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 100
    messages = [*MESSAGES, large, large + large]
    with Pop3Server(Maildrop(messages)) as server:
        bench.writes(alice(server.port, max_message_size="5 kB"))
        bench.migrates()
        found = bench.finds("message-too-large", says="2 messages are left at the source")
        bench.migrates()
        assert bench.finds("message-too-large")["cure"] == found["cure"]
        assert bench.ferry("doctor").code == 0
        bench.sets(found)
        bench.migrates()
        assert bench.found_by("doctor") == bench.found_by("status") == []
        assert Counter(bench.site.stored()) == Counter(messages)


def test_provider_deletes(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    with with_fault(server, Offers(b"EXPIRE 30")):
        bench.no_machine_can(bench.finds("provider-deletes", says="after 30 days", by_looking=False))
        assert bench.ferry("doctor").code == 0
    assert bench.found_by("doctor") == []


def test_no_unique_ids(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    with with_fault(server, NoUniqueIds()):
        bench.no_machine_can(bench.finds("no-unique-ids", by_looking=False))
        assert bench.ferry("doctor").code == 0
    assert bench.found_by("doctor") == []
