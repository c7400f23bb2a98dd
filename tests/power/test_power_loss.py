"""Cut the power at every moment of a run, in every way that fsync allows, and let the next run complete the work."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import pytest

from tests.power.disk import Chance, Fate, Kept, Lost, NamesKept, Torn
from tests.power.operations import Write
from tests.power.scene import MESSAGES, Moment, Scene, is_archived

CHANCES = 3
"""How many states by chance are tried for each moment, besides those that are always tried."""

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("kind", ["mbox", "maildir"])]


def fates(place: int) -> Iterator[tuple[str, Fate]]:
    yield "lost", Lost()
    yield "kept", Kept()
    yield "names kept", NamesKept()
    yield "torn", Torn()
    for number in range(CHANCES):
        yield f"chance {number}", Chance(place * 1000 + number)


def cut_everywhere(scene: Scene) -> int:
    """Cut the power in every way at every moment; returns how many different states that left."""
    seen: set[bytes] = set()
    for moment in scene.moments():
        for name, fate in fates(moment.place):
            found = moment.disk.after_power_cut(fate)
            uids = [message.unique_id for message in moment.left]
            state = sha256(repr((sorted(found.items()), uids)).encode()).digest()
            if state not in seen:
                seen.add(state)
                scene.lay_out(found, moment.left)
                complete(scene, f"{name} after operation {moment.place}, {type(moment.operation).__name__}")
    return len(seen)


def complete(scene: Scene, where: str) -> None:
    """Resume: nothing is lost, everything is in the archive once and nothing at the source; a third run does nothing."""
    gone = set(MESSAGES) - set(scene.server.maildrop.left())
    assert all(is_archived(message, scene.found) for message in gone), f"lost: {where}"
    report = scene.rig().migrate()
    assert report.status == "ok", (where, report.problems)
    assert sorted(scene.stored()) == sorted(MESSAGES), f"lost or doubled: {where}"
    assert scene.server.maildrop.left() == [], where
    again = scene.rig().migrate()
    assert (again.status, again.copied, again.deleted) == ("ok", 0, 0), where
    assert sorted(scene.stored()) == sorted(MESSAGES), f"changed once more: {where}"


def test_a_power_cut_in_a_first_run_loses_and_doubles_nothing(scene: Scene) -> None:
    scene.record()
    assert cut_everywhere(scene) > 150


def test_a_power_cut_while_an_archive_grows_loses_and_doubles_nothing(scene: Scene) -> None:
    for message in scene.server.maildrop.stored()[2:]:
        scene.server.maildrop.remove(message)
    assert scene.rig().migrate().deleted == 2
    for content in MESSAGES[2:]:
        scene.server.maildrop.add(content)
    scene.record()
    assert cut_everywhere(scene) > 150


def test_a_power_cut_while_a_power_cut_is_recovered_from_loses_and_doubles_nothing(scene: Scene) -> None:
    scene.record()
    torn = torn_middle(scene)
    scene.lay_out(torn.disk.after_power_cut(Torn()), torn.left)
    scene.record()
    assert cut_everywhere(scene) > 150


def torn_middle(scene: Scene) -> Moment:
    """Return the moment of the second write to the archive; its disk goes no further."""
    writes = 0
    for moment in scene.moments():
        writes += isinstance(moment.operation, Write) and "/archive/" in moment.operation.path
        if writes == 2:
            return moment
    raise AssertionError("the archive was written to only once")
