"""Findings about archive folders and the disks they are on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, account, alice, maildir, mbox, source
from tests.cures.bench import Bench
from tests.faults import add_tail, cut_tail, fill_disk, flip_bit, read_only, small_disk
from tests.mail import letter
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


def holds_all_once(bench: Bench, archive: str = "archive/alice") -> None:
    assert Counter(bench.site.stored(archive)) == Counter(MESSAGES)


def volume_of(bench: Bench, archive: str = "archive/alice") -> Path:
    [volume] = (bench.folder / archive).glob("*.mbox")
    return volume


def test_archive_missing(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    (bench.folder / "archive").rename(bench.folder / "unmounted")
    found = bench.finds("archive-missing", destination="mbox", says="12 messages are known to be in it")
    bench.no_machine_can(found)
    assert bench.migrate().code == 1
    bench.finds("archive-missing")
    (bench.folder / "unmounted").rename(bench.folder / "archive")
    bench.is_well("doctor")
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)


def test_archive_missing_of_two_accounts_on_one_disk(bench: Bench, server: Pop3Server) -> None:
    tables = [account(name, source(server.port, user=name), mbox(f"disk/archive/{name}")) for name in ("alice", "bob")]
    bench.writes(*tables)
    bench.migrates()
    (bench.folder / "disk" / "archive").rename(bench.folder / "unmounted")
    found = bench.finds("archive-missing", accounts=("alice", "bob"), says="24 messages are known to be in them")
    assert found["destination"] is None
    (bench.folder / "unmounted").rename(bench.folder / "disk" / "archive")
    bench.is_well()


def test_archive_missing_for_good(bench: Bench, server: Pop3Server) -> None:
    """The cure's second half: what is lost for good is stored again by ``repair``, in an empty folder that is there."""
    bench.writes(alice(server.port))
    bench.migrates()
    (bench.folder / "archive").rename(bench.folder / "burnt")
    found = bench.finds("archive-missing")
    assert "create the folder, empty, and run repair" in found["cure"]["text"]
    (bench.folder / "archive" / "alice").mkdir(parents=True)
    assert bench.ferry("repair", "alice").code == 0
    bench.is_well()
    holds_all_once(bench)


def test_archive_changed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    volume = volume_of(bench)
    whole = volume.read_bytes()
    cut_tail(volume, 1000)
    found = bench.finds("archive-changed", destination="mbox", says=f"{volume.name} is shorter than it was")
    with bench.as_before():
        volume.write_bytes(whole)
        bench.is_well()
        holds_all_once(bench)
    bench.runs(found)
    bench.is_well()
    bench.migrates()
    bench.is_well()
    torn = volume.read_bytes().rpartition(b"\nFrom ")[0] + b"\n"
    volume.write_bytes(torn)  # what is left of the torn message, which no reader of mail takes for a whole one
    holds_all_once(bench)


