"""What servers refuse with, and what is to be done about it."""

from __future__ import annotations

import pytest

from migrator.errors import Kind, Scope
from migrator.imap.refusals import (
    Remedy,
    backoff,
    judge_append,
    judge_bye,
    judge_command,
    judge_fetch,
    judge_greeting,
)
from migrator.imap.replies import StatusReply, parse_status


def reply(words: str) -> StatusReply:
    parsed = parse_status(b"a1 " + words.encode())
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("words", "remedy", "kind", "wait"),
    [
        ("NO [TRYCREATE] no such folder", Remedy.CREATE, Kind.REFUSED, None),
        ("NO [NONEXISTENT] no such folder", Remedy.CREATE, Kind.REFUSED, None),
        ("NO [OVERQUOTA] Quota exceeded (mailbox for user is full)", Remedy.SPLIT, Kind.QUOTA, None),
        ("NO [OVERQUOTA] Account exceeded command or bandwidth limits", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO [OVERQUOTA] Account exceeded bandwidth limits.", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO [TOOBIG] Message too large", Remedy.SPLIT, Kind.TOO_LARGE, None),
        ("BAD [TOOBIG] Message too large 35651584", Remedy.SPLIT, Kind.TOO_LARGE, None),
        ("NO Message size exceeds fixed maximum message size", Remedy.SPLIT, Kind.TOO_LARGE, None),
        ("NO [UNAVAILABLE] backend down", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO [INUSE] locked", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO [LIMIT] slow down", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO [LIMIT] Too many identical emails", Remedy.SPLIT, Kind.REFUSED, None),
        ("NO Current box is selected READ-ONLY.", Remedy.OPEN, Kind.REFUSED, None),
        ("NO [NOPERM] Permission denied", Remedy.STOP, Kind.REFUSED, None),
        (
            "BAD Request is throttled. Suggested Backoff Time: 299609 milliseconds",
            Remedy.WAIT,
            Kind.TEMPORARY,
            299.609,
        ),
        ("NO Server error - Please try again later", Remedy.WAIT_ONCE, Kind.TEMPORARY, None),
        ("NO Server Unavailable. 15", Remedy.WAIT_ONCE, Kind.TEMPORARY, None),
        ("NO [SERVERBUG] Internal error", Remedy.WAIT_ONCE, Kind.TEMPORARY, None),
        ("NO [CONTACTADMIN] call me", Remedy.WAIT_ONCE, Kind.TEMPORARY, None),
        ("NO APPEND The storage limit has been exceeded", Remedy.SPLIT, Kind.QUOTA, None),
        ("NO [LIMIT] APPEND Rate limit hit.", Remedy.WAIT, Kind.TEMPORARY, None),
        ("NO APPEND Unsafe Login. Please contact kefu@188.com", Remedy.STOP, Kind.REFUSED, None),
        ("NO Message contains bare newlines", Remedy.SPLIT, Kind.REFUSED, None),
        ("BAD Command Argument Error. 11", Remedy.SPLIT, Kind.REFUSED, None),
        ("NO", Remedy.SPLIT, Kind.REFUSED, None),
    ],
)
def test_each_refusal_of_append_has_a_remedy(words: str, remedy: Remedy, kind: Kind, wait: float | None) -> None:
    refusal = judge_append(reply(words), "INBOX")
    assert (refusal.remedy, refusal.error.kind, refusal.error.wait) == (remedy, kind, wait)


def test_no_refusal_repeats_a_secret() -> None:
    words = b"I do not like sesame, at all: c2VzYW1l"
    errors = [
        judge_command(words, "host", secrets=(b"sesame", b"c2VzYW1l")),
        judge_bye(words, "host", secrets=(b"sesame", b"c2VzYW1l")),
        judge_append(reply("NO " + words.decode()), "INBOX", secrets=(b"sesame", b"c2VzYW1l")).error,
    ]
    for error in errors:
        assert "sesame" not in str(error)
        assert "c2VzYW1l" not in str(error)
        assert "I do not like ***" in str(error)


def test_each_refusal_names_its_finding() -> None:
    assert judge_append(reply("NO [OVERQUOTA] full"), "INBOX").error.finding == "quota-full"
    assert judge_append(reply("NO [NOPERM] no"), "INBOX").error.finding == "refused"
    assert judge_greeting(b"too many connections from your address", "host").finding == "limited"


def test_a_refusal_to_fetch_that_may_pass_may_be_of_one_message() -> None:
    assert judge_fetch(b"[SERVERBUG] Internal error").scope is Scope.MESSAGE
    assert judge_fetch(b"[UNAVAILABLE] later").scope is Scope.ACCOUNT
    assert judge_fetch(b"no").kind is Kind.REFUSED


def test_a_bye_of_a_server_that_takes_no_more_is_temporary() -> None:
    error = judge_bye(b"[UNAVAILABLE] Too many connections", "host")
    assert (error.kind, error.scope) == (Kind.TEMPORARY, Scope.SESSION)


def test_a_bye_with_a_pause_ends_the_session_and_says_how_long() -> None:
    error = judge_bye(b"Session throttled. Suggested Backoff Time: 5 seconds", "host")
    assert (error.kind, error.scope, error.wait) == (Kind.TEMPORARY, Scope.SESSION, 5)
    assert judge_bye(b"Autologout", "host").kind is Kind.CONNECT


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (b"Suggested Backoff Time: 299609 milliseconds", 299.609),
        (b"suggested backoff time 30 seconds", 30),
        (b"Backoff Time: 99999999999999 seconds", None),
        (b"no number", None),
    ],
)
def test_a_pause_is_read_exactly(words: bytes, seconds: float | None) -> None:
    assert backoff(words) == seconds
