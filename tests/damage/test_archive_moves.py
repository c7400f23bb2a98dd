"""Archives that are moved, away, put back old or changed, through the command line: nothing twice, nothing lost."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from migrator.ledger import Ledger
from migrator.model import mailbox_identity
from tests.command_line import Site, account, maildir, mbox, source
from tests.faults import flip_bit
from tests.mail import letter, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

KINDS = {"mbox": mbox, "maildir": maildir}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def writes(site: Site, server: Pop3Server, kind: str, path: str = "archive/alice") -> None:
    site.writes(account("alice", source(server.port), KINDS[kind](path)))


def stored(site: Site, kind: str, path: str = "archive/alice") -> list[bytes]:
    return sorted(site.stored(path)) if kind == "mbox" else site.maildir(path)


def retrieved(server: Pop3Server) -> int:
    return server.counts()["RETR"]


def more(server: Pop3Server, *numbers: int) -> None:
    for number in numbers:
        server.maildrop.add(letter(number))


def is_well(site: Site, kind: str, count: int, path: str = "archive/alice") -> None:
    """Nothing is left to do, nothing stands there twice, and every copy is proven."""
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["known"]) == (0, 0, count), done
    assert stored(site, kind, path) == sorted(letters(count))
    verified = site.call("verify", "--json")
    assert (verified.code, verified.document["ok"]) == (0, count), verified


# --------------------------------------------------------------------------------------------------- moved


@pytest.mark.parametrize("command", ["migrate", "status", "verify"])
def test_an_archive_that_was_moved_is_known_by_what_stands_in_it(
    server: Pop3Server, site: Site, kind: str, command: str
) -> None:
    writes(site, server, kind)
    assert site.migrate().code == 0
    before = retrieved(server)
    (site.folder / "archive").rename(site.folder / "elsewhere")
    writes(site, server, kind, "elsewhere/alice")
    done = site.call(command, "--json")
    assert done.code == 0, done
    if command == "status":
        assert done.document["accounts"][0]["archived"][0]["messages"] == 6
    if command == "verify":
        assert done.document["ok"] == 6
    is_well(site, kind, 6, "elsewhere/alice")
    assert retrieved(server) == before
    assert not (site.folder / "archive").exists()


def test_an_archive_that_was_copied_to_another_disk_is_read_once_and_known(
    server: Pop3Server, site: Site, kind: str
) -> None:
    writes(site, server, kind)
    assert site.migrate().code == 0
    before = retrieved(server)
    shutil.copytree(site.folder / "archive", site.folder / "elsewhere")
    shutil.rmtree(site.folder / "archive")
    writes(site, server, kind, "elsewhere/alice")
    is_well(site, kind, 6, "elsewhere/alice")
    assert retrieved(server) == before


@pytest.mark.parametrize("is_edited_first", [False, True])
@pytest.mark.parametrize("runs_in_between", [False, True])
def test_moved_and_the_edit_of_the_configuration_go_in_any_order(
    server: Pop3Server, site: Site, kind: str, is_edited_first: bool, runs_in_between: bool
) -> None:
    writes(site, server, kind)
    assert site.migrate().code == 0
    before = retrieved(server)
    (site.folder / "archive").rename(site.folder / "elsewhere")
    if is_edited_first:
        writes(site, server, kind, "elsewhere/alice")
        if runs_in_between:
            assert site.migrate().code == 0
    done = site.call("moved", "archive/alice", "elsewhere/alice", "--json")
    assert done.code == 0, done
    to_edit = done.document["to_edit"]
    if is_edited_first:
        assert to_edit == []
    else:
        [line] = to_edit
        assert line.endswith('path = "archive/alice"')
        if runs_in_between:
            between = site.migrate()
            assert (between.code, between.report["errors"][0]["kind"]) == (1, "archive")
            assert not (site.folder / "archive").exists()
        writes(site, server, kind, "elsewhere/alice")
    is_well(site, kind, 6, "elsewhere/alice")
    assert retrieved(server) == before


def test_moved_says_what_it_does_not_know(server: Pop3Server, site: Site) -> None:
    writes(site, server, "mbox")
    assert site.migrate().code == 0
    archive = site.folder / "archive/alice"
    for old, new in (
        ("nowhere", "elsewhere"),
        ("archive/alice", "archive/alice"),
        ("archive/alice", "imaps://a@h/INBOX"),
        ("mbox:archive/alice", "maildir:elsewhere"),
        ("imaps://a@h/INBOX", "imaps://a@other/INBOX"),
        ("imaps://a:secret@h/INBOX", "imaps://a@other/INBOX"),
    ):
        done = site.call("moved", old, new)
        assert done.code == 2, (old, new, done)
        assert "secret" not in done.out + done.err
    assert f"the ledger knows: mbox:{archive.resolve()}" in site.call("moved", "nowhere", "elsewhere").err
    is_well(site, "mbox", 6)


def test_a_new_archive_beside_one_that_is_away_is_not_taken_for_it(server: Pop3Server, site: Site) -> None:
    writes(site, server, "mbox")
    assert site.migrate().code == 0
    (site.folder / "archive").rename(site.folder / "unmounted")
    writes(site, server, "mbox", "elsewhere")
    assert site.migrate().report["copied"] == 6
    (site.folder / "unmounted").rename(site.folder / "archive")
    writes(site, server, "mbox")
    is_well(site, "mbox", 6)


# ---------------------------------------------------------------------------------------- away and put back


@pytest.mark.parametrize("is_mount_point_there", [False, True])
def test_an_archive_that_was_away_for_some_runs_is_well_when_it_is_back(
    server: Pop3Server, site: Site, kind: str, is_mount_point_there: bool
) -> None:
    writes(site, server, kind)
    assert site.migrate().code == 0
    archive = site.folder / "archive/alice"
    archive.rename(site.folder / "unmounted")
    if is_mount_point_there:
        archive.mkdir()
    server.maildrop.add(letter(7))
    for command in ("migrate", "verify", "migrate"):
        done = site.call(command, "--json")
        assert done.code == 1
        assert "is its disk mounted" in done.out
    assert not archive.exists() or list(archive.iterdir()) == []
    shutil.rmtree(archive, ignore_errors=True)
    (site.folder / "unmounted").rename(archive)
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["errors"]) == (0, 1, [])
    is_well(site, kind, 7)


@pytest.mark.parametrize("cure", ["migrate", "rebuild-ledger", "repair"])
def test_with_a_state_folder_that_was_put_back_old_nothing_is_stored_twice(site: Site, kind: str, cure: str) -> None:
    with Pop3Server(Maildrop(letters(3))) as server:
        writes(site, server, kind)
        assert site.migrate().code == 0
        shutil.copytree(site.state, site.folder / "backup")
        more(server, 4, 5)
        assert site.migrate().code == 0
        shutil.rmtree(site.state)
        (site.folder / "backup").rename(site.state)
        assert site.call(cure).code == 0
        assert site.migrate().code == 0
        is_well(site, kind, 5)


def test_an_mbox_that_was_put_back_old_is_an_error_until_repair_has_stored_what_it_lacks(site: Site) -> None:
    with Pop3Server(Maildrop(letters(3))) as server:
        writes(site, server, "mbox")
        assert site.migrate().code == 0
        shutil.copytree(site.folder / "archive", site.folder / "backup")
        more(server, 4, 5)
        assert site.migrate().code == 0
        shutil.rmtree(site.folder / "archive")
        (site.folder / "backup").rename(site.folder / "archive")
        for _ in range(2):
            done = site.migrate()
            assert done.code == 1
            assert "2 of its 5 messages are damaged or missing" in done.out
        assert site.call("repair").code == 0
        is_well(site, "mbox", 5)


def test_an_early_flipped_byte_and_an_older_ledger_double_nothing(site: Site) -> None:
    with Pop3Server(Maildrop(letters(3))) as server:
        writes(site, server, "mbox")
        assert site.migrate().code == 0
        shutil.copytree(site.state, site.folder / "backup")
        more(server, 4, 5)
        assert site.migrate().code == 0
        shutil.rmtree(site.state)
        (site.folder / "backup").rename(site.state)
        [volume] = (site.folder / "archive/alice").glob("*.mbox")
        flip_bit(volume, volume.read_bytes().index(b"word 1"))
        assert site.migrate().code == 1
        assert Counter(site.stored()) & Counter(letters(5)) == Counter(letters(5)[1:])
        assert site.call("repair").code == 0
        assert site.migrate().code == 0
        good = Counter(site.stored()) & Counter(letters(5) * 2)
        assert good == Counter(letters(5))


@pytest.mark.parametrize("command", ["rebuild-ledger", "repair"])
def test_a_volume_that_is_away_is_not_forgotten_and_nothing_doubles_when_it_is_back(
    server: Pop3Server, site: Site, command: str
) -> None:
    site.writes(account("alice", source(server.port), mbox() + "volume_size = 1000\n", maildir("second")))
    for _ in range(3):
        assert site.migrate().code == 0
        server.maildrop.add(letter(len(server.maildrop.left()) + 1, octets=2_300))
    volume = min((site.folder / "archive/alice").glob("*.mbox"))
    inside = len(site.stored())
    volume.rename(site.folder / "away")
    assert site.call("verify").code == 1
    if command == "rebuild-ledger":
        assert site.call(command).code == 1
        assert site.call("verify").code == 1, "what is away was called well"
    (site.folder / "away").rename(volume)
    assert site.call("repair").code == 0
    assert len(site.stored()) == inside
    assert site.call("verify").code == 0
    assert site.migrate().code == 0
    assert max(Counter(site.stored()).values()) == 1


def test_a_rebuilt_ledger_does_not_take_a_flipped_bit_for_a_new_message(server: Pop3Server, site: Site) -> None:
    site.writes(account("alice", source(server.port), mbox(), maildir("second")))
    assert site.migrate().code == 0
    [volume] = (site.folder / "archive/alice").glob("*.mbox")
    flip_bit(volume, volume.read_bytes().index(b"word 3"))
    assert site.call("rebuild-ledger").code == 1
    assert site.migrate().code == 1
    assert site.call("repair").code == 0
    assert site.migrate().code == 0
    assert site.maildir("second") == sorted(letters(6))


def test_names_that_mbsync_gives_neither_damage_nor_double_a_maildir(server: Pop3Server, site: Site) -> None:
    writes(site, server, "maildir")
    assert site.migrate().code == 0
    folder = site.folder / "archive/alice"
    for number, file in enumerate(sorted((folder / "new").iterdir()), 1):
        file.rename(folder / "cur" / f"{file.name},U={number}:2,S")
    for command in ("verify", "repair", "migrate"):
        assert site.call(command).code == 0
    is_well(site, "maildir", 6)


def test_two_machines_with_a_copied_state_folder_double_nothing(site: Site, kind: str) -> None:
    with Pop3Server(Maildrop(letters(2))) as server:
        writes(site, server, kind)
        assert site.migrate().code == 0
        other = Site(site.folder / "other machine", site.environment)
        shutil.copytree(site.state, other.state)
        (other.folder / "archive").symlink_to(site.folder / "archive")
        writes(other, server, kind)
        for number in range(3, 7):
            server.maildrop.add(letter(number))
            assert (site if number % 2 else other).migrate().code == 0
        for machine in (site, other):
            assert machine.migrate().report["copied"] == 0
            is_well(machine, kind, 6)


def test_a_maildir_of_which_much_is_missing_waits_for_a_person(server: Pop3Server, site: Site) -> None:
    more(server, *range(7, 13))
    writes(site, server, "maildir")
    assert site.migrate().code == 0
    aside = site.folder / "aside"
    aside.mkdir()
    for file in list((site.folder / "archive/alice/new").iterdir())[:11]:
        os.rename(file, aside / file.name)  # noqa: PTH104
    for command in ("migrate", "verify"):
        done = site.call(command, "--json")
        assert done.code == 1
        assert "was emptied: 11 of the 12 messages" in done.out
    for file in list(aside.iterdir()):
        Path(file).rename(site.folder / "archive/alice/cur" / f"{file.name}:2,S")
    is_well(site, "maildir", 12)


@pytest.mark.parametrize(
    ("old", "new", "known", "expected"),
    [
        ("imaps://a@old.example/Mail", "imap://a@new.example:143/Mail", ["a"], ["imap:a@new.example/Mail"]),
        ("imaps://OLD.example/Mail", "imaps://new.example/Mail", ["a", "b"], ["imap:a@new.example/Mail", "imap:b@new.example/Mail"]),
        ("imaps://a@old.example/Mail", "imaps://a%40x@old.example/Mail/", ["a"], ["imap:a@x@old.example/Mail"]),
    ],
)  # fmt: skip
def test_the_place_of_a_mailbox_is_known_under_its_new_spelling(
    site: Site, old: str, new: str, known: list[str], expected: list[str]
) -> None:
    with closing(Ledger.open(site.state)) as ledger:
        for user in known:
            ledger.copies(mailbox_identity(user, "old.example", "Mail"), "imap")
    done = site.call("moved", old, new, "--state-dir", site.state, "--json")
    assert (done.code, [row["new"] for row in done.document["moved"]]) == (0, expected), done
    with closing(Ledger.open(site.state)) as ledger:
        assert list(ledger.moves.known()) == expected
