"""A server's word for where a copy stands is taken only where it can be true."""

from __future__ import annotations

import pytest

from migrator.errors import FerryError, Kind
from migrator.imap.placing import BatchPlaces
from migrator.imap.replies import StatusReply, parse_status
from migrator.model import ImapLocator

FULL = FerryError(Kind.QUOTA, "full")


def reply(words: str) -> StatusReply:
    parsed = parse_status(b"a1 " + words.encode())
    assert parsed is not None
    return parsed


def test_the_uids_of_an_appenduid_are_taken_in_order() -> None:
    places = BatchPlaces(ImapLocator(7, 40))
    places.take(reply("OK [APPENDUID 7 41:42] done"), [3, 5])
    assert places.outcomes == {3: ImapLocator(7, 41), 5: ImapLocator(7, 42)}
    assert places.has_success
    assert not places.is_free(41)


@pytest.mark.parametrize(
    "words",
    [
        "OK done",
        "OK [APPENDUID 8 41] another folder",
        "OK [APPENDUID 7 39] below what came next",
        "OK [APPENDUID 41 7] swapped",
        "OK [APPENDUID 7 41:42] one too many",
        "OK [APPENDUID 7 40] given to another message",
    ],
)
def test_numbers_that_cannot_be_leave_the_copy_to_be_looked_for(words: str) -> None:
    places = BatchPlaces(ImapLocator(7, 40))
    places.stand(0, 40)
    places.take(reply(words), [1])
    assert places.unlocated == [1]
    assert 1 not in places.outcomes


def test_in_a_folder_that_was_made_again_every_place_is_free() -> None:
    places = BatchPlaces(ImapLocator(7, 40))
    places.stand(0, 41)
    places.folder_is(7)
    assert not places.is_free(41)
    places.folder_is(8)
    assert places.is_free(41)
    assert places.anchor == ImapLocator(8, 1)
    assert places.outcomes == {0: ImapLocator(7, 41)}


def test_what_is_known_to_be_stored_is_not_refused_afterwards() -> None:
    places = BatchPlaces(ImapLocator(7, 40))
    places.stand(0, 40)
    places.refuse(range(2), FULL)
    assert places.outcomes == {0: ImapLocator(7, 40), 1: FULL}
