"""Signing in and fetching mail with what that gave: a provider and a Dovecot on loopback, the command line as processes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import ROOT, Answer, Site, account, mbox, source
from tests.mail import letters
from tests.servers import dovecot
from tests.servers.certificates import authority
from tests.servers.dovecot import Dovecot
from tests.servers.oauth_provider import OAuthProvider

pytestmark = [
    pytest.mark.dovecot,
    pytest.mark.skipif(dovecot.why_missing() is not None, reason=str(dovecot.why_missing())),
]

BROWSER = """\
import ssl, sys, urllib.request
context = ssl.create_default_context()
urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)).open(sys.argv[1])
"""
"""A browser whose user says yes to everything."""


@pytest.fixture
def provider() -> Iterator[OAuthProvider]:
    with OAuthProvider() as running:
        yield running


@pytest.fixture
def server(provider: OAuthProvider) -> Iterator[Dovecot]:
    with Dovecot(introspection=("post", provider.introspection_post_url)) as running:
        running.deliver("alice", letters(5))
        yield running


@pytest.fixture
def strange_server(provider: OAuthProvider) -> Iterator[Dovecot]:
    """A server that says of a bad token that it will pass: its provider answers with 401, as Google's does."""
    provider.introspects_with_401 = True
    with Dovecot(introspection=("get", provider.introspection_url)) as running:
        running.deliver("alice", letters(5))
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    bundle = tmp_path / "authority.pem"
    bundle.write_bytes(authority().certificate)
    browser = tmp_path / "browser.py"
    browser.write_text(BROWSER)
    environment = {"SSL_CERT_FILE": str(bundle), "BROWSER": f"{sys.executable} {browser} %s"}
    return Site(tmp_path, environment)


def imap(port: int, password: str = '{ oauth = "local" }') -> str:
    return (
        f'[[accounts.destinations]]\ntype = "imap"\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f'username = "alice"\npassword = {password}\nfolder = "Copies"\n'
    )


def configured(site: Site, provider: OAuthProvider, server: Dovecot, *tables: str, auth: str = "auto") -> None:
    alice = account("alice", source(server.pop3_port, password='{ oauth = "local" }', auth=auth), mbox(), *tables)
    site.writes(alice, f"[oauth.local]\n{provider.table}")


def signs_in(site: Site, *arguments: str) -> Answer:
    answer = site.call("sign-in", "alice", "--method", "device", *arguments)
    assert answer.code == 0, answer
    return answer


def seen(site: Site, answers: list[Answer]) -> str:
    """All that anybody can see: outputs, and every file but the sign-ins and the configuration itself."""
    outputs = "".join(answer.out + answer.err for answer in answers)
    files = [
        path.read_bytes().decode("latin-1")
        for path in site.folder.rglob("*")
        if path.is_file() and path.parent.name != "secrets" and path.name != "config.toml"
    ]
    return outputs + "".join(files)


def findings(answer: Answer, name: str = "sign-in-needed") -> list[dict[str, Any]]:
    return [found for found in answer.document["findings"] if found["id"] == name]


class TestMethods:
    def test_a_browser_on_this_machine(self, site: Site, provider: OAuthProvider, server: Dovecot) -> None:
        configured(site, provider, server)
        answer = site.call("sign-in", "alice", "--method", "browser")
        assert answer.code == 0, answer
        assert "signed in: alice at 127.0.0.1 (POP3) accepts it" in answer.out
        assert site.migrate().report["copied"] == 5
        assert site.stored() == letters(5)

    def test_another_device(self, site: Site, provider: OAuthProvider, server: Dovecot) -> None:
        configured(site, provider, server)
        answer = signs_in(site)
        assert f"open {provider.issuer}/activate and type in the code WDJB-MJHT" in answer.err
        assert site.migrate().report["copied"] == 5

    def test_an_address_that_is_pasted(self, site: Site, provider: OAuthProvider, server: Dovecot) -> None:
        configured(site, provider, server)
        typed = At(site, "sign-in", "alice", "--method", "paste")
        url = typed.until(re.compile(r"https://\S+/authorize\S+\s"))
        typed.until(re.compile("Paste the address"))
        typed.says("http://127.0.0.1:1/?code=wrong&state=wrong")
        typed.until(re.compile("is not the address"))
        typed.until(re.compile("Paste the address"))  # what is typed before the question is thrown away
        address = provider.browse(url)
        typed.says(address)
        assert typed.end() == 0, typed.screen
        assert address not in typed.screen
        assert site.migrate().report["copied"] == 5

    def test_without_a_terminal_nothing_is_waited_for(
        self, site: Site, provider: OAuthProvider, server: Dovecot
    ) -> None:
        configured(site, provider, server)
        answer = site.call("sign-in", "alice", "--method", "paste")
        assert answer.code == 2
        assert "--method device" in answer.err

    def test_tokens_of_the_client_need_nobody(self, site: Site, provider: OAuthProvider, server: Dovecot) -> None:
        alice = account("alice", source(server.pop3_port, password='{ oauth = "local" }'), mbox())
        site.writes(alice, f'[oauth.local]\n{provider.table}grant = "client-credentials"\n')
        assert site.migrate().report["copied"] == 5
        answer = site.call("sign-in", "alice")
        assert answer.code == 2
        assert "nobody has to sign in" in answer.err

    def test_an_issuer_tells_its_endpoints(self, site: Site, provider: OAuthProvider, server: Dovecot) -> None:
        table = f'client_id = "the-client", client_secret = "the-client-secret", issuer = "{provider.issuer}"'
        password = f'{{ oauth = {{ {table}, scopes = ["mail"] }} }}'
        site.writes(account("alice", source(server.pop3_port, password=password), mbox()))
        signs_in(site)
        assert site.migrate().report["copied"] == 5


