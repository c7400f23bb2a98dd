import pytest

from migrator.errors import FerryError
from migrator.oauth.metadata import endpoints_of
from migrator.oauth.provider import Endpoints, Provider
from migrator.oauth.web import Answer

ISSUER = "https://id.example/realms/mail"
RIGHT: dict[str, object] = {
    "issuer": ISSUER,
    "token_endpoint": "https://id.example/token",
    "authorization_endpoint": "https://id.example/authorize",
}
PLACES = [
    "https://id.example/.well-known/oauth-authorization-server/realms/mail",
    "https://id.example/realms/mail/.well-known/openid-configuration",
]


def told(document: dict[str, object], place: str) -> tuple[Endpoints, list[str]]:
    asked: list[str] = []

    def ask(url: str, _form: str | None) -> Answer:
        asked.append(url)
        return Answer(200, "", document) if url == place else Answer(404, "", {})

    return endpoints_of(Provider("own", "cid", issuer=ISSUER, scopes=("mail",)), ask), asked


def test_it_is_asked_where_the_standards_say() -> None:
    for place in PLACES:
        found, asked = told(RIGHT, place)
        assert (found.token, found.device) == ("https://id.example/token", "")
        assert asked == PLACES[: PLACES.index(place) + 1]


@pytest.mark.parametrize(
    "wrong",
    [{"issuer": "https://elsewhere.example"}, {"issuer": None}, {"token_endpoint": "http://id.example/token"}, {"token_endpoint": 3}],
)  # fmt: skip
def test_what_is_not_believed(wrong: dict[str, object]) -> None:
    with pytest.raises(FerryError):
        told(RIGHT | wrong, PLACES[0])


def test_an_endpoint_without_https_is_none() -> None:
    found, _ = told(RIGHT | {"authorization_endpoint": "javascript:alert(1)"}, PLACES[0])
    assert found.authorize == ""


def test_nothing_is_told() -> None:
    with pytest.raises(FerryError, match="does not tell"):
        told(RIGHT, "elsewhere")
