"""From outside: a mailbox as a destination whose ledger, spelling, UIDVALIDITY or mail is another than it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Site, account, mbox, source
from tests.integration.imap_support import Bench
from tests.mail import letters
from tests.servers.dovecot import Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


@pytest.fixture
def site(tmp_path: Path, dovecot: Dovecot) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame", "IMAP_PASSWORD": dovecot.password})


@pytest.fixture
def bench(dovecot: Dovecot, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(dovecot, tmp_path / "state")
    yield bench
    bench.close()


def mailbox(server: Dovecot, folder: str = "INBOX", host: str = "127.0.0.1", **keys: str) -> str:
    given = {"tls": "none", "username": "ann", "folder": folder, "host": host} | keys
    lines = [f'{key} = "{value}"' for key, value in given.items()]
    port = f"port = {server.imap_port}"
    return "\n".join(
        ['[[accounts.destinations]]\ntype = "imap"', port, 'password = { env = "IMAP_PASSWORD" }', *lines, ""]
    )


def test_without_its_ledger_and_however_it_is_spelled_the_mailbox_gets_nothing_twice(
    dovecot: Dovecot, site: Site, bench: Bench
) -> None:
    with Pop3Server(Maildrop(letters(12))) as pop3:
        site.writes(account("alice", source(pop3.port), mailbox(dovecot)))
        assert site.migrate().report["copied"] == 12
        for host, folder in [("LocalHost", "inbox"), ("localhost", "Inbox/")]:
            site.writes(account("alice", source(pop3.port), mailbox(dovecot, folder, host)))
            assert site.migrate().code == 0
        shutil.rmtree(site.folder / "state")
        done = site.migrate()
        assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 0, 12)
    assert sorted(bench.contents()) == sorted(letters(12))


def test_after_a_new_uid_validity_verify_and_a_deleting_run_find_every_copy(
    dovecot: Dovecot, site: Site, bench: Bench
) -> None:
    with Pop3Server(Maildrop(letters(12))) as pop3:
        site.writes(account("alice", source(pop3.port), mailbox(dovecot, "Old")))
        assert site.migrate().report["copied"] == 12
        bench.make_anew("Old")
        checked = site.call("verify", "--json")
        assert (checked.code, checked.document["ok"]) == (0, 12)
        bench.make_anew("Old")
        site.writes(account("alice", source(pop3.port, leave_on_server=False), mailbox(dovecot, "Old")))
        done = site.migrate()
        assert (done.code, done.report["deleted"], pop3.maildrop.left()) == (0, 12, [])
    assert sorted(bench.contents("Old")) == sorted(letters(12))


def test_restoring_into_an_emptied_lost_or_renewed_folder_fills_it_again_and_once(
    dovecot: Dovecot, site: Site, bench: Bench
) -> None:
    url = f"imap://ann@127.0.0.1:{dovecot.imap_port}/Restored?tls=none"

    def restored() -> tuple[int, object, object]:
        done = site.call("restore", "--to", url, "--to-password-env", "IMAP_PASSWORD", "--json")
        return done.code, done.document["restored"], done.document["present"]

    with Pop3Server(Maildrop(letters(15))) as pop3:
        site.writes(account("alice", source(pop3.port), mbox()))
        assert site.migrate().report["copied"] == 15
    assert restored() == (0, 15, 0)
    bench.expunge("1:*", "Restored")
    assert restored() == (0, 15, 0)
    bench.make_anew("Restored", [])
    assert restored() == (0, 15, 0)
    bench.make_anew("Restored")
    assert restored() == (0, 0, 15)
    with bench.as_another_client() as session:
        session.delete("Restored")
    assert [restored(), restored()] == [(0, 15, 0), (0, 0, 15)]
    shutil.rmtree(site.folder / "state")
    assert site.call("rebuild-ledger").code == 0
    assert restored() == (0, 0, 15)
    assert sorted(bench.contents("Restored")) == sorted(letters(15))


def test_an_unproven_copy_is_cured_by_the_setting_that_the_report_names(
    dovecot: Dovecot, site: Site, bench: Bench
) -> None:
    odd = b"Message-ID: <odd@example.org>\r\n\r\none\r\r\ntwo\r\r\n"
    with Pop3Server(Maildrop([odd])) as pop3:
        text = account("alice", source(pop3.port), mailbox(dovecot))
        site.writes(text)
        line = (site.folder / "config.toml").read_text().splitlines().index("[[accounts.destinations]]") + 1
        for _ in range(2):
            done = site.migrate()
            [error] = done.report["errors"]
            assert (done.code, error["kind"]) == (1, "unproven")
            cure = f'write proof = "canonical" under [[accounts.destinations]] of alice (config.toml, line {line})'
            assert cure in error["message"]
            site.call("repair")
        site.writes(text.replace('username = "ann"', 'username = "ann"\nproof = "canonical"'))
        assert (site.migrate().code, site.migrate().report["known"]) == (0, 1)
    assert len(bench.contents()) == 1


def test_a_mailbox_that_is_gone_or_emptied_fails_the_run_and_nothing_is_deleted(
    dovecot: Dovecot, site: Site, bench: Bench
) -> None:
    with Pop3Server(Maildrop(letters(12))) as pop3:
        site.writes(account("alice", source(pop3.port), mailbox(dovecot, "Old")))
        assert site.migrate().report["copied"] == 12
        site.writes(account("alice", source(pop3.port, leave_on_server=False), mailbox(dovecot, "Old")))
        with bench.as_another_client() as session:
            session.rename("Old", "Away")
        gone = site.migrate()
        with bench.as_another_client() as session:
            session.rename("Away", "Old")
        bench.expunge("1:11", "Old")
        emptied = site.migrate()
        for done, words in [(gone, "is not there"), (emptied, "was emptied")]:
            assert (done.code, done.report["deleted"]) == (1, 0)
            assert any(error["kind"] == "archive" and words in error["message"] for error in done.report["errors"])
        assert len(pop3.maildrop.left()) == 12
        site.writes(
            account(
                "alice", source(pop3.port, leave_on_server=False), mailbox(dovecot, "Old", when_copy_is_gone="restore")
            )
        )
        done = site.migrate()
        assert (done.code, done.report["deleted"]) == (0, 12), done.report
    assert sorted(bench.contents("Old")) == sorted(letters(12))
