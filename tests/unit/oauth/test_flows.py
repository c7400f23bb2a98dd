import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from migrator.errors import ConfigError, FerryError
from migrator.oauth.failures import GrantRefusedError
from migrator.oauth.flows import Effects, Method, sign_in
from migrator.oauth.provider import Provider
from tests.servers.oauth_provider import OAuthProvider


class Somebody:
    """Signs in at once, by whatever is shown."""

    def __init__(self, server: OAuthProvider, change: Callable[[str], str] = str) -> None:
        self.server = server
        self.change = change
        self.notes: list[str] = []
        self._answer = ""

    def open_link(self, url: str) -> None:
        answer = self.change(self.server.browse(url))
        threading.Thread(target=_visit, args=(answer,), daemon=True).start()

    def show_link(self, url: str) -> None:
        self._answer = self.change(self.server.browse(url))

    def pasted(self) -> str:
        return self._answer

    def show_code(self, code: str, where: str) -> None:
        self.notes.append(f"{code} {where}")

    def note(self, text: str) -> None:
        self.notes.append(text)


def _visit(url: str) -> None:
    with suppress(OSError):  # it is not there any more, or says that nothing is there
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20).close()


@pytest.mark.parametrize("method", list(Method))
def test_each_way_gives_a_token(server: OAuthProvider, provider: Provider, method: Method) -> None:
    server.pending_polls = 2
    tokens = sign_in(provider, "alice", method, Somebody(server), Effects(sleep=lambda _seconds: None))
    assert server.knows(tokens.access)
    assert tokens.refresh


def test_an_issuer_must_name_itself_in_the_answer(server: OAuthProvider, provider: Provider) -> None:
    by_issuer = replace(provider, endpoints=None, issuer=server.issuer)
    person = Somebody(server, lambda address: address.replace("iss=https", "iss=http"))
    with pytest.raises(GrantRefusedError):
        sign_in(by_issuer, "alice", Method.PASTE, person)
    assert len(person.notes) == 3


def test_nobody_signs_in(server: OAuthProvider, provider: Provider) -> None:
    with pytest.raises(GrantRefusedError, match="nobody signed in"):
        sign_in(
            provider,
            "alice",
            Method.BROWSER,
            Somebody(server, lambda a: a.replace("state=", "no=")),
            Effects(seconds=0.2),
        )


def test_what_was_not_given_is_named(server: OAuthProvider, provider: Provider) -> None:
    server.gives_scope = "profile"
    with pytest.raises(FerryError, match="mail") as raised:
        sign_in(provider, "alice", Method.PASTE, Somebody(server))
    assert raised.value.finding == "sign-in-needed"


def test_a_provider_without_such_a_way(server: OAuthProvider, provider: Provider) -> None:
    assert provider.endpoints is not None
    bare = replace(provider, endpoints=replace(provider.endpoints, device=""))
    with pytest.raises(ConfigError):
        sign_in(bare, "alice", Method.DEVICE, Somebody(server))
