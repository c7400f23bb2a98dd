"""From outside: what the options and the keys of a source promise, on a server that tells what it was asked."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Site, account, alice, maildir, mbox, source
from tests.mail import letter, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import AddedHeaders, DropBefore, QuitRefused

URL_PASSWORD = ("--from-password-env", "PASSWORD")


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})


def test_a_dry_run_makes_nothing_and_retrieves_nothing(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    before = site.tree()
    done = site.migrate("--dry-run")
    assert done.code == 0
    assert site.tree() == before
    assert (done.report["new"], done.report["remaining"], done.report["copied"], done.report["deleted"]) == (6, 6, 0, 0)
    assert [one["uidl"] for one in done.report["would_delete"]] == [f"uid-{n:08}" for n in range(1, 7)]
    assert {one["digest"] for one in done.report["would_delete"]} == {None}
    assert not {"RETR", "DELE"} & set(server.verbs())


def test_a_dry_run_after_a_run_leaves_ledger_and_archive_as_they_were(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate("--limit", "4").code == 0
    site.writes(alice(server.port, leave_on_server=False))
    before, said = site.tree(), server.counts()
    done = site.migrate("--dry-run")
    assert done.code == 0
    assert site.tree() == before
    assert (done.report["known"], done.report["remaining"]) == (4, 2)
    shown = {one["uidl"]: one["digest"] for one in done.report["would_delete"]}
    assert shown["uid-00000001"] == hashlib.sha256(letter(1)).hexdigest()
    assert (len(shown), shown["uid-00000006"]) == (6, None)
    assert server.counts()["RETR"] == said["RETR"]
    assert server.counts()["DELE"] == 0
    for line in ("would delete", "dry run"):
        assert line in site.call("migrate", "--dry-run").out
    assert site.tree() == before


def test_a_dry_run_of_what_the_ledger_does_not_know_leaves_it_as_it_was(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    both = account("alice", source(server.port), mbox(), maildir("copy"))
    site.writes(both, account("bob", source(server.port, user="bob"), mbox("archive/bob")))
    before = site.tree()
    alices, bobs = site.migrate("--dry-run").reports
    assert site.tree() == before
    assert (alices["known"], alices["new"], bobs["known"], bobs["new"]) == (0, 6, 0, 6)


def test_a_dry_run_with_a_limit_tells_what_that_run_would_do(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    dry = site.migrate("--dry-run", "--limit", "2").report
    real = site.migrate("--limit", "2").report
    assert real["deleted"] == 2
    assert [one["uidl"] for one in dry["would_delete"]] == ["uid-00000001", "uid-00000002"]


def test_a_dry_run_beyond_max_delete_says_that_nothing_would_go(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    dry = site.migrate("--dry-run", "--max-delete", "2")
    assert dry.code == 1
    assert dry.report["errors"][0]["message"].startswith("6 messages would be deleted")
    assert site.migrate("--dry-run", "--max-delete", "6").code == 0


def test_the_limit_is_per_account_and_per_run_and_no_failure(server: Pop3Server, site: Site) -> None:
    two = [account(name, source(server.port, user=name), mbox(f"archive/{name}")) for name in ("alice", "bob")]
    site.writes(*two)
    done = site.migrate("--limit", "4")
    assert done.code == 0
    assert [(one["copied"], one["remaining"], one["status"]) for one in done.reports] == [(4, 2, "ok")] * 2
    done = site.migrate("--limit", "4")
    assert [(one["known"], one["copied"], one["remaining"]) for one in done.reports] == [(4, 2, 0)] * 2
    done = site.migrate("--limit", "0", "alice")
    assert (done.code, done.report["known"]) == (0, 6)


def test_a_limited_run_deletes_only_what_it_has_proven(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    report = site.migrate("--limit", "4").report
    assert (report["copied"], report["deleted"], report["remaining"]) == (4, 4, 2)
    assert server.maildrop.left() == letters(2, first=5)
    assert site.migrate().report["deleted"] == 2


def test_more_deletions_than_allowed_are_none_at_all(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate("--max-delete", "5")
    assert (done.code, done.report["status"], done.report["copied"], done.report["deleted"]) == (1, "partial", 6, 0)
    assert server.counts()["DELE"] == 0
    assert server.maildrop.left() == letters(6)
    again = site.migrate("--max-delete", "5")
    assert (again.code, again.report["known"], again.report["deleted"]) == (1, 6, 0)
    assert server.counts()["DELE"] == 0
    last = site.migrate("--max-delete", "6")
    assert (last.code, last.report["deleted"], len(site.stored())) == (0, 6, 6)


def test_the_default_is_to_leave_everything(server: Pop3Server, site: Site) -> None:
    done = site.migrate("--from", f"pop3://a@127.0.0.1:{server.port}?tls=none", "--to", "mbox:x", *URL_PASSWORD)
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 6, 0)
    assert server.counts()["DELE"] == 0


def test_what_was_copied_earlier_is_retrieved_again_before_it_is_deleted(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate()
    assert (done.code, done.report["known"], done.report["verified"], done.report["deleted"]) == (0, 6, 6, 6)
    assert server.counts()["RETR"] == 12
    assert server.counts()["TOP"] == 0


def test_proof_by_headers_asks_top_instead(server: Pop3Server, site: Site) -> None:
    server.allows_top_proof = True
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    site.writes(alice(server.port, leave_on_server=False, proof_before_delete="headers"))
    done = site.migrate()
    assert (done.code, done.report["verified"], done.report["deleted"]) == (0, 6, 6)
    assert (server.counts()["RETR"], server.counts()["TOP"]) == (6, 6)


def test_proof_by_headers_reads_the_stored_copies_too(server: Pop3Server, site: Site) -> None:
    server.allows_top_proof = True
    site.writes(account("alice", source(server.port), maildir("copy")))
    assert site.migrate().code == 0
    victim = next(path for path in (site.folder / "copy/new").iterdir() if b"letter 3\n" in path.read_bytes())
    victim.write_bytes(victim.read_bytes().replace(b"word 3", b"w0rd 3"))
    site.writes(
        account("alice", source(server.port, leave_on_server=False, proof_before_delete="headers"), maildir("copy"))
    )
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (1, 5)
    assert {error["kind"] for error in done.report["errors"]} <= {"mismatch", "archive"}
    assert server.maildrop.left() == [letter(3)]


def test_days_count_from_verification(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server="2 days"))
    assert site.migrate().report["deleted"] == 0
    assert site.migrate().report["deleted"] == 0
    with sqlite3.connect(site.state / "ledger.sqlite3") as ledger:
        ledger.execute("update messages set copied_at = copied_at - 3 * 86400 where id <= 4")
        ledger.execute("update maildrops set settled_until = settled_until - 3 * 86400")
    ledger.close()
    server.maildrop.add(letter(7))
    done = site.migrate()
    assert (done.code, done.report["known"], done.report["copied"], done.report["deleted"]) == (0, 6, 1, 4)
    assert server.maildrop.left() == letters(3, first=5)


def test_what_is_too_large_stays_and_is_told_and_is_no_failure(server: Pop3Server, site: Site) -> None:
    server.maildrop.add(letter(7, octets=21_000))
    site.writes(alice(server.port, leave_on_server=False, max_message_size="10 kB"))
    for known in range(2):
        done = site.migrate()
        report = done.report
        assert (done.code, report["status"], report["skipped"]) == (0, "ok", 1)
        assert (report["copied"], report["deleted"]) == ((6, 6) if known == 0 else (0, 0))
        [error] = report["errors"]
        assert (error["kind"], error["uidl"], error["destination"]) == ("too-large", "uid-00000007", None)
    assert server.maildrop.left() == [letter(7, octets=21_000)]
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().report["deleted"] == 1


def test_unique_ids_that_are_not_ascii_are_written_with_escapes(site: Site) -> None:
    maildrop = Maildrop()
    maildrop.add(letter(1, octets=21_000), b"\xff\xfeid-\xe9")
    with Pop3Server(maildrop) as server:
        site.writes(alice(server.port, max_message_size="1 kB"))
        [error] = site.migrate().report["errors"]
        assert error["uidl"] == r"\xff\xfeid-\xe9"
        site.writes(alice(server.port, leave_on_server=False))
        assert site.migrate("--dry-run").report["would_delete"][0]["uidl"] == r"\xff\xfeid-\xe9"
        assert site.migrate().report["deleted"] == 1


def test_a_deletion_that_quit_does_not_confirm_is_no_success(site: Site) -> None:
    with Pop3Server(Maildrop(letters(3)), faults=[QuitRefused()]) as server:
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate()
        assert (done.code, done.report["status"], done.report["copied"], done.report["deleted"]) == (1, "partial", 3, 0)
        assert {error["uidl"] for error in done.report["errors"]} >= {f"uid-{n:08}" for n in (1, 2, 3)}


def test_a_goodbye_that_nobody_hears_is_no_failure_where_nothing_was_to_be_deleted(site: Site) -> None:
    with Pop3Server(Maildrop(letters(3)), faults=[DropBefore("QUIT")]) as server:
        site.writes(alice(server.port))
        done = site.migrate()
        assert (done.code, done.report["status"], done.report["copied"]) == (0, "ok", 3), done.report
        done = site.migrate()
        assert (done.code, done.report["known"]) == (0, 3), done.report


def test_every_deletion_stands_in_the_ledger_with_its_copies(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().code == 0
    ledger = sqlite3.connect(site.state / "ledger.sqlite3")
    rows = ledger.execute(
        "select account, unique_id, digest, copies, confirmed_by from deletions order by id"
    ).fetchall()
    assert [(name, uid, digest) for name, uid, digest, _, _ in rows] == [
        ("alice", b"uid-%08d" % n, hashlib.sha256(letter(n)).digest()) for n in range(1, 7)
    ]
    assert all("QUIT" in confirmed and ".mbox" in copies for *_, copies, confirmed in rows)
    for change in ("update deletions set account = 'eve'", "delete from deletions"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger.execute(change)
    ledger.close()


def test_headers_that_a_server_adds_of_its_own_stop_no_deletion(site: Site) -> None:
    with Pop3Server(Maildrop(letters(3)), faults=[AddedHeaders()]) as server:
        site.writes(alice(server.port))
        assert site.migrate().code == 0
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate()
        assert (done.code, done.report["deleted"], len(server.maildrop.left())) == (0, 3, 0), done.report
        assert len(site.stored()) <= 6


def test_status_tells_the_last_run_and_what_waits(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    [before] = site.call("status", "--json").document["accounts"]
    assert (before["name"], before["last_run"]) == ("alice", None)
    assert not site.state.exists()
    assert site.migrate("--limit", "4").code == 0
    [after] = site.call("status", "--json").document["accounts"]
    assert (after["safe"], after["waiting"], after["last_run"]["status"]) == (4, 2, "ok")
    assert after["last_run"]["report"]["copied"] == 4


def test_verify_names_what_is_damaged(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    good = site.call("verify", "--json")
    assert (good.code, good.document["checked"], good.document["ok"], good.document["damaged"]) == (0, 6, 6, [])
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    volume.write_bytes(volume.read_bytes().replace(b"word 3 word", b"word 3 w0rd", 1))
    bad = site.call("verify", "--json")
    assert (bad.code, bad.document["ok"]) == (1, 5)
    [damage] = bad.document["damaged"]
    assert set(damage) >= {"account", "destination", "file", "uidl", "digest", "message_id", "reason"}
    assert (damage["account"], damage["uidl"]) == ("alice", "uid-00000003")
    assert damage["digest"] == hashlib.sha256(letter(3)).hexdigest()
    assert damage["message_id"] == "<3@example.org>"
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate()
    assert done.code == 1
    assert letter(3) in server.maildrop.left()


def test_two_destinations_each_hold_everything(server: Pop3Server, site: Site) -> None:
    site.writes(account("alice", source(server.port, leave_on_server=False), mbox(), maildir("copy")))
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["verified"], done.report["deleted"]) == (0, 6, 6, 6)
    assert site.stored() == letters(6)
    assert Counter(site.maildir("copy")) == Counter(letters(6))
