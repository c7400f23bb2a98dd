"""Sign-ins at the provider that go on: each is answered once, soon, and by the browser that began it."""

from __future__ import annotations

from dataclasses import replace

from jobs.web.openid.under_way import LONGEST_SECONDS, MOST_BEGUN, Begun, Purpose, UnderWay
from migrator.config.openid import OpenId
from migrator.oauth.exchange import Authorization

TABLE = OpenId(issuer="https://id.example.org", client_id="page", client_secret=None, name=None)
BEGUN = Begun(Purpose.SIGN_IN, TABLE, Authorization("https://id.example.org/", "https://a/", "state", "verifier"), "n")


def test_it_is_taken_once_by_who_has_its_secret() -> None:
    under_way = UnderWay(lambda: 0.0)
    other = replace(BEGUN, nonce="another")
    first, second = under_way.keep(BEGUN), under_way.keep(other)
    assert under_way.take("guessed") is None
    assert under_way.take("") is None
    assert under_way.take(second) is other
    assert under_way.take(first) is BEGUN
    assert under_way.take(first) is None


def test_it_is_over_after_ten_minutes() -> None:
    now = 0.0
    under_way = UnderWay(lambda: now)
    early, late = under_way.keep(BEGUN), under_way.keep(BEGUN)
    now = LONGEST_SECONDS - 1
    assert under_way.take(early) is BEGUN
    now = LONGEST_SECONDS
    assert under_way.take(late) is None


def test_strangers_do_not_fill_the_memory() -> None:
    under_way = UnderWay(lambda: 0.0)
    secrets = [under_way.keep(BEGUN) for _ in range(MOST_BEGUN + 1)]
    assert under_way.take(secrets[0]) is None
    assert under_way.take(secrets[1]) is BEGUN


def test_nothing_secret_is_shown() -> None:
    assert "nonce" not in repr(BEGUN)
    assert "verifier" not in repr(BEGUN)