class At:
    """The command at a terminal of its own."""

    def __init__(self, site: Site, *arguments: str) -> None:
        self.screen = ""
        self._read = 0
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "migrator", *arguments]
        environment = os.environ | site.environment | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            command,
            cwd=site.folder,
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._line = ours

    def until(self, wanted: re.Pattern[str]) -> str:
        """Wait until something stands on the screen behind what was waited for before."""
        deadline = time.monotonic() + 60
        while (found := wanted.search(self.screen, self._read)) is None:
            assert time.monotonic() < deadline, self.screen
            self.screen += os.read(self._line, 65536).decode()
        self._read = found.end()
        return found.group().strip()

    def says(self, line: str) -> None:
        os.write(self._line, f"{line}\n".encode())

    def end(self) -> int:
        try:
            while chunk := os.read(self._line, 65536):
                self.screen += chunk.decode()
        except OSError:  # Linux says EIO where the other side is closed
            pass
        os.close(self._line)
        return self._process.wait(30)


def test_source_and_imap_share_a_sign_in_and_no_token_is_a_password(
    site: Site, provider: OAuthProvider, server: Dovecot
) -> None:
    configured(site, provider, server, imap(server.imap_port))
    trace = site.folder / "trace"
    answer = signs_in(site)
    accepted = [line for line in answer.out.splitlines() if line.endswith("accepts it")]
    assert accepted == [f"signed in: alice at 127.0.0.1 ({one}) accepts it" for one in ("POP3", "IMAP")]
    assert len(list((site.state / "secrets").glob("*.json"))) == 1
    assert site.migrate("--trace", trace).report["copied"] == 5
    assert server.count("alice", "Copies") == 5
    said = trace.read_text()
    assert "AUTH OAUTHBEARER" in said
    assert "AUTHENTICATE OAUTHBEARER" in said
    assert not re.search(r"PLAIN|PASS |LOGIN [^D]", re.sub(r"S: .*|< .*", "", said))


@pytest.mark.parametrize("auth", ["auto", "xoauth2", "oauthbearer"])
def test_mechanisms(site: Site, provider: OAuthProvider, server: Dovecot, auth: str) -> None:
    configured(site, provider, server, auth=auth)
    signs_in(site)
    assert site.migrate().report["copied"] == 5


def test_an_account_is_added_with_a_sign_in(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)  # the table is there, and another account
    server.deliver("bob@example.org", letters(3))
    provider.user = "bob@example.org"
    flags = ["--host", "127.0.0.1", "--port", str(server.pop3_port), "--tls", "none", "--oauth", "local"]
    answer = site.call("add", "bob@example.org", *flags, "--to", "archive/bob", "--name", "bob", "--yes", "--json")
    assert answer.code == 0, answer
    assert answer.document["copied"] == 1
    assert site.call("migrate", "bob", "--json").report["copied"] == 2
    text = seen(site, [answer])
    assert not [secret for secret in provider.every_secret if secret in text]


def test_somebody_elses_sign_in_is_not_kept(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)
    provider.user = "bob"
    answer = site.call("sign-in", "alice", "--method", "device")
    assert answer.code == 1
    assert "was it alice who signed in?" in answer.err
    assert not list(site.folder.rglob("sign-in-*.json"))
    provider.user = "alice"
    signs_in(site)
    provider.user = "bob"
    assert site.call("sign-in", "alice", "--method", "device").code == 1
    assert site.migrate().report["status"] == "ok"  # the earlier one stands


def test_a_refusal_in_the_browser_is_told(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)
    provider.refuses_sign_in = True
    answer = site.call("sign-in", "alice", "--method", "browser", timeout=30)
    assert answer.code == 1
    assert "access_denied" in answer.err


def test_a_box_that_was_not_ticked_is_told(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)
    provider.gives_scope = "profile"
    answer = site.call("sign-in", "alice", "--method", "browser")
    assert answer.code == 1
    assert "leave every box ticked" in answer.err
    assert not list(site.folder.rglob("sign-in-*.json"))


def test_not_signed_in_is_told_with_the_command(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)
    answer = site.migrate()
    assert answer.code == 1
    [error] = answer.report["errors"]
    assert error["kind"] == "auth"
    assert "mailferry sign-in alice" in error["message"]
    [found] = findings(site.call("doctor", "--json"))
    assert found["severity"] == "broken"
    assert found["accounts"] == ["alice"]
    assert found["cure"]["command"] == ["mailferry", "sign-in", "alice"]
    assert findings(site.call("status", "--json"))
    signs_in(site)
    assert not findings(site.call("status", "--json"))
    assert not findings(site.call("doctor", "--json"))


