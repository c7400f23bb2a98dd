from __future__ import annotations

import io
import re
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from migrator.errors import FerryError, Kind
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.pop3.columns import ENDLESS_LINE, MAX_LINE, OddLines, Text
from migrator.pop3.listing import Listing, Marked, entries_allowed
from migrator.pop3.protocol import OutOfStepError, Verb
from migrator.pop3.replies import Stat
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.transport import Saying
from tests.unit.pop3.scripted import CAPA, Maildrop, opened, sample

MAIL = [sample(number) for number in range(1, 4)]


def listing_of(sizes: bytes, unique_ids: bytes | None, stat: Stat | None = None) -> Listing:
    says: dict[str, list[Saying]] = {"LIST": [b"+OK\r\n" + sizes + b".\r\n"]}
    says["UIDL"] = [b"-ERR no\r\n" if unique_ids is None else b"+OK\r\n" + unique_ids + b".\r\n"]
    if stat:
        says["STAT"] = [b"+OK %d %d\r\n" % (stat.count, stat.octets)]
    return opened(Maildrop(MAIL, says=says)).session.listing()


def entries(listing: Listing) -> list[tuple[int, bytes, int]]:
    return [(message.number, message.unique_id, message.octets) for message in listing]


@pytest.mark.parametrize("profile", [ServerProfile(), ServerProfile(lock_step=True)])
@pytest.mark.parametrize("slice_size", [3, 1 << 20])
def test_a_listing_joins_list_and_uidl(profile: ServerProfile, slice_size: int) -> None:
    one = opened(Maildrop(MAIL), profile, slice_size=slice_size)
    listing = one.session.listing()
    assert list(listing) == [
        ListedMessage(MessageNumber(number), UniqueId(b"uid-%d" % number), len(message))
        for number, message in enumerate(MAIL, 1)
    ]
    assert (listing.count, listing.octets) == (3, sum(map(len, MAIL)))
    assert listing.has_unique_ids


def test_all_three_are_asked_at_once_where_that_is_allowed() -> None:
    one = opened(Maildrop(MAIL))
    one.session.listing()
    assert one.heard[-3:] == [b"STAT\r\n", b"LIST\r\n", b"UIDL\r\n"]


@pytest.mark.parametrize(
    ("line", "unique_id"),
    [
        (b"1 abc", b"abc"),
        (b"1   abc", b"abc"),
        (b"1\tabc", b"abc"),
        (b"\t1 \t a\tb", b"a\tb"),
        (b"  1 abc", b"abc"),
        (b"1 a b  c", b"a b  c"),
        (b"1 \xff\xfe", b"\xff\xfe"),
        (b"1 ", b""),
        (b"1", b""),
        (b"1 " + b"x" * 2048, b"x" * 2048),
        (b"1 1", b"1"),
        (b"1 ..", b".."),
    ],
)
def test_unique_ids_are_kept_byte_for_byte(line: bytes, unique_id: bytes) -> None:
    assert entries(listing_of(b"1 100\r\n", line + b"\r\n", Stat(1, 100))) == [(1, unique_id, 100)]


def test_a_server_that_refuses_uidl_has_no_unique_ids() -> None:
    listing = listing_of(b"1 10\r\n2 20\r\n", None)
    assert not listing.has_unique_ids
    assert entries(listing) == [(1, b"", 10), (2, b"", 20)]


def test_what_only_one_of_the_two_names_is_tolerated() -> None:
    listing = listing_of(b"1 10\r\n3 30\r\n4 40\r\n", b"1 a\r\n2 b\r\n3 c\r\n9 x\r\n")
    assert entries(listing) == [(1, b"a", 10), (3, b"c", 30), (4, b"", 40)]


def test_any_order_of_lines_gives_the_order_of_numbers() -> None:
    listing = listing_of(b"3 30\r\n1 10\r\n2 20 extra\r\n", b"2 b\r\n3 c\r\n1 a\r\n")
    expected = [(1, b"a", 10), (2, b"b", 20), (3, b"c", 30)]
    assert entries(listing) == expected
    assert entries(listing) == expected


