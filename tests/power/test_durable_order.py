"""The promises of docs/architecture.md, "What is durable when", held against what a run asked of the kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.power.operations import Operation, Send, Step, Sync, Write
from tests.power.scene import Moment, Scene
from tests.power.test_power_loss import cut_everywhere

pytestmark = pytest.mark.parametrize("kind", ["mbox", "maildir"])


def unsynced(scene: Scene, moment: Moment) -> list[str]:
    """Return what a power cut could take away, but for what may go: locks, indexes of the log, and the spool."""
    passing = ("-shm", ".lock", "/locks", "/spool")
    at_risk = moment.disk.unsynced(scene.live)
    return [path for path in at_risk if not path.endswith(passing) and "/spool/" not in path]


def moments_of(scene: Scene, is_it: Callable[[Operation], bool]) -> list[list[str]]:
    """Record a run; return what was not synced at each operation of a kind."""
    scene.record()
    found = [unsynced(scene, moment) for moment in scene.moments() if is_it(moment.operation)]
    assert found
    return found


def says(verb: bytes) -> Callable[[Operation], bool]:
    return lambda operation: isinstance(operation, Send) and verb in operation.data


def names(step: str) -> Callable[[Operation], bool]:
    return lambda operation: operation == Step(step)


@pytest.mark.parametrize("verb", [b"DELE ", b"QUIT"])
def test_nothing_is_left_to_sync_when_the_source_is_told_to_delete(scene: Scene, verb: bytes) -> None:
    assert not any(moments_of(scene, says(verb)))


def test_the_wish_to_delete_is_durable_before_the_first_dele(scene: Scene) -> None:
    scene.record()
    told = [one for one in scene.operations if isinstance(one, Step | Send)]
    first = next(place for place, one in enumerate(told) if says(b"DELE ")(one))
    assert Step("deletion.requested") in told[:first]
    assert not any(says(b"DELE ")(one) for one in told[: told.index(Step("deletion.requested"))])


@pytest.mark.parametrize("step", ["copies.intended", "copies.stored", "copies.judged", "messages.copied"])
def test_when_a_fact_is_told_to_the_ledger_it_is_durable_with_all_it_rests_on(scene: Scene, step: str) -> None:
    assert not any(moments_of(scene, names(step)))


def test_an_archive_is_synced_before_the_ledger_hears_of_it(scene: Scene) -> None:
    """Not even for a moment does the ledger's log hold, durably, what the archive does not."""
    scene.record()
    archive = f"{scene.live}/archive"
    is_storing = False
    for moment in scene.moments():
        if moment.operation == Step("copies.written"):
            is_storing = True
        if moment.operation == Step("copies.stored"):
            is_storing = False
        if is_storing and isinstance(moment.operation, Write | Sync) and "/ledger.sqlite3" in moment.operation.path:
            assert not [path for path in unsynced(scene, moment) if path.startswith(archive)]
    assert Step("copies.written") in scene.operations


def test_a_program_that_forgot_to_sync_its_archive_would_be_caught(scene: Scene) -> None:
    scene.record()
    scene.operations = [one for one in scene.operations if not (isinstance(one, Sync) and "/archive" in one.path)]
    with pytest.raises(AssertionError, match="lost"):
        cut_everywhere(scene)
