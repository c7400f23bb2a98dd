"""Where a server refuses a way to log in that it offers, another one is tried, on a connection of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.errors import FerryError, Kind
from migrator.imap.logging_in import LoggingIn
from migrator.imap.session import ImapSession
from migrator.net.access_token import AccessToken
from tests.unit.imap.scripted import Script, serving, settings

CRAM = b"TAG NO no\r\n"
OFFERS = b"IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN"


def tried(script: Script, *, auth: str = "auto", connections: int = 1) -> list[bytes]:
    """Log in so many times in one run; return the mechanisms that were tried, in order."""
    with serving(script) as port:
        given = settings(port, auth=auth)
        logging_in = LoggingIn(auth, given.host)
        try:
            for _ in range(connections):
                ImapSession(given, lambda: "sesame", logging_in=logging_in).close()
        finally:
            mechanisms = [line.split()[1:3] for line in script.heard if b"AUTHENTICATE" in line or b" LOGIN " in line]
    return [words[1] if words[0] == b"AUTHENTICATE" else words[0] for words in mechanisms]


def test_a_refused_challenge_is_followed_by_the_password_itself() -> None:
    script = Script({b"AUTHENTICATE CRAM-MD5": CRAM}, capabilities=OFFERS)
    assert tried(script) == [b"CRAM-MD5", b"PLAIN"]


def test_what_worked_is_tried_first_on_the_next_connection() -> None:
    script = Script({b"AUTHENTICATE CRAM-MD5": CRAM}, capabilities=OFFERS)
    assert tried(script, connections=2) == [b"CRAM-MD5", b"PLAIN", b"PLAIN"]


def test_a_configured_mechanism_is_tried_alone() -> None:
    script = Script({b"AUTHENTICATE CRAM-MD5": CRAM}, capabilities=OFFERS)
    with pytest.raises(FerryError) as raised:
        tried(script, auth="cram-md5")
    assert raised.value.kind is Kind.AUTH
    assert sum(b"AUTHENTICATE" in line for line in script.heard) == 1


def test_at_most_three_log_ins_are_refused() -> None:
    script = Script(
        {b"AUTHENTICATE": b"TAG NO no\r\n", b"LOGIN": b"TAG NO no\r\n"},
        capabilities=b"IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=CRAM-MD5 AUTH=PLAIN AUTH=LOGIN",
    )
    with pytest.raises(FerryError) as raised:
        tried(script)
    assert raised.value.kind is Kind.AUTH
    assert sum(b"AUTHENTICATE" in line or b" LOGIN " in line for line in script.heard) == 3


@pytest.mark.parametrize(
    "words", [b"[UNAVAILABLE] later", b"Too many login failures", b"[ALERT] Application-specific password required"]
)
def test_nothing_else_is_tried_after_an_answer_that_another_way_cannot_help(words: bytes) -> None:
    script = Script({b"AUTHENTICATE": b"TAG NO " + words + b"\r\n"}, capabilities=OFFERS)
    with pytest.raises(FerryError):
        tried(script)
    assert sum(b"AUTHENTICATE" in line for line in script.heard) == 1


def test_a_wrong_password_that_was_sent_as_it_is_is_not_sent_again() -> None:
    script = Script(
        {b"AUTHENTICATE PLAIN": b"TAG NO [AUTHENTICATIONFAILED] no\r\n"},
        capabilities=b"IMAP4rev1 AUTH=PLAIN AUTH=LOGIN",
    )
    with pytest.raises(FerryError, match=r"check username, password and auth"):
        tried(script)
    assert sum(b"AUTHENTICATE" in line or b" LOGIN " in line for line in script.heard) == 1


def token_log_in(script: Script, refused: list[str], auth: str = "auto") -> list[bytes]:
    """Log in with a token that is renewed where it is refused; return the mechanisms that were tried."""

    def renewed(token: str) -> str:
        refused.append(token)
        return "new"

    password = AccessToken(lambda: "old", renewed, refused.append, "alice")
    with serving(script) as port:
        try:
            ImapSession(replace(settings(port, auth=auth), is_token=True), password).close()
        finally:
            tried = [line.split()[2] for line in script.heard if b"AUTHENTICATE" in line]
            assert not any(b" LOGIN " in line for line in script.heard)
    return tried


@pytest.mark.parametrize(
    ("offers", "mechanism"),
    [
        (b"IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2", b"XOAUTH2"),
        (b"IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=PLAIN", b"OAUTHBEARER"),
        (b"IMAP4rev1", b"XOAUTH2"),
    ],
)
def test_a_token_goes_by_a_mechanism_for_tokens(offers: bytes, mechanism: bytes) -> None:
    refused: list[str] = []
    assert token_log_in(Script({}, capabilities=offers), refused) == [mechanism]
    assert refused == []


@pytest.mark.parametrize(
    ("words", "kind"), [(b"[AUTHENTICATIONFAILED] no", Kind.AUTH), (b"[UNAVAILABLE] later", Kind.TEMPORARY)]
)
def test_a_refused_token_is_renewed_once(words: bytes, kind: Kind) -> None:
    script = Script({b"AUTHENTICATE": b"TAG NO " + words + b"\r\n"}, capabilities=b"IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN")
    refused: list[str] = []
    with pytest.raises(FerryError) as caught:
        token_log_in(script, refused)
    assert refused == ["old", "new"]
    assert sum(b"AUTHENTICATE XOAUTH2" in line for line in script.heard) == 2
    assert caught.value.kind is kind
    assert (caught.value.finding == "sign-in-needed") == (kind is Kind.AUTH)


def test_a_token_never_travels_as_a_password() -> None:
    with pytest.raises(FerryError, match="never travels"):
        token_log_in(Script({}, capabilities=OFFERS), [], auth="plain")