def test_several_readers_do_not_disturb_each_other() -> None:
    listing = listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\n2 b\r\n")
    assert [(one.number, other.number) for one in listing for other in listing] == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    "sizes", [b"1\r\n2 20\r\n", b"1 \t\r\n2 20\r\n", b"1 ten\r\n2 20\r\n", b"1 " + b"9" * 20 + b"\r\n2 20\r\n"]
)
def test_a_size_that_cannot_be_read_is_announced_as_none(sizes: bytes) -> None:
    listing = listing_of(sizes, b"1 a\r\n2 b\r\n")
    assert entries(listing) == [(1, b"a", 0), (2, b"b", 20)]
    assert (listing.count, listing.doubt) == (2, None)


def test_a_single_message_without_a_size_is_a_message() -> None:
    assert entries(listing_of(b"1\r\n", b"1 a\r\n")) == [(1, b"a", 0)]


@pytest.mark.parametrize(
    "sizes", [b"\r\n1 10\r\n2 20\r\n", b"1 10\r\n\r\n \t\r\n2 20\r\n\r\n", b"1\t10\r\n\t2 \t20\textra\r\n"]
)
def test_blank_lines_are_no_messages_and_tabs_are_spaces(sizes: bytes) -> None:
    listing = listing_of(sizes, b"\r\n1 a\r\n\r\n2\tb\r\n")
    assert entries(listing) == [(1, b"a", 10), (2, b"b", 20)]
    assert (listing.count, listing.doubt) == (2, None)


@pytest.mark.parametrize(("sizes", "octets"), [(b"1 10\r\n2 20\r\n1 10\r\n", 10), (b"1 10\r\n1 11\r\n2 20\r\n", 0)])
def test_a_number_that_list_names_twice_is_one_message_of_a_size_on_which_both_agree(sizes: bytes, octets: int) -> None:
    listing = listing_of(sizes, b"1 a\r\n2 b\r\n")
    assert entries(listing) == [(1, b"a", octets), (2, b"b", 20)]
    assert listing.count == 2


