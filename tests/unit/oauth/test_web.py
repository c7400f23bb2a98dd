import socket
from pathlib import Path

import pytest

from migrator.errors import ConfigError, FerryError, Kind
from migrator.oauth import web
from migrator.oauth.failures import TimedOutError
from tests.servers.oauth_provider import OAuthProvider


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token", "file:///etc/passwd", "ftp://example.org/", "token", ""])
def test_nothing_but_https_is_asked(url: str) -> None:
    with pytest.raises(ConfigError, match="https only"):
        web.ask(url, "secret=x")


def test_a_certificate_that_is_not_trusted_gets_nothing(
    server: OAuthProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(FerryError, match="cannot be reached") as raised:
        web.ask(f"{server.issuer}/token", "secret=x")
    assert "certificate" in raised.value.message
    assert server.asked == []


def test_nobody_is_there() -> None:
    with pytest.raises(FerryError) as raised:
        web.ask("https://127.0.0.1:1/token", "secret=x")
    assert raised.value.kind is Kind.TEMPORARY
    assert raised.value.__cause__ is None


def test_an_answer_in_drops_ends_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(FerryError, match="did not answer") as raised:
            web.ask(f"https://127.0.0.1:{silent.getsockname()[1]}/token", "secret=x", seconds=0.2)
    assert isinstance(raised.value, TimedOutError)
