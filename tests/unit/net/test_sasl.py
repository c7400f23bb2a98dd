from __future__ import annotations

from base64 import b64encode

import pytest

from migrator.errors import FerryError, Kind
from migrator.net.sasl import Credentials, Scram, begin, choose, secrets_of

ALICE = Credentials("alice", b"s3cret")


@pytest.mark.parametrize(
    ("offered", "may_reveal", "chosen"),
    [
        ({"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "apop", "user"}, True, "scram-sha-256"),
        ({"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1"}, True, "scram-sha-1"),
        ({"PLAIN", "CRAM-MD5", "apop"}, True, "cram-md5"),
        ({"PLAIN", "apop"}, True, "apop"),
        ({"LOGIN", "PLAIN", "user"}, True, "plain"),
        ({"LOGIN", "user"}, True, "login"),
        ({"user"}, True, "user"),
        ({"XOAUTH2", "OAUTHBEARER", "PLAIN"}, True, "plain"),
        ({"PLAIN", "CRAM-MD5"}, False, "cram-md5"),
    ],
)
def test_auto_takes_the_strongest_that_is_offered(offered: set[str], may_reveal: bool, chosen: str) -> None:
    assert choose(offered, "auto", may_reveal=may_reveal) == chosen


@pytest.mark.parametrize("wanted", ["auto", "plain", "login", "user", "xoauth2", "oauthbearer"])
def test_nothing_that_reveals_a_secret_crosses_an_open_line(wanted: str) -> None:
    with pytest.raises(FerryError, match="unencrypted") as caught:
        choose({"PLAIN", "LOGIN", "user", "XOAUTH2"}, wanted, may_reveal=False)
    assert caught.value.kind is Kind.AUTH
    assert "allow_plaintext" in caught.value.cure


def test_a_server_that_offers_only_tokens_is_told_of_by_name() -> None:
    with pytest.raises(FerryError, match="xoauth2") as caught:
        choose({"XOAUTH2"}, "auto", may_reveal=True)
    assert 'auth = "xoauth2"' in caught.value.cure


def test_a_mechanism_asked_for_by_name_is_taken_even_if_it_is_not_offered() -> None:
    assert choose(set(), "cram-md5", may_reveal=False) == "cram-md5"


def test_plain_is_one_message() -> None:
    exchange = begin("plain", ALICE, host="h", port=1)
    assert exchange.initial == b"\0alice\0s3cret"
    with pytest.raises(FerryError):
        exchange.respond(b"more?")


def test_login_answers_two_prompts_and_no_third() -> None:
    exchange = begin("login", ALICE, host="h", port=1)
    assert exchange.initial is None
    assert [exchange.respond(b"Username:"), exchange.respond(b"Passwort:")] == [b"alice", b"s3cret"]
    with pytest.raises(FerryError):
        exchange.respond(b"again")


def test_cram_md5_gives_the_answer_of_rfc_2195() -> None:
    exchange = begin("cram-md5", Credentials("tim", b"tanstaaftanstaaf"), host="h", port=1)
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"


def test_cram_md5_refuses_an_empty_or_a_second_challenge() -> None:
    exchange = begin("cram-md5", ALICE, host="h", port=1)
    with pytest.raises(FerryError):
        exchange.respond(b"")
    exchange.respond(b"<1@x>")
    with pytest.raises(FerryError):
        exchange.respond(b"<2@x>")


def test_scram_sha_1_gives_the_answers_of_rfc_5802() -> None:
    exchange = Scram("SCRAM-SHA-1", Credentials("user", b"pencil"), nonce="fyko+d2lbbFgONRv9qkxdawL")
    assert exchange.initial == b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"
    server_first = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    assert exchange.respond(server_first) == (
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    )
    assert exchange.respond(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") == b""
    exchange.finish()


def test_scram_sha_256_gives_the_answers_of_rfc_7677() -> None:
    exchange = Scram("SCRAM-SHA-256", Credentials("user", b"pencil"), nonce="rOprNGfwEbeRWgbNEkqO")
    nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    assert exchange.respond(b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096") == (
        b"c=biws,r=" + nonce + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.respond(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    exchange.finish()


@pytest.mark.parametrize("final", [b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", b"e=other-error", b"nonsense", b"\xff\xfe"])
def test_scram_refuses_a_server_that_does_not_know_the_password(final: bytes) -> None:
    exchange = Scram("SCRAM-SHA-1", Credentials("user", b"pencil"), nonce="fyko+d2lbbFgONRv9qkxdawL")
    exchange.respond(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
    with pytest.raises(FerryError) as caught:
        exchange.respond(final)
    assert caught.value.kind is Kind.AUTH


def test_scram_refuses_a_yes_without_the_servers_proof() -> None:
    exchange = Scram("SCRAM-SHA-1", Credentials("user", b"pencil"), nonce="fyko+d2lbbFgONRv9qkxdawL")
    exchange.respond(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
    with pytest.raises(FerryError, match="without proving"):
        exchange.finish()


def test_xoauth2_says_name_and_token_and_answers_a_refusal_with_nothing() -> None:
    exchange = begin("xoauth2", Credentials("a@b.c", b"ya29.token"), host="h", port=1)
    assert exchange.initial == b"user=a@b.c\x01auth=Bearer ya29.token\x01\x01"
    assert exchange.respond(b'{"status":"401","schemes":"bearer","scope":"mail"}') == b""
    assert exchange.explanation() == "status 401"
    with pytest.raises(FerryError):
        exchange.respond(b"again")


@pytest.mark.parametrize("challenge", [b"", b"[]", b"not json", b"\xff", b'{"a":1}', b"[" * 5000])
def test_a_refusal_that_cannot_be_read_is_answered_all_the_same(challenge: bytes) -> None:
    exchange = begin("xoauth2", ALICE, host="h", port=1)
    assert exchange.respond(challenge) == b""


def test_oauthbearer_follows_rfc_7628() -> None:
    exchange = begin(
        "oauthbearer", Credentials("user,a=b@example.com", b"vF9dft4qmTc2"), host="server.example", port=143
    )
    assert exchange.initial == (
        b"n,a=user=2Ca=3Db@example.com,\x01host=server.example\x01port=143\x01auth=Bearer vF9dft4qmTc2\x01\x01"
    )
    assert exchange.respond(b'{"status":"invalid_token"}') == b"\x01"
    assert exchange.explanation() == "status invalid_token"


def test_no_repr_shows_the_secret() -> None:
    assert "s3cret" not in repr(ALICE)


def test_every_form_of_a_secret_is_known_for_masking() -> None:
    response = b"\0alice\0s3cret"
    forms = secrets_of(ALICE, [response, b""])
    assert {b"s3cret", b64encode(b"s3cret"), response, b64encode(response)} == set(forms)
    assert list(forms) == sorted(forms, key=len, reverse=True)


def test_an_unknown_mechanism_is_named() -> None:
    with pytest.raises(FerryError, match="ntlm"):
        begin("ntlm", ALICE, host="h", port=1)
