from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import open_session
from migrator.pop3.transport import HANG_UP, Saying, ScriptedStream
from tests.unit.pop3.scripted import CAPA, PASSWORD, Maildrop, connecting, opened, refused, sample, source

MAIL = [sample(number) for number in range(1, 4)]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b"-ERR [IN-USE] locked\r\n", Kind.IN_USE),
        (b"-ERR [LOGIN-DELAY] wait\r\n", Kind.LOGIN_DELAY),
        (b"-ERR [AUTH] no\r\n", Kind.AUTH),
        (b"-ERR no\r\n", Kind.AUTH),
    ],
)
def test_a_refused_password_has_its_class(words: bytes, kind: Kind) -> None:
    error = refused(Maildrop(MAIL, capa=[*CAPA, "LOGIN-DELAY 60"], says={"PASS": [words]}))
    assert error.kind is kind
    assert error.wait == (60 if kind is Kind.LOGIN_DELAY else None)


def test_a_line_dropped_after_the_password_is_a_refused_login_not_a_network_fault() -> None:
    error = refused(Maildrop(MAIL, says={"PASS": [HANG_UP]}))
    assert (error.kind, error.advice) == (Kind.AUTH, Advice.LATER)
    assert "password" in error.cure


def test_the_password_is_never_repeated_though_the_server_echoes_it() -> None:
    for verb in ("PASS", "USER", "CAPA"):
        echo = f"-ERR you said {PASSWORD} and {b64encode(PASSWORD.encode()).decode()}\r\n".encode()
        try:
            one = opened(Maildrop(MAIL, says={verb: [echo]} if verb != "CAPA" else {}))
        except FerryError as error:
            shown = str(error) + repr(error.__cause__)
        else:
            one.streams[0].script = Maildrop(MAIL, says={"STAT": [echo]})
            with pytest.raises(FerryError) as caught:
                one.session.stat()
            shown = str(caught.value)
        assert "you said ***" in shown
        assert PASSWORD not in shown
        assert b64encode(PASSWORD.encode()).decode() not in shown


@pytest.mark.parametrize("character", ["\r", "\n", "\0"])
def test_a_password_cannot_smuggle_a_command(character: str) -> None:
    streams: list[ScriptedStream] = []
    with pytest.raises(FerryError) as caught:
        open_session(
            source(),
            lambda: f"x{character}DELE 1",
            ServerProfile(),
            clock=lambda: 0.0,
            connect=connecting(Maildrop(MAIL), streams),
        )
    assert caught.value.kind is Kind.AUTH
    assert streams[0].heard == [b"CAPA\r\n"]


def test_no_password_crosses_an_open_line_to_elsewhere() -> None:
    error = refused(Maildrop(MAIL), host="pop.example.org")
    assert error.kind is Kind.AUTH
    assert "allow_plaintext" in error.cure
    assert opened(Maildrop(MAIL), host="pop.example.org", allow_plaintext=True).heard[1] == b"USER alice\r\n"


def test_a_password_that_is_not_utf_8_is_sent_as_it_is() -> None:
    streams: list[ScriptedStream] = []
    open_session(
        source(), lambda: "p\udcff", ServerProfile(), clock=lambda: 0.0, connect=connecting(Maildrop(MAIL), streams)
    )
    assert b"PASS p\xff\r\n" in streams[0].heard


# --- SASL and APOP ---


def sasl_drop(
    mechanism: str, challenges: list[bytes], final: bytes, heard: list[bytes]
) -> Callable[[bytes], list[Saying]]:
    """Return a server that asks these challenges in one exchange and then says its last word."""
    left = list(challenges)

    def script(line: bytes) -> list[Saying]:
        if line == b"AUTH " + mechanism.encode() + b"\r\n":
            return [left.pop(0)]
        if line.split(b" ")[0].strip() in {b"CAPA", b"STAT"}:
            return [b"+OK\r\nSASL " + mechanism.encode() + b"\r\n.\r\n"] if line == b"CAPA\r\n" else [b"+OK 0 0\r\n"]
        heard.append(b64decode(line))
        return [left.pop(0) if left else final]

    return script


