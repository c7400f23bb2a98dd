"""A ledger that is damaged, cut, gone, or cannot be written: one clear line with the cure, and nothing is deleted."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from migrator.errors import FerryError
from tests.command_line import Site, alice
from tests.faults import add_tail, cut_tail, flip_bit, overwrite
from tests.mail import letter, letters
from tests.rig import Rig, deleting, keeping
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server


def magic(ledger: Path) -> None:
    flip_bit(ledger, 3)


def page_size(ledger: Path) -> None:
    flip_bit(ledger, 16, bit=1)


def first_page(ledger: Path) -> None:
    overwrite(ledger, 100, b"\xff" * 200)


def every_page_but_the_first(ledger: Path) -> None:
    overwrite(ledger, 4096, b"\xa5" * (ledger.stat().st_size - 4096))


def cut_in_half(ledger: Path) -> None:
    cut_tail(ledger, ledger.stat().st_size // 2)


def cut_inside_a_page(ledger: Path) -> None:
    cut_tail(ledger, ledger.stat().st_size - 5000)


def not_a_database(ledger: Path) -> None:
    ledger.write_text("This is a shopping list.\n" * 500)


def only_header(ledger: Path) -> None:
    cut_tail(ledger, ledger.stat().st_size - 40)


HARMS = [
    magic,
    page_size,
    first_page,
    every_page_but_the_first,
    cut_in_half,
    cut_inside_a_page,
    not_a_database,
    only_header,
]


def harmed(site: Site, server: Pop3Server, harm: Callable[[Path], None]) -> Path:
    """Return the ledger of an archive with six letters that are still at the source, after harm was done to it."""
    site.writes(alice(server.port))
    assert site.migrate().code == 0
    ledger = site.state / "ledger.sqlite3"
    assert [path.name for path in site.state.glob("ledger*")] == [ledger.name]
    harm(ledger)
    site.writes(alice(server.port, leave_on_server=False))
    return ledger


def move_away(ledger: Path) -> None:
    """Set a ledger aside by hand."""
    for path in ledger.parent.glob(f"{ledger.name}*"):
        path.rename(path.with_name(f"kept-{path.name}"))


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_ledger_is_one_clear_line_and_the_cure_it_names_rebuilds_it(
    server: Pop3Server, site: Site, harm: Callable[[Path], None]
) -> None:
    ledger = harmed(site, server, harm)
    for command in (["migrate"], ["migrate", "--dry-run"], ["status"], ["verify"]):
        done = site.call(*command)
        said = done.out + done.err
        assert done.code == 1, (command, said)
        assert str(ledger) in said, (command, said)
        assert "Traceback" not in said, (command, said)
        assert "rebuild-ledger" in said, (command, said)
    assert (server.counts()["DELE"], server.maildrop.left()) == (0, letters(6))
    assert site.stored() == letters(6)

    rebuilt = site.call("rebuild-ledger")
    assert rebuilt.code == 0, rebuilt
    assert list(site.state.glob("ledger.sqlite3.damaged-*"))
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 0, 6)
    assert site.stored() == letters(6)
    assert server.maildrop.left() == []


def test_an_empty_ledger_file_is_as_good_as_none(server: Pop3Server, site: Site) -> None:
    harmed(site, server, lambda ledger: cut_tail(ledger, ledger.stat().st_size))
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 0, 6)
    assert site.stored() == letters(6)


def test_a_log_that_belongs_to_no_ledger_is_no_harm(server: Pop3Server, site: Site) -> None:
    ledger = harmed(site, server, lambda _ledger: None)
    add_tail(ledger.with_name(f"{ledger.name}-wal"), b"\x37\x7f\x06\x82" * 3000)
    done = site.migrate()
    assert (done.code, done.report["deleted"]) == (0, 6)
    assert site.stored() == letters(6)


@pytest.mark.slow
def test_no_bit_of_the_ledger_can_make_mail_be_lost(tmp_path: Path) -> None:
    """Wherever it flips, found or not: what is deleted at the source is in the archive, and the archive stays whole."""
    messages = letters(4)
    chance = Random(1)
    with Pop3Server(Maildrop(), auth=["PLAIN"]) as server:
        healthy = tmp_path / "healthy"
        rig = Rig(tmp_path / "rig", server)
        fill(server, messages)
        assert keeping(rig).migrate().status == "ok"
        shutil.copytree(rig.folder, healthy)
        size = (rig.state / "ledger.sqlite3").stat().st_size
        for number in range(150):
            shutil.rmtree(rig.folder)
            shutil.copytree(healthy, rig.folder)
            fill(server, [*messages, letter(9)])
            offset = number if number < 100 else chance.randrange(size)
            flip_bit(rig.state / "ledger.sqlite3", offset, chance.randrange(8))
            with suppress(FerryError):  # which says that it is damaged, above; anything else is not ours
                deleting(rig).migrate()
            gone = set(messages) - set(server.maildrop.left())
            assert gone <= set(rig.stored()), f"lost at byte {offset}"
            assert rig.stored()[:4] == messages, f"the archive was harmed at byte {offset}"
            move_away(rig.state / "ledger.sqlite3")
            assert deleting(rig).migrate().status == "ok", offset
            assert set(rig.stored()) == {*messages, letter(9)}, offset


def fill(server: Pop3Server, messages: list[bytes]) -> None:
    server.maildrop = Maildrop(messages)


def test_a_ledger_of_a_newer_program_is_left_as_it_is(server: Pop3Server, site: Site) -> None:
    def newer(ledger: Path) -> None:
        with sqlite3.connect(ledger) as sql:
            sql.execute("pragma user_version = 99")
        sql.close()

    ledger = harmed(site, server, newer)
    before = ledger.read_bytes()
    for command in (["migrate"], ["migrate", "--dry-run"], ["status"], ["verify"]):
        done = site.call(*command)
        assert (done.code, "newer mailferry" in done.out + done.err) == (1, True), (command, done)
    assert ledger.read_bytes() == before
    assert server.counts()["DELE"] == 0
