"""The page's server: the address it gets or does not, and what is heard of that."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from jobs.doctor import examine
from jobs.web.identity_store import connect_identity
from jobs.web.openid.id_token import Proven
from jobs.web.server import PageServer, try_address
from migrator.config import Web, load
from migrator.errors import ConfigError
from migrator.findings.facts import Invocation
from tests.browser import Browser
from tests.servers.oauth_provider import trusted
from tests.servers.openid_provider import OpenIdProvider
from tests.unit.jobs.web.authenticator import Authenticator
from tests.unit.jobs.web.office import PASSWORD, office, written


def test_a_taken_address_is_a_configuration_error_and_a_finding(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with office(tmp_path / "one") as first:
        listen = f"127.0.0.1:{first.port}"
        with pytest.raises(ConfigError, match=r"\[web\] listen: 127\.0\.0\.1:\d+ cannot be used: "):
            try_address(listen)
        with pytest.raises(ConfigError, match="cannot be used"):
            PageServer(Web(listen=listen), first.site.worker)
        (tmp_path / "two").mkdir()
        config = replace(load(written(tmp_path / "two", "alice")), web=Web(listen=listen))
        found = examine(config, time.time(), Invocation(), check=lambda *_: [])
        assert [one.text for one in found if one.id == "listen-taken" and listen in one.text]
    try_address(listen)


def test_after_its_end_nothing_listens_and_another_may_begin(tmp_path: Path) -> None:
    with office(tmp_path) as first:
        address = first.page.address
        assert first.page.is_alive()
    assert not first.page.is_alive()
    try_address(address.removeprefix("http://").rstrip("/"))


def test_an_address_of_version_6_is_taken(tmp_path: Path) -> None:
    with office(tmp_path) as first:
        page = PageServer(Web(listen="[::1]:0"), first.site.worker)
        assert page.address.startswith("http://[::1]:")
        page.stop()


def encrypted(folder: Path, key: str) -> Web:
    path = folder / "config.toml"
    more = f'tls_certificate = "cert.pem"\ntls_key = "{key}"\n[[accounts]]'
    path.write_text(path.read_text().replace("[[accounts]]", more, 1))
    web = load(path).web
    assert web is not None
    return web


def certified(folder: Path) -> ssl.SSLContext:
    """Write a certificate for localhost with its key; returns who trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_over_tls_the_cookie_goes_nowhere_else(tmp_path: Path) -> None:
    context = certified(tmp_path)
    with office(tmp_path) as first:
        first.add("ann")
        page = PageServer(encrypted(tmp_path, "key.pem"), first.site.worker)
        page.start()
        try:
            assert page.address.startswith("https://127.0.0.1:")
            browser = Browser(int(page.address.rpartition(":")[2].strip("/")), context=context)
            answer = browser.send(browser.get("/sign-in").form("/sign-in"), name="ann", password=PASSWORD)
            assert answer.status == 303
            assert answer.headers["set-cookie"].startswith("__Host-mailferry=")
            assert "Secure" in answer.headers["set-cookie"]
            assert browser.get("/").status == 200
        finally:
            page.stop()


def test_over_tls_people_sign_in_by_passkey_and_at_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = certified(tmp_path)
    with trusted(monkeypatch, tmp_path), OpenIdProvider() as provider, office(tmp_path) as first:
        user = first.add("ann")
        assert connect_identity(
            first.site.store, user.name, Proven(provider.issuer, provider.subject, "ann"), time.time()
        )
        settings = encrypted(tmp_path, "key.pem")
        path = tmp_path / "config.toml"
        path.write_text(path.read_text() + provider.table)
        first.config = load(path)
        page = PageServer(settings, first.site.worker)
        page.start()
        try:
            port = int(page.address.rpartition(":")[2].strip("/"))
            browser, device = (
                Browser(port, f"localhost:{port}", context=context),
                Authenticator(f"https://localhost:{port}"),
            )
            begun = browser.send(browser.get("/sign-in").form("/sign-in/openid"))
            assert begun.headers["set-cookie"].startswith("__Host-mailferry-openid=")
            assert "Secure" in begun.headers["set-cookie"]
            address = provider.browse(begun.headers["refresh"].removeprefix("0; url="))
            assert address.startswith(f"https://localhost:{port}/sign-in/openid?")
            browser.get(address.removeprefix(f"https://localhost:{port}"))
            assert set(browser.cookies) == {"__Host-mailferry"}
            form = browser.get("/passkeys").form("/passkeys")
            wanted = {**form.fields, "name": "laptop", "own": PASSWORD}
            options = json.loads(browser.post("/passkeys/begin", wanted).text)
            assert browser.post("/passkeys", {**wanted, "answer": device.make(options)}).status == 303
            stranger = Browser(port, f"localhost:{port}", context=context)
            form = stranger.get("/sign-in").form("/sign-in/passkey")
            options = json.loads(stranger.post("/sign-in/passkey/begin", form.fields).text)
            assert stranger.send(form, answer=device.sign(options)).location == "/"
        finally:
            page.stop()


def test_a_certificate_that_is_none_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with office(tmp_path) as first:
        settings = encrypted(tmp_path, "cert.pem")
        with pytest.raises(ConfigError, match="cannot be used"):
            PageServer(settings, first.site.worker)