def test_apop_sends_the_hash_of_rfc_1939() -> None:
    streams: list[ScriptedStream] = []
    greeting = b"+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n"
    drop = Maildrop(MAIL, says={"APOP": [b"+OK maildrop has 1 message\r\n"]})
    open_session(
        source(username="mrose", host="pop.example.org"),
        lambda: b"tanstaaf",
        ServerProfile(),
        clock=lambda: 0.0,
        connect=connecting(drop, streams, greeting=greeting),
    )
    assert b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n" in streams[0].heard


def test_apop_asked_for_but_without_timestamp_is_an_error() -> None:
    assert refused(Maildrop(MAIL), auth="apop").kind is Kind.AUTH


def test_plain_waits_for_the_prompt_before_it_says_the_password() -> None:
    heard: list[bytes] = []
    one = opened(sasl_drop("PLAIN", [b"+ \r\n"], b"+OK\r\n", heard))
    assert heard == [b"\0alice\0" + PASSWORD.encode()]
    assert one.heard[1] == b"AUTH PLAIN\r\n"


@pytest.mark.parametrize(("username", "is_sent_along"), [("alice", True), ("a" * 80, True), ("a" * 200, False)])
def test_scram_says_its_first_part_with_auth_unless_that_makes_a_line_of_more_than_255_octets(
    username: str, is_sent_along: bool
) -> None:
    streams: list[ScriptedStream] = []
    drop = Maildrop(MAIL, capa=[*CAPA, "SASL SCRAM-SHA-256"], says={"AUTH": [b"-ERR no\r\n"]})
    with pytest.raises(FerryError):
        open_session(
            source(username=username, auth="scram-sha-256"), lambda: PASSWORD, connect=connecting(drop, streams)
        )
    heard = streams[0].heard
    command = heard[1].split()
    assert command[:2] == [b"AUTH", b"SCRAM-SHA-256"]
    assert len(heard[1]) <= 255
    assert [b64decode(first)[: len(username) + 5] for first in command[2:]] == (
        [b"n,,n=" + username.encode()] if is_sent_along else []
    )


def test_login_is_prompted_twice() -> None:
    heard: list[bytes] = []
    prompts = [b"+ " + b64encode(b"Username:") + b"\r\n", b"+ " + b64encode(b"Password:") + b"\r\n"]
    opened(sasl_drop("LOGIN", prompts, b"+OK\r\n", heard))
    assert heard == [b"alice", PASSWORD.encode()]


def test_xoauth2_takes_two_steps_with_a_large_token_and_tells_the_reason_of_a_refusal() -> None:
    heard: list[bytes] = []
    token = "t" * 6000
    reason = b64encode(b'{"status":"401","schemes":"Bearer"}')
    streams: list[ScriptedStream] = []
    with pytest.raises(FerryError) as caught:
        open_session(
            source(auth="xoauth2"),
            lambda: token,
            ServerProfile(),
            clock=lambda: 0.0,
            connect=connecting(
                sasl_drop("XOAUTH2", [b"+ \r\n", b"+ " + reason + b"\r\n"], b"-ERR [AUTH] refused\r\n", heard), streams
            ),
        )
    assert heard == [b"user=alice\x01auth=Bearer " + token.encode() + b"\x01\x01", b""]
    assert caught.value.kind is Kind.AUTH
    assert "status 401" in str(caught.value)
    assert token not in str(caught.value)


def test_a_challenge_that_is_no_base64_is_refused() -> None:
    error = refused(sasl_drop("CRAM-MD5", [b"+ what is your name\r\n"], b"+OK\r\n", []))
    assert error.kind is Kind.PROTOCOL


def test_challenges_without_end_are_refused() -> None:
    endless = sasl_drop("PLAIN", [b"+ \r\n"] + [b"+ AAAA\r\n"] * 50, b"+OK\r\n", [])
    assert refused(endless).kind is Kind.AUTH
