from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.net.refusal_words import Cause
from migrator.pop3.login_advice import Circumstances, cure_of, settings_of
from migrator.pop3.refusals import MEANINGS

CHECK = "check username, password and auth"
SEEN = Circumstances("pop.example.org", frozenset({"plain"}), may_reveal=True, is_encrypted=True, has_starttls=False)


def cure(tried: str, seen: Circumstances, finding: str = "auth-refused") -> str:
    return cure_of(CHECK, finding, tried.split(), seen)


def test_a_refused_password_is_to_be_checked() -> None:
    assert cure("plain", SEEN) == CHECK


@pytest.mark.parametrize("offered", [{"plain", "xoauth2"}, {"plain", "oauthbearer"}])
def test_tokens_that_are_offered_are_named(offered: set[str]) -> None:
    said = cure("plain", replace(SEEN, offered=frozenset(offered)))
    assert f"the server also offers {(offered - {'plain'}).pop()}; many such providers take no passwords" in said


def test_a_known_provider_is_named_in_place_of_guesses() -> None:
    said = cure("plain", replace(SEEN, host="pop.gmail.com", offered=frozenset({"plain", "xoauth2"})))
    assert said.startswith("Gmail takes an app password")
    assert "many such providers" not in said
    assert CHECK not in said


def test_starttls_is_named_where_it_is_offered_and_not_used() -> None:
    assert 'tls = "starttls"' in cure("user", replace(SEEN, is_encrypted=False, has_starttls=True))
    assert "starttls" not in cure("user", replace(SEEN, has_starttls=True))


def test_a_refused_challenge_names_what_was_not_tried() -> None:
    seen = replace(SEEN, offered=frozenset({"cram-md5", "plain"}))
    assert 'try auth = "plain"' in cure("cram-md5", seen)
    assert "starttls" in cure("cram-md5", replace(seen, may_reveal=False, is_encrypted=False))
    assert cure("cram-md5 plain", seen) == CHECK


def test_a_refused_token_is_no_matter_of_the_password() -> None:
    assert "token" in cure("xoauth2", SEEN)
    assert "password" not in cure("xoauth2", SEEN)


def test_words_that_want_encryption_are_enough() -> None:
    open_line = replace(SEEN, is_encrypted=False, has_starttls=True)
    assert cure_of("set tls", "wrong-tls", ["user"], open_line) == "set tls"
    assert "set tls" not in cure_of("set tls", "wrong-tls", ["user"], SEEN)


@pytest.mark.parametrize(
    ("tried", "offered", "cure"),
    [
        ("plain", {"plain", "cram-md5"}, 'set auth = "cram-md5"'),
        ("plain", {"plain"}, 'set auth = "user"'),
        ("user", {"user"}, ""),
        ("user", {"user", "login"}, 'set auth = "login"'),
    ],
)
def test_where_the_mechanism_is_at_fault_another_one_is_named(tried: str, offered: set[str], cure: str) -> None:
    seen = replace(SEEN, offered=frozenset(offered))
    assert cure_of(MEANINGS[Cause.MECHANISM].cure, "auth-refused", [tried], seen) == cure


OPEN = replace(SEEN, is_encrypted=False)
MECHANISM = MEANINGS[Cause.MECHANISM].cure


@pytest.mark.parametrize(
    ("cure", "finding", "seen", "settings"),
    [
        ("set tls", "wrong-tls", replace(OPEN, has_starttls=True), [("tls", "starttls")]),
        ("set tls", "wrong-tls", OPEN, []),
        ("", "wrong-tls", replace(SEEN, offered=frozenset({"cram-md5", "plain"})), [("auth", "cram-md5")]),
        (MECHANISM, "auth-refused", replace(SEEN, offered=frozenset({"plain", "login"})), [("auth", "login")]),
        (CHECK, "auth-refused", replace(OPEN, has_starttls=True), []),
    ],
)
def test_a_setting_is_named_where_the_words_leave_no_doubt(
    cure: str, finding: str, seen: Circumstances, settings: list[tuple[str, str]]
) -> None:
    assert [tuple(one) for one in settings_of(cure, finding, ["plain"], seen)] == settings