def test_a_token_refused_at_the_log_in_is_renewed_once(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server, imap(server.imap_port))
    signs_in(site)
    provider.expire_access_tokens()
    asked = len(provider.asked)
    assert site.migrate().report["status"] == "ok"
    assert len(provider.asked) == asked + 1
    assert server.log().count("auth failed, 1 attempts") <= 1


def test_a_token_refused_as_if_it_would_pass_is_renewed_once(
    site: Site, provider: OAuthProvider, strange_server: Dovecot
) -> None:
    configured(site, provider, strange_server, imap(strange_server.imap_port))
    signs_in(site)
    provider.expire_access_tokens()
    asked = len(provider.asked)
    assert site.migrate().report["status"] == "ok"
    assert len(provider.asked) == asked + 1


def test_a_fresh_token_that_is_refused_is_not_fetched_again_and_again(
    site: Site, provider: OAuthProvider, server: Dovecot
) -> None:
    configured(site, provider, server)
    signs_in(site)
    provider.refuses_all = True  # fetching mail was switched off
    asked = len(provider.asked)
    for _ in range(3):
        answer = site.migrate()
        [error] = answer.report["errors"]
        assert error["kind"] == "auth"
        assert "mailferry sign-in alice" in error["message"]
    assert len(provider.asked) == asked + 1
    assert findings(site.call("status", "--json"))


def test_revoked_is_one_refresh_told_and_over_after_a_sign_in(
    site: Site, provider: OAuthProvider, server: Dovecot
) -> None:
    configured(site, provider, server)
    signs_in(site)
    assert site.migrate().report["copied"] == 5
    provider.revoke_all()
    asked = len(provider.asked)
    for _ in range(3):
        assert site.migrate().report["status"] == "failed"
    assert len(provider.asked) == asked + 1
    assert findings(site.call("status", "--json"))
    signs_in(site)
    assert not findings(site.call("status", "--json"))
    server.deliver("alice", letters(7)[5:])
    assert site.migrate().report["copied"] == 2


def test_the_worker_parks_and_goes_on_after_a_sign_in(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server)
    with (site.folder / "config.toml").open("a") as file:
        file.write('[schedule]\nevery = "1 second"\n')
    signs_in(site)
    with site.start("run") as worker:
        try:
            _until(lambda: len(site.stored()) == 5)
            provider.revoke_all()
            _until(lambda: bool(findings(site.call("status", "--json"))))
            asked = len(provider.asked)
            time.sleep(3)  # rounds come, and nobody is asked
            assert len(provider.asked) == asked
            server.deliver("alice", letters(7)[5:])
            signs_in(site)
            _until(lambda: len(site.stored()) == 7)
            _until(lambda: not findings(site.call("status", "--json")))
        finally:
            worker.terminate()
            out, err = worker.communicate(timeout=30)
    text = seen(site, [Answer(0, out, err)])
    assert not [secret for secret in provider.every_secret if secret in text]


def _until(is_so: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_nothing_secret_is_seen_anywhere(site: Site, provider: OAuthProvider, server: Dovecot) -> None:
    configured(site, provider, server, imap(server.imap_port))
    lines: set[str] = set()
    watching = threading.Event()
    watcher = threading.Thread(target=_watch, args=(watching, lines))
    watcher.start()
    answers = [site.call("-vv", "sign-in", "alice", "--method", method) for method in ("browser", "device")]
    answers.append(site.call("-vv", "--trace", "trace", "--log-json", "migrate", "--json"))
    provider.expire_access_tokens()
    answers.append(site.call("-vv", "--trace", "trace2", "migrate"))
    answers += [site.call("-vv", command, "--json") for command in ("check", "status", "doctor", "accounts")]
    answers.append(site.call("backup-state", "backup.tar.gz"))
    provider.revoke_all()
    answers += [
        site.call("-vv", "migrate"),
        site.call("doctor"),
        site.call("-vv", "sign-in", "alice", "--method", "device"),
    ]
    watching.set()
    watcher.join()
    assert [answer.code for answer in answers[:4]] == [0, 0, 0, 0]
    with tarfile.open(site.folder / "backup.tar.gz") as tar:
        names = tar.getnames()
        content = b"".join(file.read() for member in tar if (file := tar.extractfile(member)) is not None)
    assert not [name for name in names if "sign-in" in name or "secrets" in name]
    text = seen(site, answers) + content.decode("latin-1") + "\n".join(lines)
    assert lines
    assert len(provider.every_secret) > 8
    assert not [secret for secret in provider.every_secret if secret in text]
    assert {path.stat().st_mode & 0o777 for path in (site.state / "secrets").iterdir()} == {0o600}
    assert json.loads(answers[4].out)["accounts"]


def _watch(watching: threading.Event, lines: set[str]) -> None:
    """Note the command lines and environments of all processes on the machine that can be seen."""
    while not watching.wait(0.02):
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                lines.add(place.read_bytes().decode("latin-1"))
            except OSError:
                continue
