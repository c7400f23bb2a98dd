"""What became of the copies in a volume that somebody touched."""

from __future__ import annotations

from hashlib import sha256

from migrator.copy_records import Found
from migrator.ledger.volume_comparison import KnownRecord, compared
from migrator.model import CopyState, Digest, HeaderDigest, MboxLocator


def place(offset: int, *, length: int = 100, frame: int = 7) -> MboxLocator:
    return MboxLocator("1.mbox", offset, length, frame)


def digest(text: str) -> Digest:
    return Digest(sha256(text.encode()).digest())


def known(name: str, at: MboxLocator, *, state: CopyState = CopyState.VERIFIED) -> KnownRecord:
    header = HeaderDigest(digest(f"header of {name}"))
    return KnownRecord(hash(name), digest(name), header, f"<{name}@x>".encode(), state, at)


def found(name: str, at: MboxLocator, *, header: str = "", message_id: str | None = None) -> Found:
    identity = f"<{name}@x>" if message_id is None else message_id
    return Found(digest(name), HeaderDigest(digest(f"header of {header or name}")), identity.encode(), 90, at)


def test_copies_at_their_places_are_as_known_and_whatever_else_stands_there_is_a_stranger() -> None:
    theirs = found("theirs", place(200, length=50, frame=1))
    outcome = compared(
        [known("a", place(0)), known("b", place(100))], [found("a", place(0)), found("b", place(100)), theirs]
    )
    assert outcome.is_as_known
    assert outcome == ([], [], [], [theirs])


def test_a_copy_that_stands_elsewhere_has_moved_and_one_that_stands_nowhere_is_lost() -> None:
    one, two = known("a", place(0)), known("b", place(100))
    outcome = compared([one, two], [found("b", place(0))])
    assert not outcome.is_as_known
    assert outcome == ([found("b", place(0))], [], [one], [])


def test_of_two_equal_records_the_one_at_the_known_place_counts() -> None:
    outcome = compared([known("a", place(100))], [found("a", place(0)), found("a", place(100)), found("a", place(200))])
    assert outcome == ([], [], [], [])


def test_a_damaged_copy_that_is_whole_again_is_healed() -> None:
    outcome = compared([known("a", place(0), state=CopyState.DAMAGED)], [found("a", place(0))])
    assert outcome.is_as_known
    assert outcome == ([], [found("a", place(0))], [], [])


def test_a_from_line_that_was_damaged_gives_the_copy_another_place() -> None:
    outcome = compared([known("a", place(0))], [found("a", place(0, frame=8))])
    assert outcome.moved == [found("a", place(0, frame=8))]


def test_what_is_left_of_a_damaged_message_is_no_new_message() -> None:
    lost = known("a", place(0, length=100, frame=7))
    remains = [
        found("flipped in its body", place(0, length=101, frame=9), header="a", message_id=""),
        found("flipped in its header", place(0, length=100, frame=7), message_id=""),
        found("with a Status header", place(0, length=112, frame=9), message_id="<a@x>"),
    ]
    for one in remains:
        assert compared([lost], [one]) == ([], [], [lost], [])


def test_a_message_without_message_id_is_not_taken_for_what_is_left_of_another() -> None:
    lost = known("a", place(0))._replace(message_id=b"")
    theirs = found("theirs", place(0, length=50, frame=1), message_id="")
    assert compared([lost], [theirs]).strangers == [theirs]


def test_one_lost_copy_explains_one_record_and_no_other_of_the_same_frame_and_length() -> None:
    lost = known("a", place(0))
    remains, theirs = found("flipped", place(0), message_id=""), found("theirs", place(100))
    assert compared([lost], [remains, theirs]).strangers == [theirs]
    again = found("a again, altered", place(300, length=80), header="a", message_id="<a@x>")
    assert compared([lost], [remains, again]).strangers == [again]


def test_what_others_appended_where_a_lost_copy_stood_is_a_stranger() -> None:
    theirs = found("theirs", place(0, length=50, frame=1))
    assert compared([known("a", place(0))], [theirs]).strangers == [theirs]
