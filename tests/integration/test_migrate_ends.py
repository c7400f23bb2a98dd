"""From outside: real servers in every dress, certificates right and wrong, and what ``check`` says of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.command_line import Site, account, alice, maildir, mbox, source
from tests.conftest import StartDovecot
from tests.mail import letter, letters
from tests.servers.certificates import Certificate, identity
from tests.servers.dovecot import Backend, Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import HandshakeBroken, StlsInjected, StlsStripped

WRONG_PIN = "ab" * 32


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": Dovecot.password})


def of_a_dovecot(server: Dovecot, tls: str) -> dict[str, object]:
    if tls == "implicit":
        return {"port": server.pop3s_port, "tls": tls, "ca_file": str(server.ca_file)}
    if tls == "starttls":
        return {"port": server.pop3_port, "tls": tls, "ca_file": str(server.ca_file)}
    return {"port": server.pop3_port, "tls": tls}


@pytest.mark.parametrize("backend", ["maildir", "mbox"])
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_a_maildrop_of_dovecot_comes_home_and_is_emptied(
    start_dovecot: StartDovecot, site: Site, backend: Backend, tls: str
) -> None:
    server = start_dovecot(backend)
    server.deliver("alice", letters(30))
    shown = Counter(server.messages("alice"))
    keys = of_a_dovecot(server, tls)
    site.writes(account("alice", source(leave_on_server=True, **keys), mbox()))  # type: ignore[arg-type]  # keys of TOML
    first = site.migrate()
    assert (first.code, first.report["status"], first.report["copied"], first.report["deleted"]) == (0, "ok", 30, 0)
    assert server.count("alice") == 30
    files = site.tree()
    again = site.migrate()
    assert (again.code, again.report["known"], again.report["copied"]) == (0, 30, 0)
    assert {name: data for name, data in site.tree().items() if name.endswith(".mbox")} == {
        name: data for name, data in files.items() if name.endswith(".mbox")
    }
    site.writes(account("alice", source(leave_on_server=False, **keys), mbox()))  # type: ignore[arg-type]  # as above
    last = site.migrate()
    assert (last.code, last.report["deleted"], last.report["verified"]) == (0, 30, 30), last.report
    assert server.count("alice") == 0
    # Dovecot's mbox back end puts its own headers into what IMAP shows; the Maildir is bit for bit what came.
    stored = Counter(site.stored())
    assert stored == shown if backend == "maildir" else len(stored) == 30


def test_new_mail_between_runs_is_all_that_is_retrieved(dovecot: Dovecot, site: Site) -> None:
    dovecot.deliver("alice", letters(5))
    site.writes(alice(dovecot.pop3_port))
    assert site.migrate().report["copied"] == 5
    dovecot.deliver("alice", letters(2, first=6))
    report = site.migrate().report
    assert (report["known"], report["copied"], report["verified"]) == (5, 2, 2)
    assert Counter(site.stored()) == Counter(letters(7))


def test_a_fingerprint_alone_replaces_chain_and_name(start_dovecot: StartDovecot, site: Site) -> None:
    server = start_dovecot()
    server.deliver("alice", letters(1))
    keys = {"port": server.pop3s_port, "tls": "implicit"}
    site.writes(account("alice", source(fingerprint=identity().fingerprint, **keys), mbox()))  # type: ignore[arg-type]
    assert site.migrate().report["copied"] == 1
    site.writes(account("alice", source(fingerprint=WRONG_PIN, **keys), mbox()))  # type: ignore[arg-type]  # as above
    refused = site.migrate()
    assert (refused.code, refused.report["status"]) == (1, "failed")
    [error] = refused.report["errors"]
    assert error["kind"] == "tls"
    told = error["message"].replace(":", "").lower()
    assert WRONG_PIN in told
    assert identity().fingerprint in told


@pytest.mark.parametrize("kind", [kind for kind in Certificate if kind is not Certificate.GOOD])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_bad_certificate_ends_it_before_the_password_is_said(site: Site, kind: Certificate, tls: str) -> None:
    with Pop3Server(Maildrop(letters(2)), tls=tls, certificate=kind) as server:  # type: ignore[arg-type]  # one of its words
        ca_file = site.folder / "ca.pem"
        ca_file.write_bytes(server.authority.certificate)
        site.writes(alice(server.port, tls=tls, ca_file="ca.pem"))
        done = site.migrate()
        assert (done.code, done.report["status"], done.report["errors"][0]["kind"]) == (1, "failed", "tls")
        assert not server.logins
        # a pin of that very certificate is another matter, but together with ca_file both hold
        pinned = alice(server.port, tls=tls, fingerprint=server.certificate.fingerprint)
        site.writes(pinned)
        assert site.migrate().report["copied"] == 2
        site.writes(alice(server.port, tls=tls, ca_file="ca.pem", fingerprint=server.certificate.fingerprint))
        assert site.migrate().report["errors"][0]["kind"] == "tls"


@pytest.mark.parametrize("fault", [StlsStripped(), StlsInjected()])
def test_someone_on_the_line_gets_no_password(site: Site, fault: StlsStripped | StlsInjected) -> None:
    with Pop3Server(Maildrop(letters(2)), tls="starttls", faults=[fault]) as server:
        (site.folder / "ca.pem").write_bytes(server.authority.certificate)
        site.writes(alice(server.port, tls="starttls", ca_file="ca.pem"))
        done = site.migrate()
        assert done.code == 1
        assert done.report["errors"][0]["kind"] in {"tls", "protocol"}
        assert not {"USER", "PASS", "AUTH", "APOP"} & set(server.verbs())


def test_no_tls_where_tls_should_begin_is_a_tls_error(site: Site) -> None:
    with Pop3Server(Maildrop(), tls="implicit", faults=[HandshakeBroken()]) as server:
        site.writes(alice(server.port, tls="implicit"))
        done = site.migrate()
        assert (done.code, done.report["errors"][0]["kind"]) == (1, "tls")


def test_urls_do_what_a_file_does(start_dovecot: StartDovecot, site: Site) -> None:
    server = start_dovecot()
    server.deliver("alice@example.org", letters(4))
    url = f"alice%40example.org@127.0.0.1:{server.pop3s_port}"
    to_imap = f"imaps://bob%40example.org@127.0.0.1:{server.imaps_port}/Archive/Old?ca_file={server.ca_file}"
    done = site.migrate(
        *("--from", f"pop3s://{url}?ca_file={server.ca_file}", "--from-password-env", "PASSWORD"),
        *("--to", "mbox:archive/alice", "--to", "maildir:copy", "--to", to_imap, "--to-password-env", "PASSWORD"),
        *("--leave-on-server", "false", "--state-dir", "state"),
    )
    assert done.code == 0, done.out
    assert (done.report["name"], done.report["deleted"]) == ("alice@example.org@127.0.0.1", 4)
    assert Counter(site.stored()) == Counter(site.maildir("copy")) == Counter(letters(4))
    assert Counter(server.messages("bob@example.org", "Archive.Old")) == Counter(letters(4))
    assert (site.state / "ledger.sqlite3").exists()


def test_starttls_and_a_pin_in_urls(start_dovecot: StartDovecot, site: Site) -> None:
    server = start_dovecot()
    server.deliver("alice", letters(2))
    pin = identity().fingerprint
    tls = f"tls=starttls&fingerprint={pin}"
    done = site.migrate(
        *("--from", f"pop3://alice@127.0.0.1:{server.pop3_port}?{tls}", "--from-password-env", "PASSWORD"),
        *("--to", f"imap://bob@127.0.0.1:{server.imap_port}/INBOX?{tls}", "--to-password-env", "PASSWORD"),
        *("--leave-on-server", "30 days"),
    )
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 2, 0), done.out
    assert server.count("bob") == 2
    assert (site.folder / "xdg-state/mailferry/ledger.sqlite3").exists()


def test_check_tells_what_each_end_offers_and_changes_nothing(dovecot: Dovecot, site: Site) -> None:
    dovecot.deliver("alice", [letter(1)])
    imap = (
        f'[[accounts.destinations]]\ntype = "imap"\nhost = "127.0.0.1"\nport = {dovecot.imaps_port}\n'
        f'tls = "implicit"\nca_file = "{dovecot.ca_file}"\nusername = "bob"\npassword = {{ env = "PASSWORD" }}\n'
    )
    site.writes(account("alice", source(dovecot.pop3_port), mbox(), maildir("copy"), imap))
    before = site.tree()
    done = site.call("check", "--json")
    assert done.code == 0, done.out
    [checked] = done.document["accounts"]
    assert checked["name"] == "alice"
    assert (checked["source"]["messages"], checked["source"]["bytes"]) == (1, len(letter(1)))
    assert "UIDL" in checked["source"]["capabilities"]
    assert [end["status"] for end in checked["destinations"]] == ["ok"] * 3
    assert site.tree() == before
    assert "alice: ok" in site.call("check").out
    text = site.folder / "config.toml"
    text.write_text(text.read_text().replace(str(dovecot.imaps_port), "1"))
    failed = site.call("check", "--json")
    assert failed.code == 1
    assert failed.document["accounts"][0]["destinations"][2]["kind"] == "connect"
