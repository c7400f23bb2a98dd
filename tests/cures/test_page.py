"""The button of a finding, pressed on the page: what it does ends the finding."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from html import unescape

import pytest

from jobs.doctor import examine
from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.runner import Runs
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Liveness
from jobs.web.tasks.task_store import newest_tasks
from migrator.config import Config
from migrator.findings.facts import Invocation
from migrator.findings.model import Finding, Severity
from tests.command_line import MESSAGES, account, mbox, source
from tests.cures.bench import Bench
from tests.cures.test_archives import volume_of
from tests.cures.test_mailboxes import WITH_BARE_RETURNS, mailbox
from tests.faults import cut_tail, flip_bit, overwrite
from tests.servers.imap import HasRoomFor, ImapServer
from tests.servers.mailboxes import INBOX, Mailboxes, without_bare_returns
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.process import LOOPBACK
from tests.unit.jobs.web.office import Office, opened

DAY = 86400.0
WEB = '[web]\nlisten = "127.0.0.1:0"\n'


@pytest.fixture
def imap(bench: Bench) -> Iterator[ImapServer]:
    with ImapServer(Mailboxes()) as running:
        password = bench.folder / "imap-password"
        password.touch(mode=0o600)
        password.write_text(running.password)
        yield running


def found(config: Config) -> Sequence[Finding]:
    """What a look finds that needs a person, and what is paused."""
    seen = examine(config, time.time(), Invocation())
    return [one for one in seen if one.severity is not Severity.HINT or one.id == "paused"]


@contextmanager
def page(bench: Bench) -> Iterator[Office]:
    """Serve the page of a bench; a run is what the worker does."""
    with opened(bench.folder / "config.toml") as here:
        runs = Runs(here.config, here.ledger, Fingerprints.of_state_dir(here.config.state_dir), Liveness())
        here.findings = found

        def works(name: str) -> None:
            runs.run(name, Stop())

        here.works = works
        yield here


def press(here: Office, finding: str) -> None:
    """Press the button of the only finding."""
    [one] = found(here.config)
    assert one.id == finding
    browser = here.signed_in()
    [form] = [form for form in browser.get("/").forms() if form.action == "/cures"]
    assert browser.send(form).status == 303


def is_well(here: Office) -> None:
    assert found(here.config) == []
    assert "/cures" not in [form.action for form in here.signed_in().get("/").forms()]


def alice(server: Pop3Server, *places: str, leave: object = True) -> list[str]:
    ends = places or (mbox("archive"),)
    return [WEB, account("alice", source(server.port, leave_on_server=leave), *ends)]


def test_never_run(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    with page(bench) as here:
        press(here, "never-run")
        is_well(here)


def test_paused(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    bench.migrates()
    assert bench.ferry("pause", "alice").code == 0
    with page(bench) as here:
        press(here, "paused")
        is_well(here)


def test_host_unreachable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    maildrop = Maildrop(MESSAGES)
    with Pop3Server(maildrop) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        bench.writes(*alice(server))
    bench.migrate()
    with page(bench) as here, brought_back(here, server, maildrop):
        press(here, "host-unreachable")
        is_well(here)


@contextmanager
def brought_back(here: Office, server: Pop3Server, maildrop: Maildrop) -> Iterator[None]:
    """Start a server again just before the next run."""
    work = here.works
    with ExitStack() as stack:

        def works(name: str) -> None:
            again = stack.enter_context(Pop3Server(maildrop, at=(LOOPBACK, server.port)))
            assert again.password == server.password
            work(name)

        here.works = works
        yield


def test_quota_full(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    bench.writes(*alice(server, mailbox(imap)))
    imap.faults = (HasRoomFor(5),)
    bench.migrate()
    with page(bench) as here:
        work = here.works

        def works(name: str) -> None:
            imap.faults = ()
            work(name)

        here.works = works
        press(here, "quota-full")
        is_well(here)


def test_archive_changed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    bench.migrates()
    cut_tail(volume_of(bench, "archive"), 1000)
    with page(bench) as here:
        press(here, "archive-changed")
        assert result(here) == "done: 4 copies were stored again: nothing is damaged any more."
        is_well(here)


def test_archive_damaged(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    bench.migrates()
    volume = volume_of(bench, "archive")
    flip_bit(volume, volume.read_bytes().index(b"word 5 word 5"))
    bench.ferry("verify")
    with page(bench) as here:
        press(here, "archive-damaged")
        assert result(here) == "done: 1 copy was stored again: nothing is damaged any more."
        is_well(here)
    assert set(bench.site.stored("archive")) >= set(MESSAGES)


def test_a_repair_that_cannot_help_ends_as_failed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server, leave=False))
    bench.migrates()
    volume = volume_of(bench, "archive")
    flip_bit(volume, volume.read_bytes().index(b"word 5 word 5"))
    bench.ferry("verify")
    with page(bench) as here:
        press(here, "archive-damaged")
        assert result(here).startswith("failed: 0 copies were stored again; 1 is still damaged: ")


def test_index_damaged(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    bench.migrates()
    assert bench.ferry("search", "*").code == 0
    overwrite(bench.site.state / "search.sqlite3", 0, b"\xff" * 8192)
    with page(bench) as here:
        press(here, "index-damaged")
        assert result(here) == f"done: {len(MESSAGES)} messages can be found."
        is_well(here)


def test_never_verified(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server))
    bench.migrates()
    bench.ledger("update messages set copied_at = copied_at - ?", 900 * DAY)
    with page(bench) as here:
        press(here, "never-verified")
        assert result(here) == f"done: {len(MESSAGES)} copies were read again: all is as it should be."
        is_well(here)


def result(here: Office) -> str:
    """Wait until the newest job is over; return how it ended."""
    browser = here.signed_in()
    while not newest_tasks(here.site.store, 1)[0].state.is_over:
        assert browser.get("/jobs").status == 200
    task = newest_tasks(here.site.store, 1)[0]
    return f"{task.state}: {task.result}"


def test_clock_jump_that_a_run_has_noticed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(*alice(server, leave="30 days"))
    bench.migrates()
    bench.ledger("update maildrops set last_run_at = last_run_at - ?", 900 * DAY)
    bench.migrate()
    with page(bench) as here:
        here.works("alice")
        press(here, "clock-jump")
        is_well(here)


def test_copies_gone(bench: Bench, server: Pop3Server, imap: ImapServer) -> None:
    bench.writes(*alice(server, mbox("archive"), mailbox(imap)))
    bench.migrates()
    for uid in (2, 5):
        imap.mailboxes.expunge(INBOX, uid)
    bench.migrate()
    bench.ferry("verify")
    with page(bench) as here:
        decided_on_the_page(here, "copies-gone")


def test_unproven_copies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mailboxes = Mailboxes(alters=without_bare_returns)
    with Pop3Server(Maildrop(WITH_BARE_RETURNS)) as server, ImapServer(mailboxes) as imap:
        monkeypatch.setenv("PASSWORD", server.password)
        (bench.folder / "imap-password").write_text(imap.password)
        (bench.folder / "imap-password").chmod(0o600)
        bench.writes(*alice(server, mbox("archive"), mailbox(imap)))
        bench.migrate()
        with page(bench) as here:
            both_are_shown(here)
            decided_on_the_page(here, "unproven-copies")


def both_are_shown(here: Office) -> None:
    """See the message as it came beside what the server keeps, and where they begin to differ."""
    browser = here.signed_in()
    [first, *_] = re.findall(r'href="(/needs-a-look/alice/\d+)"', browser.get("/needs-a-look").text)
    shown = browser.get(first).text
    assert shown.count("<section") == 2
    assert "As its server gave it" in shown
    assert "As it is kept in INBOX" in shown
    assert r"<code>a\rb</code>" in shown


def decided_on_the_page(here: Office, finding: str) -> None:
    """Follow the button to where a person decides, and say there that all of them are fine."""
    [one] = found(here.config)
    assert one.id == finding
    browser = here.signed_in()
    [href] = re.findall(r'class="button" href="(/needs-a-look[^"]*)"', browser.get("/").text)
    form = [form for form in browser.get(unescape(href)).forms() if form.action == "/needs-a-look"][-1]
    assert "all" in form.fields
    assert browser.send(form, decision="accept").status == 303
    is_well(here)
