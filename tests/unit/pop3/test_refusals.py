from __future__ import annotations

import pytest

from migrator.errors import Advice, Kind, Scope
from migrator.net.login_order import Says
from migrator.pop3.refusals import Stage, refusal, what_is_said


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        (b"[IN-USE] Do you have another POP session running?", Kind.IN_USE, Advice.LATER),
        (b"[in-use] x", Kind.IN_USE, Advice.LATER),
        (b"[LOGIN-DELAY] minimum time between mail checks", Kind.LOGIN_DELAY, Advice.LATER),
        (b"[AUTH] invalid password, mailbox locked by nobody", Kind.AUTH, Advice.NEVER),
        (b"[SYS/TEMP] try later", Kind.TEMPORARY, Advice.LATER),
        (b"[SYS/PERM] no such mailbox", Kind.REFUSED, Advice.NEVER),
        (b"[SYS/TEMP/disk] x", Kind.TEMPORARY, Advice.LATER),
        (b"[X-ODD] password wrong", Kind.AUTH, Advice.NEVER),
        (b"Unable to lock maildrop", Kind.IN_USE, Advice.LATER),
        (b"maildrop already locked", Kind.IN_USE, Advice.LATER),
        (b"unable to obtain an exclusive lock", Kind.IN_USE, Advice.LATER),
        (b"Mailbox in use", Kind.IN_USE, Advice.LATER),
        (b"account locked after failures", Kind.AUTH, Advice.NEVER),
        (b"too many connections from your IP", Kind.TEMPORARY, Advice.LATER),
        (b"Download exceed", Kind.QUOTA, Advice.LATER),
        (b"Temporary failure", Kind.TEMPORARY, Advice.LATER),
        (b"invalid password", Kind.AUTH, Advice.NEVER),
        (b"", Kind.AUTH, Advice.LATER),
        (b"no", Kind.AUTH, Advice.LATER),
        (b"[X-STRANGE] no", Kind.AUTH, Advice.LATER),
        (b"the stars are not right", Kind.TEMPORARY, Advice.LATER),
        (b"login refused for 720 seconds", Kind.LOGIN_DELAY, Advice.LATER),
        (b"Re-Authentication Failure", Kind.TEMPORARY, Advice.LATER),
        (b"this user has no $HOME/Maildir", Kind.TEMPORARY, Advice.LATER),
    ],
)
def test_a_refused_login_has_its_class(text: bytes, kind: Kind, advice: Advice) -> None:
    error = refusal(Stage.LOGIN, text, wait=30.0)
    assert (error.kind, error.advice, error.scope) == (kind, advice, Scope.ACCOUNT)
    assert (error.wait is not None) is (kind is Kind.LOGIN_DELAY)


@pytest.mark.parametrize("text", [b"[IN-USE] busy", b"maildrop locked", b"mailbox is in use by another client"])
def test_in_use_is_never_called_a_bad_password(text: bytes) -> None:
    words = str(refusal(Stage.LOGIN, text)).lower()
    assert "in use" in words
    assert "password" not in words


@pytest.mark.parametrize(
    ("stage", "text", "kind", "scope"),
    [
        (Stage.GREETING, b"go away", Kind.TEMPORARY, Scope.ACCOUNT),
        (Stage.GREETING, b"[SYS/PERM] go away", Kind.REFUSED, Scope.ACCOUNT),
        (Stage.MAILDROP, b"no", Kind.REFUSED, Scope.ACCOUNT),
        (Stage.MESSAGE, b"no such message", Kind.REFUSED, Scope.MESSAGE),
        (Stage.MESSAGE, b"message is in use", Kind.REFUSED, Scope.MESSAGE),
        (Stage.MESSAGE, b"[SYS/TEMP] disk", Kind.TEMPORARY, Scope.MESSAGE),
        (Stage.MESSAGE, b"Download exceed", Kind.QUOTA, Scope.ACCOUNT),
        (Stage.MESSAGE, b"Exceeded the login limit for a 15 minute period.", Kind.LOGIN_DELAY, Scope.ACCOUNT),
        (Stage.MESSAGE, b"Too many requests", Kind.LOGIN_DELAY, Scope.ACCOUNT),
        (Stage.MESSAGE, b"server is shutting down", Kind.TEMPORARY, Scope.ACCOUNT),
        (Stage.MESSAGE, "\u8bbf\u95ee\u8fc7\u4e8e\u9891\u7e41".encode(), Kind.LOGIN_DELAY, Scope.ACCOUNT),
        (Stage.MESSAGE, b"Can't get the letter xtbB[301], try again later", Kind.TEMPORARY, Scope.MESSAGE),
        (Stage.MESSAGE, b"cannot open message", Kind.REFUSED, Scope.MESSAGE),
        (
            Stage.MESSAGE,
            b"message is larger than the limit, and exceeds it",
            Kind.REFUSED,
            Scope.MESSAGE,
        ),
        (Stage.MESSAGE, b"message has too many lines", Kind.REFUSED, Scope.MESSAGE),
        (Stage.MESSAGE, b"this message has a bad password", Kind.REFUSED, Scope.MESSAGE),
        (Stage.MAILDROP, b"Exceeded the login limit for a 15 minute period.", Kind.LOGIN_DELAY, Scope.ACCOUNT),
        (Stage.MAILDROP, b"unknown command", Kind.REFUSED, Scope.ACCOUNT),
        (Stage.MAILDROP, b"failed to open mailbox: Input/output error", Kind.TEMPORARY, Scope.ACCOUNT),
        (Stage.GREETING, b"Too many connections", Kind.TEMPORARY, Scope.ACCOUNT),
        (Stage.GREETING, b"your IP address is blacklisted", Kind.REFUSED, Scope.ACCOUNT),
        (Stage.USER_NAME, b"not here", Kind.AUTH, Scope.ACCOUNT),
        (Stage.USER_NAME, b"server is busy", Kind.TEMPORARY, Scope.ACCOUNT),
    ],
)
def test_a_refusal_reaches_as_far_as_its_stage(stage: Stage, text: bytes, kind: Kind, scope: Scope) -> None:
    error = refusal(stage, text)
    assert (error.kind, error.scope) == (kind, scope)


