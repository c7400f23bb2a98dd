from __future__ import annotations

from pathlib import Path

import pytest

from migrator.config import load
from migrator.config.new_account import site_of
from migrator.config.secrets import TextSecret
from migrator.discovery import Found, Origin, read_address
from migrator.errors import Kind
from migrator.model import UniqueId
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.operations.add_account import Draft, failure_of, given_server, has_proven, source_keys
from migrator.report import AccountReport, Problem, Status

ALICE = read_address("alice@example.org")
FOUND = Found("pop.example.org", 995, TlsMode.IMPLICIT, "alice", Origin.SRV, "is named by a record")


@pytest.mark.parametrize(
    ("port", "tls", "service", "used"),
    [
        (None, TlsMode.IMPLICIT, Service.POP3, 995),
        (None, TlsMode.STARTTLS, Service.POP3, 110),
        (None, TlsMode.NONE, Service.POP3, 110),
        (None, TlsMode.IMPLICIT, Service.IMAP, 993),
        (1995, TlsMode.IMPLICIT, Service.POP3, 1995),
    ],
)
def test_a_server_that_is_given_has_its_usual_port(port: int | None, tls: TlsMode, service: Service, used: int) -> None:
    found = given_server(ALICE, "pop.example.org", port, tls, service)
    assert (found.port, found.is_trusted, found.origin, found.username) == (used, True, Origin.GIVEN, str(ALICE))


@pytest.mark.parametrize(("wish", "written"), [("true", True), ("FALSE", False), ("30 days", "30 days"), (None, None)])
def test_a_source_is_written_with_what_was_found_and_wished(wish: str | None, written: object) -> None:
    keys = source_keys(FOUND, wish)
    assert keys.pop("leave_on_server", None) == written
    assert keys == {"host": "pop.example.org", "port": 995, "tls": "implicit", "username": "alice"}


def test_typed_passwords_stand_apart_from_the_account_each_with_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]  # the package ships no types
    places = [
        {"type": "imap", "host": "a.example", "username": "a"},
        {"type": "mbox", "path": str(tmp_path / "mail")},
        {"type": "imap", "host": "b.example", "username": "b"},
    ]
    typed = [TextSecret("first"), TextSecret("second")]
    try:
        file = Draft(
            site_of(tmp_path / "c.toml"), "alice", source_keys(FOUND, None), TextSecret("source"), places, typed
        ).write()
    finally:
        keyring.set_keyring(before)
    text = file.read_text()
    assert not any(secret in text for secret in ("first", "second", '"source"'))
    [account] = load(tmp_path / "c.toml").accounts
    assert [secret.reveal() for secret in account.secrets()] == ["source", "first", "second"]


def report(**facts: object) -> AccountReport:
    return AccountReport("alice", **facts)  # type: ignore[arg-type]  # as each case has them


@pytest.mark.parametrize(
    ("facts", "proven"),
    [
        ({"status": Status.OK}, True),
        ({"status": Status.OK, "verified": 1}, True),
        ({"status": Status.PARTIAL, "verified": 1}, True),
        ({"status": Status.PARTIAL}, False),
        ({"status": Status.FAILED}, False),
        ({"status": Status.OK, "verified": 1, "interrupted": True}, False),
    ],
)
def test_what_counts_as_a_proven_copy(facts: dict[str, object], proven: bool) -> None:
    assert has_proven(report(**facts)) is proven


def test_why_a_copy_failed_is_said_once_with_its_cure() -> None:
    problem = Problem(Kind.DISK_FULL, "no room; free some", UniqueId(b"1"), cure="free some", finding="disk-full")
    error = failure_of(report(status=Status.FAILED, problems=[problem]))
    assert (str(error), error.kind, error.finding) == ("no room; free some", Kind.DISK_FULL, "disk-full")
    assert failure_of(report(status=Status.FAILED)).kind is Kind.INTERNAL
