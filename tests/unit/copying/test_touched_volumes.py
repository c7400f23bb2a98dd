"""An mbox volume that somebody touched, by a script: accepted only where nothing is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from migrator.copy_records import Finding, Found, Recollection, VolumeRecord, VolumeTouched
from migrator.copying.copier import Copier
from migrator.errors import FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.body import Body, LinesBody, Message
from migrator.model import CopyState, Locator, MboxLocator, StoredCopy
from tests.mail import simple
from tests.scripted_destination import ScriptedFolder


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger


def copier(ledger: Ledger, folder: ScriptedFolder) -> Copier:
    return Copier(folder, ledger.copies(folder.identity, folder.kind), clock=lambda: 7.0)


def copy_of(ledger: Ledger, folder: ScriptedFolder, one: Message) -> StoredCopy:
    return ledger.copies(folder.identity, folder.kind).find([one.digest])[one.digest]


ONE, TWO = (simple(number) for number in (1, 2))


@dataclass
class Volumes(ScriptedFolder):
    """An mbox archive with one volume: what recovery says of it, and what can be read at each offset."""

    kind: str = "mbox"
    findings: list[Finding] = field(default_factory=list)
    readable: dict[int, Body | FerryError] = field(default_factory=dict)

    def recover(self, recollection: Recollection) -> Iterator[Finding]:
        yield from self.findings

    def read(self, locators: Sequence[Locator]) -> Iterator[Body | FerryError]:
        for locator in locators:
            assert isinstance(locator, MboxLocator)
            yield self.readable[locator.offset]


class BreaksWhileRead(NamedTuple):
    """A body that turns out to be unreadable while it is consumed."""

    octets: int = 1

    def chunks(self) -> Iterator[bytes]:
        raise FerryError(Kind.ARCHIVE, "a bad sector")


RECORD = VolumeRecord("a.mbox", 200, b"", "stamp")
DAMAGE = LinesBody(b"damage\n")


def standing(one: Message, offset: int) -> Found:
    return Found(one.digest, one.header_digest, one.message_id, one.octets, MboxLocator("a.mbox", offset, 100, 0))


@pytest.fixture
def volumes(ledger: Ledger) -> Volumes:
    """ONE stands at 0 and TWO at 100, both of them known."""
    volumes = Volumes(readable={0: ONE.body, 100: TWO.body})
    copies = ledger.copies(volumes.identity, volumes.kind)
    copies.found([standing(ONE, 0), standing(TWO, 100)], [RECORD])
    assert copier(ledger, volumes).inspect() == []
    return volumes


@pytest.mark.parametrize("problem", ["", "it ends in half a message"])
def test_a_touched_volume_is_accepted_only_where_all_is_at_its_place_and_nothing_else_is_wrong(
    ledger: Ledger, volumes: Volumes, problem: str
) -> None:
    volumes.findings = [standing(ONE, 0), standing(TWO, 100), VolumeTouched(RECORD, problem)]
    told = copier(ledger, volumes).inspect()
    assert [error.message.partition(":")[0] for error in told] == ([problem] if problem else [])


def test_a_volume_without_one_of_its_messages_is_told_with_what_happened(ledger: Ledger, volumes: Volumes) -> None:
    volumes.findings = [standing(ONE, 0), VolumeTouched(RECORD)]
    volumes.readable[100] = DAMAGE
    [told] = copier(ledger, volumes).inspect()
    assert "a.mbox in a folder was changed by another program: 1 of its 2 messages" in told.message
    assert copy_of(ledger, volumes, TWO).state is CopyState.DAMAGED
    assert copy_of(ledger, volumes, ONE).state is CopyState.VERIFIED


def test_what_can_be_read_where_it_stood_is_not_lost_though_no_record_of_its_own(
    ledger: Ledger, volumes: Volumes
) -> None:
    volumes.findings = [standing(ONE, 0), VolumeTouched(RECORD)]
    assert copier(ledger, volumes).inspect() == []
    assert copy_of(ledger, volumes, TWO).state is CopyState.VERIFIED


@pytest.mark.parametrize("read", [DAMAGE, FerryError(Kind.ARCHIVE, "a bad sector"), BreaksWhileRead()])
def test_what_cannot_be_read_as_it_was_is_lost(ledger: Ledger, volumes: Volumes, read: Body | FerryError) -> None:
    volumes.findings = [standing(ONE, 0), VolumeTouched(RECORD)]
    volumes.readable[100] = read
    [told] = copier(ledger, volumes).inspect()
    assert "1 of its 2 messages is damaged or missing" in told.message
