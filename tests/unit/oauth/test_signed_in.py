import os
import threading
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.oauth.provider import Grant, Provider
from migrator.oauth.signed_in import SignedIn
from tests.servers.oauth_provider import OAuthProvider, Raw
from tests.unit.oauth.conftest import provider_at, sign_in


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def refusal(one: SignedIn) -> FerryError:
    with pytest.raises(FerryError) as raised:
        one.access_token()
    return raised.value


def test_a_token_is_fetched_once_and_serves_until_five_minutes_before_its_end(
    server: OAuthProvider, signed_in: SignedIn
) -> None:
    clock = Clock()
    one = replace(signed_in, clock=clock)
    first = one.access_token()
    clock.now += 3600 - 301
    assert one.access_token() == first
    clock.now += 2
    assert one.access_token() != first
    assert len(server.asked) == 2  # the sign-in, and one refresh
    assert server.knows(one.access_token())


def test_nobody_has_signed_in(provider: Provider, tmp_path: Path) -> None:
    error = refusal(SignedIn(provider, "bob", tmp_path / "secrets", "bobs"))
    assert (error.kind, error.advice, error.finding) == (Kind.AUTH, Advice.NEVER, "sign-in-needed")
    assert "mailferry sign-in bobs" in error.cure


def test_another_client_user_or_scope_is_another_sign_in(signed_in: SignedIn) -> None:
    for other in (
        replace(signed_in, user="bob"),
        replace(signed_in, provider=replace(signed_in.provider, client_id="another")),
        replace(signed_in, provider=replace(signed_in.provider, scopes=("mail", "more"))),
    ):
        assert refusal(other).finding == "sign-in-needed"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_by_an_hour_leads_to_a_good_token(
    server: OAuthProvider, signed_in: SignedIn, hours: int
) -> None:
    clock = Clock()
    one = replace(signed_in, clock=clock)
    one.access_token()
    clock.now += hours * 3600
    for _ in range(3):
        assert server.knows(one.access_token())
    assert len(server.asked) == 2


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_all_the_time_costs_nothing(
    server: OAuthProvider, signed_in: SignedIn, hours: int
) -> None:
    one = replace(signed_in, clock=lambda: time.time() + hours * 3600)
    sign_in(one, server)
    asked = len(server.asked)
    assert server.knows(one.access_token())
    assert len(server.asked) == asked


def test_revoked_is_told_once_kept_and_asked_no_more(server: OAuthProvider, signed_in: SignedIn) -> None:
    clock = Clock()
    one = replace(signed_in, clock=clock)
    before = one.known()
    server.revoke_all()
    clock.now += 3600
    error = refusal(one)
    assert (error.kind, error.advice, error.finding) == (Kind.AUTH, Advice.NEVER, "sign-in-needed")
    assert "expired or revoked" in error.server_words
    asked = len(server.asked)
    assert refusal(one).finding == "sign-in-needed"
    assert len(server.asked) == asked
    after = one.known()
    assert before is not None
    assert after is not None
    assert after.refresh == before.refresh
    assert after.serial == before.serial
    assert "expired or revoked" in one.trouble()
    sign_in(one, server)
    assert server.knows(one.access_token())
    assert one.trouble() == ""