def test_archive_damaged(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    volume = volume_of(bench)
    flip_bit(volume, volume.stat().st_size // 2)
    assert bench.ferry("verify").code == 1
    found = bench.finds("archive-damaged", destination="mbox", says="1 copy in ")
    bench.runs(found)
    bench.is_well()
    bench.migrates()
    assert set(bench.site.stored()) >= set(MESSAGES)


def test_archive_read_only(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    with read_only(bench.folder / "archive"):
        bench.no_machine_can(bench.in_processes().finds("archive-read-only", destination="mbox"))
    bench.is_well()
    holds_all_once(bench)


def test_archive_inside_state(bench: Bench, server: Pop3Server) -> None:
    bench.writes(account("alice", source(server.port), mbox("state/archive")))
    bench.migrates()
    found = bench.finds("archive-inside-state", destination="state/archive")
    bench.no_machine_can(found)
    (bench.folder / "archive").mkdir()
    (bench.folder / "state" / "archive").rename(bench.folder / "archive" / "alice")
    assert bench.ferry("moved", "state/archive", "archive/alice").code == 0
    bench.writes(alice(server.port))
    bench.is_well()
    bench.migrates()
    holds_all_once(bench)


@pytest.mark.parametrize("is_ledger_there", [True, False])
def test_archive_unknown(bench: Bench, server: Pop3Server, is_ledger_there: bool) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    (bench.folder / "archive").rename(bench.folder / "kept")
    for path in bench.site.state.iterdir():
        path.unlink() if path.is_file() else None
    if is_ledger_there:
        bench.writes(alice(server.port), account("bob", source(server.port, user="bob"), mbox("archive/bob")))
        assert bench.migrate("bob").code == 0
    (bench.folder / "kept" / "alice").rename(bench.folder / "archive" / "alice") if is_ledger_there else (
        bench.folder / "kept"
    ).rename(bench.folder / "archive")
    never = ["never-run"]
    found = bench.finds("archive-unknown", destination="archive/alice", says="1 file with mail", beside=never)
    bench.runs(found)
    assert [one["id"] for one in bench.found_by("doctor")] == never
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)


def test_archive_unknown_where_a_volume_was_packed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    packed = bench.folder / "archive" / "alice" / "2019-01-001.mbox.gz"
    packed.write_bytes(b"\x1f\x8b")
    bench.no_machine_can(bench.finds("archive-unknown", destination="mbox", says=packed.name))
    packed.unlink()
    bench.is_well()


def test_not_everywhere(bench: Bench, server: Pop3Server) -> None:
    tables = [source(server.port), mbox(), maildir("maildir")]
    bench.writes(account("alice", *tables[:2]))
    bench.migrates()
    bench.writes(account("alice", *tables))
    found = bench.finds("not-everywhere", destination="maildir", says="12 messages are not in")
    bench.runs(found)
    bench.is_well()
    holds_all_once(bench)
    assert Counter(bench.site.maildir("maildir")) == Counter(MESSAGES)


def test_disk_full(bench: Bench) -> None:
    messages = [letter(number, octets=30_000) for number in range(1, 11)]
    with Pop3Server(Maildrop(messages)) as server:
        bench.site.environment["PASSWORD"] = server.password
        bench.writes(alice(server.port))
        (bench.folder / "archive").mkdir()
        with small_disk(bench.folder / "archive", 40_000_000):
            apart = bench.in_processes()
            filler = fill_disk(bench.folder / "archive", leave=100_000)
            assert apart.migrate().code == 1
            bench.no_machine_can(apart.finds("disk-full", says="are free on the disk of"))
            filler.unlink()
            apart.migrates()
            apart.is_well()
            assert Counter(bench.site.stored()) == Counter(messages)


def test_disk_low(bench: Bench, server: Pop3Server) -> None:
    bench.writes('[notify]\ndisk_free = "900000 GB"\n', alice(server.port))
    bench.migrates()
    bench.no_machine_can(bench.finds("disk-low", says="and at least 900.0 TB"))
    bench.writes('[notify]\ndisk_free = "1 kB"\n', alice(server.port))
    bench.is_well()


def test_file_system(bench: Bench, server: Pop3Server) -> None:
    bench.writes('[notify]\ndisk_free = "1 kB"\n', alice(server.port))
    (bench.folder / "archive").mkdir()
    with small_disk(bench.folder / "archive", 40_000_000):
        apart = bench.in_processes()
        apart.migrates()
        done = apart.ferry("doctor", "--json")
        [found] = [one for one in done.document["findings"] if one["id"] == "file-system"]
        assert (done.code, found["severity"], found["accounts"]) == (0, "hint", ["alice"])
        bench.no_machine_can(found)
        assert "(tmpfs)" in found["text"]


def test_state_older_by_mail_of_another_program(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    add_tail(volume_of(bench), b"From a Mon Jan  1 00:00:00 2024\nSubject: other\n\nappended\n\n")
    bench.runs(bench.finds("state-older", destination="mbox"))
    bench.is_well()
    assert len(bench.site.stored()) == len(MESSAGES) + 1
