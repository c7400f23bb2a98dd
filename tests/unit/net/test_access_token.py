import pytest

from migrator.errors import Advice, FerryError, Kind
from migrator.net.access_token import AccessToken


class Provider:
    def __init__(self, *, has_other: bool = True) -> None:
        self.has_other = has_other
        self.fetched = 0
        self.given_up: list[str] = []

    def fetch(self) -> str:
        return "first"

    def renewed(self, refused: str) -> str | None:
        self.fetched += 1
        return f"after {refused}" if self.has_other else None

    def give_up(self, refused: str) -> None:
        self.given_up.append(refused)


def token_of(provider: Provider) -> AccessToken:
    token = AccessToken(provider.fetch, provider.renewed, provider.give_up, "alice")
    assert token() == "first"
    return token


@pytest.mark.parametrize("kind", [Kind.AUTH, Kind.TEMPORARY])
def test_a_refused_token_is_renewed_once_and_then_given_up(kind: Kind) -> None:
    provider = Provider()
    token = token_of(provider)
    assert token.other(FerryError(kind, "no")) == "after first"
    assert token.other(FerryError(kind, "no")) is None
    assert token.other(FerryError(kind, "no")) is None
    assert provider.fetched == 1
    assert provider.given_up[0] == "after first"


def test_what_is_no_matter_of_the_token_renews_nothing() -> None:
    provider = Provider()
    token = token_of(provider)
    for kind in set(Kind) - {Kind.AUTH, Kind.TEMPORARY}:
        assert token.other(FerryError(kind, "no")) is None
    assert provider.fetched == 0


def test_the_end_is_a_sign_in_unless_the_server_says_that_it_will_pass() -> None:
    token = token_of(Provider(has_other=False))
    final = FerryError(Kind.AUTH, "no", advice=Advice.LATER)
    assert token.other(final) is None
    assert (final.finding, final.advice) == ("sign-in-needed", Advice.NEVER)
    assert "mailferry sign-in alice" in final.cure
    passing = FerryError(Kind.TEMPORARY, "no")
    assert token.other(passing) is None
    assert (passing.finding, passing.advice) == ("", Advice.LATER)


def test_another_log_in_may_renew_again() -> None:
    provider = Provider()
    token = token_of(provider)
    token.other(FerryError(Kind.AUTH, "no"))
    assert token() == "first"
    assert token.other(FerryError(Kind.AUTH, "no")) == "after first"
