"""The findings about sign-ins: brought about, seen once, and ended by the command that they print."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Answer, Site, account, mbox, source
from tests.mail import letters
from tests.servers.certificates import authority
from tests.servers.maildrop import Maildrop
from tests.servers.oauth_provider import OAuthProvider
from tests.servers.pop3 import Pop3Server

DAY = 86_400


@pytest.fixture
def provider() -> Iterator[OAuthProvider]:
    with OAuthProvider() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, provider: OAuthProvider) -> Iterator[Site]:
    """An account of a server that accepts the provider's newest token."""
    bundle = tmp_path / "authority.pem"
    bundle.write_bytes(authority().certificate)
    with Pop3Server(Maildrop(letters(3))) as server:

        def accept(token: str) -> None:
            server.secrets = replace(server.secrets, token=token)

        provider.issued = accept
        site = Site(tmp_path, {"SSL_CERT_FILE": str(bundle)})
        alice = account("alice", source(server.port, password='{ oauth = "local" }'), mbox())
        site.writes(alice, f"[oauth.local]\n{provider.table}")
        yield site


def found(site: Site, name: str, command: str = "doctor") -> list[dict[str, Any]]:
    answer = site.call(command, "--json")
    return [one for one in answer.document["findings"] if one["id"] == name]


def cured(site: Site, finding: dict[str, Any]) -> Answer:
    """Take the printed cure as it stands, with the way to sign in that needs nobody."""
    program, *words = finding["cure"]["command"]
    assert program == "mailferry"
    return site.call(*words, "--method", "device")


def test_sign_in_needed(site: Site) -> None:
    assert site.migrate().code == 1
    assert len(found(site, "sign-in-needed", "status")) == 1
    [finding] = found(site, "sign-in-needed")
    assert (finding["severity"], finding["accounts"]) == ("broken", ["alice"])
    assert cured(site, finding).code == 0
    assert found(site, "sign-in-needed") == found(site, "sign-in-needed", "status") == []
    assert site.migrate().report["copied"] == 3
    assert site.stored() == letters(3)


def test_sign_in_needed_after_the_provider_has_ended_it(site: Site, provider: OAuthProvider) -> None:
    assert site.call("sign-in", "alice", "--method", "device").code == 0
    assert site.migrate().report["copied"] == 3
    provider.revoke_all()
    [path] = (site.state / "secrets").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fetched_at": time.time() - DAY}))
    assert site.migrate().code == 1
    [finding] = found(site, "sign-in-needed", "status")
    assert "expired or revoked" in finding["text"]
    assert cured(site, finding).code == 0
    assert found(site, "sign-in-needed", "status") == []
    assert site.migrate().report["status"] == "ok"


def test_sign_in_ending(site: Site, provider: OAuthProvider) -> None:
    provider.refresh_lifetime = 7 * DAY
    assert site.call("sign-in", "alice", "--method", "device").code == 0
    assert site.migrate().report["copied"] == 3
    assert found(site, "sign-in-ending") == []
    [path] = (site.state / "secrets").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"ends_at": time.time() + DAY / 2}))
    assert len(found(site, "sign-in-ending", "status")) == 1
    [finding] = found(site, "sign-in-ending")
    assert (finding["severity"], finding["accounts"]) == ("soon", ["alice"])
    assert cured(site, finding).code == 0
    assert found(site, "sign-in-ending") == []
    assert site.migrate().report["status"] == "ok"