def test_a_refusal_repeats_no_secret() -> None:
    error = refusal(Stage.LOGIN, b"[AUTH] hunter2 is wrong: hunter2\x07", secrets=(b"hunter2",))
    assert "hunter2" not in str(error)
    assert error.server_words == "[AUTH] *** is wrong: ***\\x07"


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (b"[LOGIN-DELAY] wait 300 seconds", 300.0),
        (b"[LOGIN-DELAY] minimum is 15 minutes", 900.0),
        (b"Too many logins in a 15-minute period", 900.0),
        (b"[LOGIN-DELAY] later, please", 30.0),
        (b"[AUTH] wait 300 seconds", None),
        (b"Too many bad login attempts", 900.0),
        (b"You may check for mail once every 2 hours", 7200.0),
    ],
)
def test_how_long_to_stay_away_is_what_the_words_say_else_what_capa_announced(
    words: bytes, seconds: float | None
) -> None:
    assert refusal(Stage.LOGIN, words, wait=30.0).wait == seconds


@pytest.mark.parametrize(
    ("stage", "text", "finding"),
    [
        (Stage.LOGIN, b"[AUTH] no", "auth-refused"),
        (Stage.LOGIN, b"password incorrect", "auth-refused"),
        (Stage.LOGIN, b"[IN-USE] x", "limited"),
        (Stage.LOGIN, b"[LOGIN-DELAY] x", "limited"),
        (Stage.GREETING, b"too many connections", "limited"),
        (Stage.LOGIN, b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "wrong-tls"),
        (Stage.LOGIN, b"[SYS/PERM] Your account is not enabled for POP access.", "refused"),
        (Stage.LOGIN, b"mailbox is over quota", "quota-full"),
        (Stage.MAILDROP, b"no", "refused"),
        (Stage.MESSAGE, b"no such message", ""),
        (Stage.MESSAGE, b"Download exceed", "limited"),
    ],
)
def test_a_refusal_names_its_finding(stage: Stage, text: bytes, finding: str) -> None:
    assert refusal(stage, text).finding == finding


@pytest.mark.parametrize(
    ("text", "said", "cure"),
    [
        (b"[SYS/PERM] Your account is not enabled for POP access.", "POP3 is switched off", "switch POP3 on"),
        (b"[AUTH] Application-specific password required", "mail programs", "app password"),
        (b"[AUTH] Web login required", "browser", "sign in there"),
        (b"[AUTH] account suspended", "locked this account", "unlocked"),
        (b"[SYS/TEMP] under maintenance", "maintenance", ""),
    ],
)
def test_a_code_says_what_it_is_and_the_words_what_to_do(text: bytes, said: str, cure: str) -> None:
    error = refusal(Stage.LOGIN, text)
    assert said in error.message
    assert cure in error.cure


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[AUTH] no", Says.PASSWORD),
        (b"bad password", Says.PASSWORD),
        (b"Authentication failed.", Says.PASSWORD),
        (b"Invalid command in current state.", Says.MECHANISM),
        (b"no", Says.NOTHING),
        (b"account locked", None),
        (b"POP3 is disabled for this mailbox", None),
        (b"Web login required", None),
        (b"Plaintext authentication disallowed", None),
    ],
)
def test_another_way_to_log_in_is_tried_only_where_it_can_help(text: bytes, says: Says | None) -> None:
    assert what_is_said(text) is says


def test_a_secret_in_the_words_says_nothing() -> None:
    error = refusal(Stage.LOGIN, b"mailbox busy for busybody", secrets=(b"mailbox busy",))
    assert error.kind is not Kind.IN_USE
