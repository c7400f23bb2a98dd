"""A refused log-in is about the user, or about the moment; and it comes with what the connection knew."""

from __future__ import annotations

import pytest

from migrator.errors import Kind
from migrator.imap.login_refusals import LoginRefusedError, cure_of, judge_login
from migrator.net.login_order import Says

CHECK = "check username, password and auth"


@pytest.mark.parametrize(
    ("words", "kind", "finding"),
    [
        ("[AUTHENTICATIONFAILED] Authentication failed.", Kind.AUTH, "auth-refused"),
        ("LOGIN failed.", Kind.AUTH, "auth-refused"),
        ("no", Kind.AUTH, "auth-refused"),
        ("Login fail. Password is incorrect or system is busy", Kind.AUTH, "auth-refused"),
        ("LOGIN Login error or password error", Kind.AUTH, "auth-refused"),
        ("用户名或密码错误", Kind.AUTH, "auth-refused"),
        ("[ALERT] Application-specific password required", Kind.AUTH, "auth-refused"),
        ("[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure connections.", Kind.AUTH, "wrong-tls"),
        ("IMAP access is disabled for your account", Kind.AUTH, "auth-refused"),
        ("[UNAVAILABLE] Temporary authentication failure.", Kind.TEMPORARY, ""),
        ("Temporary authentication failure, try again later", Kind.TEMPORARY, ""),
        ("Server Unavailable. 15", Kind.TEMPORARY, ""),
        ("Down for maintenance, please try again later", Kind.TEMPORARY, ""),
        ("Request is throttled. Suggested Backoff Time: 1000 milliseconds", Kind.TEMPORARY, "limited"),
        ("[ALERT] Too many simultaneous connections. (Failure)", Kind.TEMPORARY, "limited"),
        ("Too many login failures", Kind.TEMPORARY, "limited"),
        ("Account is temporarily locked, wait 15 minutes", Kind.TEMPORARY, "limited"),
        ("Your mailbox is full", Kind.QUOTA, "quota-full"),
        ("Unsafe Login. Please contact kefu@188.com", Kind.REFUSED, "refused"),
        ("Connections from your IP address are blocked", Kind.REFUSED, "refused"),
    ],
)
def test_a_login_is_refused_for_good_or_for_now(words: str, kind: Kind, finding: str) -> None:
    error = judge_login(words.encode(), "ann at host")
    assert (error.kind, error.finding) == (kind, finding)
    assert isinstance(error, LoginRefusedError) == (kind is Kind.AUTH)


def test_a_pause_in_words_is_read() -> None:
    assert judge_login(b"Account is temporarily locked, wait 15 minutes", "ann").wait == 900


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (b"[AUTHENTICATIONFAILED] no", Says.PASSWORD),
        (b"no", Says.NOTHING),
        (b"Unsupported authentication mechanism", Says.MECHANISM),
        (b"[ALERT] Application-specific password required", None),
    ],
)
def test_another_way_is_tried_only_where_it_can_help(words: bytes, says: Says | None) -> None:
    error = judge_login(words, "ann")
    assert isinstance(error, LoginRefusedError)
    assert error.says is says


def test_no_refusal_repeats_a_secret() -> None:
    error = judge_login(b"I do not like sesame, at all: c2VzYW1l", "ann", secrets=(b"sesame", b"c2VzYW1l"))
    assert "I do not like ***, at all: ***" in str(error)


@pytest.mark.parametrize(
    ("tried", "offered", "host", "has_starttls", "cure"),
    [
        ("plain", {"plain", "login"}, "mail.example.org", False, CHECK),
        ("plain", {"plain", "xoauth2", "OAUTHBEARER"}, "mail.example.org", False, "offers oauthbearer and xoauth2;"),
        ("plain", {"plain", "xoauth2"}, "imap.gmail.com", False, "Gmail takes an app password"),
        ("user", {"user"}, "mail.example.org", True, 'set tls = "starttls"'),
        ("xoauth2", {"xoauth2", "plain"}, "outlook.office365.com", False, "give a fresh one"),
    ],
)
def test_the_cure_names_what_the_connection_knew(
    tried: str, offered: set[str], host: str, has_starttls: bool, cure: str
) -> None:
    assert cure in cure_of(CHECK, tried, offered, host=host, has_starttls=has_starttls)