def test_a_message_with_two_unique_ids_has_none() -> None:
    assert entries(listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\n2 b\r\n2 c\r\n")) == [(1, b"a", 10), (2, b"", 20)]


def test_a_line_of_uidl_without_a_number_costs_a_unique_id_and_no_more() -> None:
    listing = listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\nb\r\n")
    assert entries(listing) == [(1, b"a", 10), (2, b"", 20)]
    assert listing.doubt is None


@pytest.mark.parametrize("line", [b"x 20", b"-2 20", b"0 20", b"999999 20", b"9999999999999999 20", b"2-20"])
def test_a_line_of_list_without_a_possible_number_is_named_and_stops_no_other(line: bytes) -> None:
    listing = listing_of(b"1 10\r\n" + line + b"\r\n3 30\r\n", b"1 a\r\n3 c\r\n")
    assert entries(listing) == [(1, b"a", 10), (3, b"c", 30)]
    assert listing.count == 2
    assert listing.doubt is not None
    assert (listing.doubt.kind, listing.doubt.server_words) == (Kind.PROTOCOL, line.decode())


@pytest.mark.parametrize(
    ("sizes", "unique_ids"),
    [
        (b"0 10\r\n", b""),
        (b"x 10\r\n", b""),
        (b"999999 10\r\n", b""),
        (b"1 uid-1\r\n2 uid-2\r\n3 30\r\n", b""),  # UIDL's lines, taken for LIST's
        (b"1 10\r\n2 20\r\n", b"1 a\r\nReceived: from\r\n by\r\n"),
    ],
)
def test_a_listing_of_which_little_makes_sense_is_a_protocol_error(sizes: bytes, unique_ids: bytes) -> None:
    with pytest.raises(OutOfStepError):
        list(listing_of(sizes, unique_ids))


@pytest.mark.parametrize(
    ("now", "marked", "shown"),
    [
        (b"3 30\r\n", {1, 2}, Marked.GONE),
        (b"3 30\r\n4 40\r\n", {1, 2}, Marked.GONE),
        (b"", {1, 2, 3}, Marked.GONE),
        (b"1 0\r\n2 20\r\n3 30\r\n4 40\r\n", {1, 2}, Marked.SHOWN),
        (b"2 20\r\n3 30\r\n", {1, 2}, None),
        (b"4 40\r\n", {1, 2}, None),
    ],
)
def test_a_later_listing_shows_what_is_marked_or_does_not(now: bytes, marked: set[int], shown: Marked | None) -> None:
    before = listing_of(b"1 10\r\n2 20\r\n3 30\r\n", None)
    later, numbers = listing_of(now, None), {MessageNumber(number) for number in marked}
    if shown is None:
        with pytest.raises(OutOfStepError):
            before.shows(later, numbers)
    else:
        assert before.shows(later, numbers) is shown


@pytest.mark.parametrize("slice_size", [1, 3, 1 << 20])
def test_an_empty_maildrop_has_an_empty_listing(slice_size: int) -> None:
    assert list(opened(Maildrop([]), slice_size=slice_size).session.listing()) == []


def test_an_empty_maildrop_may_be_refused_a_listing() -> None:
    says: dict[str, list[Saying]] = {"LIST": [b"-ERR no messages\r\n"], "UIDL": [b"-ERR no messages\r\n"]}
    assert list(opened(Maildrop([], says=says)).session.listing()) == []
    with pytest.raises(FerryError) as caught:
        opened(Maildrop(MAIL, says=says)).session.listing()
    assert caught.value.kind is Kind.REFUSED


def test_more_than_stat_announced_is_accepted_within_reason() -> None:
    lines = b"".join(b"%d 1\r\n" % number for number in range(1, 5001))
    assert listing_of(lines, None, Stat(3, 300)).count == 5000


@pytest.mark.parametrize("verb", ["LIST", "UIDL"])
@pytest.mark.parametrize("slice_size", [5000, 1 << 20])
def test_a_listing_never_grows_without_end(verb: str, slice_size: int) -> None:
    endless = b"+OK\r\n" + b"".join(b"%d 1\r\n" % number for number in range(1, 20_000))
    one = opened(Maildrop(MAIL, says={verb: [endless]}), slice_size=slice_size)
    with pytest.raises(FerryError, match="far more") as caught:
        one.session.listing()
    assert caught.value.kind is Kind.PROTOCOL
    assert one.is_closed


@pytest.mark.parametrize("slice_size", [100, 5000, 1 << 20])
@pytest.mark.parametrize("before", [b"", b"1 10\r\n" * 2000])
def test_a_line_never_grows_without_end(slice_size: int, before: bytes) -> None:
    long = b"+OK\r\n" + before + b"1 " + b"9" * (ENDLESS_LINE + 10) + b"\r\n2 10\r\n"
    one = opened(Maildrop(MAIL, says={"UIDL": [long]}), slice_size=slice_size)
    with pytest.raises(FerryError, match="line of more than"):
        one.session.listing()


@pytest.mark.parametrize("slice_size", [100, 5000, 1 << 20])
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
@pytest.mark.parametrize("length", [MAX_LINE - 1, MAX_LINE, 5_000, 50_000])
def test_a_line_that_is_too_long_says_nothing_of_its_message_and_spoils_no_other(
    slice_size: int, order: tuple[int, ...], length: int
) -> None:
    lines = {1: b"1 a\r\n", 2: b"2 " + b"9" * length + b"\r\n", 3: b"3 c\r\n"}
    uidl: list[Saying] = [b"+OK\r\n" + b"".join(lines[number] for number in order) + b".\r\n"]
    one = opened(Maildrop(MAIL, says={"UIDL": uidl}), slice_size=slice_size)
    with closing(one.session.listing()) as listing:
        assert [(number, unique_id) for number, unique_id, _ in listing] == [(1, b"a"), (2, b""), (3, b"c")]
        assert listing.doubt is None


def test_a_size_that_is_too_long_is_none() -> None:
    listing = listing_of(b"1 10\r\n2 " + b"9" * 9_000 + b"\r\n3 30\r\n", b"1 a\r\n2 b\r\n3 c\r\n")
    assert [octets for _, _, octets in listing] == [10, 0, 30]


@given(st.lists(st.integers(0, MAX_LINE - 10), max_size=20), st.integers(1, 9000))
def test_lines_within_the_bound_pass_however_they_are_cut(lengths: list[int], size: int) -> None:
    content = b"".join(b"1 " + b"x" * length + b"\r\n" for length in lengths)
    text = Text(1000, None)
    for at in range(0, len(content), size):
        text.write(content[at : at + size])
    assert text.lines == len(lengths)
    assert text.read(0, len(content) + 1) == content
    text.close()


def test_the_fingerprint_tells_equal_listings_from_others() -> None:
    same = listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\n2 b\r\n").fingerprint
    assert listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\n2 b\r\n").fingerprint == same
    others = [
        listing_of(b"1 10\r\n2 21\r\n", b"1 a\r\n2 b\r\n"),
        listing_of(b"1 10\r\n2 20\r\n", b"1 a\r\n2 c\r\n"),
        listing_of(b"1 10\r\n2 20\r\n", None),
        listing_of(b"1 10\r\n", b"1 a\r\n"),
    ]
    assert same not in {listing.fingerprint for listing in others}


def test_a_large_listing_goes_to_the_folder_it_was_given(tmp_path: Path) -> None:
    text = Text(entries_allowed(Stat(100_000, 0)), tmp_path)
    line = b"1 " + b"u" * 998 + b"\r\n"
    for _ in range(200):
        text.write(line * 100)
    assert text.octets == 200 * 100 * len(line)
    assert sum(len(numbers) for numbers, _ in text.columns(OddLines(Verb.LIST))) == 20_000
    assert list(tmp_path.iterdir()) == []  # it has no name
    text.close()


_ORDINARY = st.builds(b"%d %b".__mod__, st.tuples(st.integers(0, 10**14), st.binary(min_size=1, max_size=4)))
_LINE = (
    st.sampled_from(
        [b"", b"7", b"7 ", b"7 7", b"7 a b", b" 7  a", b"7\ta", b"7 a\x0b", b"\x0b7\x0ca", b"007 0", b"x 1"]
    )
    | _ORDINARY
)


@given(st.lists(_LINE.filter(lambda line: not set(b"\r\n") & set(line))), st.sampled_from([b"\r\n", b"\n", b"\r\r\n"]))
def test_many_lines_are_read_as_each_one_would_be(lines: list[bytes], line_end: bytes) -> None:
    each = [re.fullmatch(rb"\s*(\d{1,15})(?:\s+(.*))?", line, re.S) for line in lines if line.strip()]
    text, odd = Text(entries_allowed(Stat(0, 0)), None), OddLines(Verb.LIST)
    text.write(b"1 1" + line_end + b"".join(line + line_end for line in lines))
    read = [entry for numbers, behind in text.columns(odd) for entry in zip(numbers, behind, strict=True)]
    text.close()
    assert read == [(1, b"1"), *((int(one[1]), one[2] or b"") for one in each if one)]
    assert odd.count == each.count(None)


def test_a_closed_listing_is_gone() -> None:
    listing = listing_of(b"1 10\r\n", b"1 a\r\n")
    listing.close()
    with pytest.raises((ValueError, io.UnsupportedOperation)):
        list(listing)


def test_uidl_is_tried_though_capa_does_not_name_it() -> None:
    one = opened(Maildrop(MAIL, capa=[name for name in CAPA if name != "UIDL"]))
    assert one.session.listing().has_unique_ids
