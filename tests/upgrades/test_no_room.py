"""A disk that is too full for the copy of the ledger, or for its upgrade, leaves the ledger as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.ledger.sqlite.connection import VERSION
from tests.command_line import Site
from tests.faults import fill_disk, small_disk
from tests.upgrades.dying import dump
from tests.upgrades.then import unpack

LEDGER = Path("state") / "ledger.sqlite3"


@pytest.mark.parametrize("leave", [40_000, 150_000, 200_000])
def test_an_upgrade_without_room_changes_nothing_and_is_done_once_there_is(tmp_path: Path, leave: int) -> None:
    site = Site(tmp_path / "site", {"PASSWORD": "open-sesame"})
    site.folder.mkdir()
    with small_disk(site.folder, 2_000_000):
        unpack(3, site.folder)
        before = dump(site.folder / LEDGER)
        filler = fill_disk(site.folder, leave=leave)
        refused = site.call("verify")
        assert refused.code == 1
        assert "room" in refused.err
        assert dump(site.folder / LEDGER) == before
        assert [path for path in (site.folder / "state").glob(".*before*") if path.is_file()] == []
        filler.unlink()
        assert site.call("verify").code == 0
        [kept] = (site.folder / "state").glob("*before*")
        assert (kept.name, dump(kept)) == (f"ledger-before-version-{VERSION}.sqlite3", before)