def test_no_refresh_token_is_in_what_is_said_of_a_refusal(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.revoke_all()
    error = refusal(replace(signed_in, clock=lambda: time.time() + 3600))
    assert "***" in error.server_words  # the provider repeats the token
    assert not [secret for secret in server.every_secret if secret in f"{error} {signed_in!r} {signed_in.known()!r}"]


def test_identity_changes_with_a_sign_in_and_with_nothing_else(server: OAuthProvider, signed_in: SignedIn) -> None:
    one = replace(signed_in, clock=lambda: time.time() + 3600)
    first, asked = one.identity(), len(server.asked)
    assert one.identity() == first
    assert len(server.asked) == asked
    one.access_token()
    assert one.identity() == first
    sign_in(one, server)
    assert one.identity() != first


def test_an_answer_without_a_refresh_token_keeps_the_old_one(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.rotates = False
    clock = Clock()
    one = replace(signed_in, clock=clock)
    for _ in range(3):
        clock.now += 3600
        assert server.knows(one.access_token())


OUT_OF_ORDER = [
    Raw(503, b'{"error": "temporarily_unavailable"}'),
    Raw(429, b"{}"),
    Raw(200, b"<html>please log in to the hotel's network</html>"),
    Raw(200, b""),
    Raw(200, b"[]"),
    Raw(200, b"{}"),
    Raw(200, b'{"access_token": "", "token_type": "Bearer"}'),
    Raw(200, b'{"access_token": "a\\r\\nb", "token_type": "Bearer"}'),
    Raw(200, b'{"access_token": "abc", "token_type": "mac"}'),
    Raw(200, b'{"access_token": "' + b"x" * 10_000_000 + b'"}'),
    Raw(302, b"{}"),
]


@pytest.mark.parametrize("answer", OUT_OF_ORDER, ids=range(len(OUT_OF_ORDER)))
def test_a_provider_out_of_order_is_no_end_of_the_sign_in(
    server: OAuthProvider, signed_in: SignedIn, answer: Raw
) -> None:
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    server.next_answers.append(answer)
    error = refusal(late)
    assert (error.kind, error.advice) == (Kind.TEMPORARY, Advice.LATER)
    assert error.endpoint is not None
    assert error.endpoint.host == "localhost"
    assert server.knows(late.access_token())


def test_a_token_that_lives_serves_while_the_provider_is_away(server: OAuthProvider, signed_in: SignedIn) -> None:
    clock = Clock()
    one = replace(signed_in, clock=clock)
    first = one.access_token()
    clock.now += 3600 - 200
    server.next_answers.append(Raw(503, b"{}"))
    assert one.access_token() == first
    clock.now += 300
    server.next_answers.append(Raw(503, b"{}"))
    assert refusal(one).kind is Kind.TEMPORARY


def test_a_wrong_client_is_a_matter_of_the_configuration(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.next_answers.append(Raw(401, b'{"error": "invalid_client"}'))
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    error = refusal(late)
    assert (error.kind, error.finding) == (Kind.AUTH, "auth-refused")
    assert "client_id" in error.cure
    assert server.knows(late.access_token())


def test_a_lost_answer_is_asked_for_once_more(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.revokes = False
    server.next_answers.append(Raw(200, b"", is_lost=True))
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    assert server.knows(late.access_token())


def test_a_lost_answer_of_a_strict_provider_needs_a_sign_in(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.next_answers.append(Raw(200, b"", is_lost=True))
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    assert refusal(late).finding == "sign-in-needed"


class TestRenewing:
    def test_a_refused_token_is_renewed_once(self, server: OAuthProvider, signed_in: SignedIn) -> None:
        first = signed_in.access_token()
        second = signed_in.renewed(first)
        assert second is not None
        assert second != first
        signed_in.give_up(second)
        asked = len(server.asked)
        assert signed_in.access_token() == second
        assert signed_in.renewed(second) is None
        assert len(server.asked) == asked

    def test_another_process_was_quicker(self, server: OAuthProvider, signed_in: SignedIn) -> None:
        first = signed_in.access_token()
        second = signed_in.renewed(first)
        asked = len(server.asked)
        assert replace(signed_in).renewed(first) == second
        assert len(server.asked) == asked

    def test_revoked_while_refused(self, server: OAuthProvider, signed_in: SignedIn) -> None:
        token = signed_in.access_token()
        server.revoke_all()
        with pytest.raises(FerryError) as raised:
            signed_in.renewed(token)
        assert raised.value.finding == "sign-in-needed"


def test_a_client_has_tokens_without_a_person(server: OAuthProvider, provider: Provider, tmp_path: Path) -> None:
    one = SignedIn(replace(provider, grant=Grant.CLIENT), "alice", tmp_path / "secrets")
    token = one.access_token()
    assert server.knows(token)
    assert one.access_token() == token
    other = one.renewed(token)
    assert other is not None
    assert server.knows(other)
    assert {form["grant_type"] for form in server.asked} == {"client_credentials"}


def test_files_are_private_whatever_the_umask(signed_in: SignedIn) -> None:
    before = os.umask(0)
    try:
        replace(signed_in, clock=lambda: time.time() + 3600).access_token()
    finally:
        os.umask(before)
    assert signed_in.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in signed_in.folder.iterdir()} == {0o600}


def test_a_file_that_makes_no_sense_is_no_sign_in(signed_in: SignedIn) -> None:
    [path] = signed_in.folder.glob("*.json")
    for text in ("", "{", "[]", '{"provider": 1}', '{"refresh": "x"}'):
        path.write_text(text)
        assert refusal(signed_in).finding == "sign-in-needed"


def _killed(one: SignedIn, at: str) -> None:
    def step(name: str) -> None:
        if name == at:
            os._exit(9)

    replace(one, clock=lambda: time.time() + 3600, step=step).access_token()


@pytest.mark.parametrize("is_strict", [True, False], ids=["strict", "lenient"])
@pytest.mark.parametrize("at", ["asking", "answered", "kept"])
def test_killed_at_each_step_of_a_refresh(server: OAuthProvider, signed_in: SignedIn, at: str, is_strict: bool) -> None:
    server.revokes = is_strict
    process = get_context("fork").Process(target=_killed, args=(signed_in, at))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    assert late.known() is not None  # the file is whole
    if at == "answered" and is_strict:
        assert refusal(late).finding == "sign-in-needed"  # the window that cannot be closed from this side
        sign_in(late, server)
    assert server.knows(late.access_token())
    assert not list(signed_in.folder.glob(".*"))


def _uses(one: SignedIn, seconds: float, results: Any) -> None:
    good = 0
    until = time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            one.access_token()
            good += 1
            time.sleep(0.01)
    except FerryError as error:
        results.put(f"{error}")
    results.put(good)


def many_processes(server: OAuthProvider, one: SignedIn, seconds: float) -> tuple[list[int], list[str]]:
    """Let six processes use one sign-in; returns how often each got a token, and what went wrong."""
    context = get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_uses, args=(one, seconds, results)) for _ in range(6)]
    for process in processes:
        process.start()
    told = [results.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join(30)
    return [one for one in told if isinstance(one, int)], [one for one in told if isinstance(one, str)]


def test_six_processes_share_a_sign_in_that_rotates(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.lifetime = 2
    sign_in(signed_in, server)
    counts, failures = many_processes(server, signed_in, 4.0)
    assert failures == []
    assert min(counts) > 1
    assert server.refused_tokens == 0
    assert len(server.asked) < 12  # one refresh a second, whoever needed it


def test_threads_share_it_too(server: OAuthProvider, signed_in: SignedIn) -> None:
    server.delay = 0.1
    late = replace(signed_in, clock=lambda: time.time() + 3600)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(late.access_token())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(server.asked) == 2


def test_a_sign_in_says_when_it_will_end(server: OAuthProvider, signed_in: SignedIn) -> None:
    day = 86_400
    known = signed_in.known()
    assert known is not None
    assert known.ending(time.time()) == ""
    assert "was not used for 61 days" in known.ending(known.fetched_at + 61 * day)
    server.refresh_lifetime = 7 * day
    sign_in(signed_in, server)
    known = signed_in.known()
    assert known is not None
    assert known.ending(known.fetched_at + 4 * day) == ""
    assert known.ending(known.fetched_at + 5.5 * day) == "ends within 2 days"
    assert known.ending(known.fetched_at + 6.5 * day) == "ends within a day"


def test_the_provider_of_the_tests_is_known_by_its_issuer(server: OAuthProvider, tmp_path: Path) -> None:
    by_issuer = replace(provider_at(server), endpoints=None, issuer=server.issuer)
    one = SignedIn(replace(by_issuer, grant=Grant.CLIENT), "alice", tmp_path / "secrets")
    assert server.knows(one.access_token())
    wrong = SignedIn(
        replace(by_issuer, grant=Grant.CLIENT, issuer=server.issuer.replace("localhost", "127.0.0.1")),
        "alice",
        tmp_path / "secrets",
    )
    assert "another name" in refusal(wrong).message
