from __future__ import annotations

import pytest

from migrator.interchange.importing.marks import has_maildir_info, of_apple, of_babyl, of_header, of_maildir


@pytest.mark.parametrize(
    ("name", "flags", "is_deleted"),
    [
        ("1276528487.M3P9.host,S=1355,W=1394:2,FRS", ["\\Answered", "\\Flagged", "\\Seen"], False),
        ("1276528487.M3P9.host;2,SZ", ["\\Seen"], False),
        ("1276528487.M3P9.host!2,D", ["\\Draft"], False),
        ("1276528487.M3P9.host-2,ST", ["\\Seen"], True),
        ("1276528487.M3P9.host:2,", [], False),
        ("1276528487.M3P9.host", [], False),
        ("mail-2024", [], False),
    ],
)
def test_names_of_a_maildir_say_what_was_done_with_a_message(name: str, flags: list[str], is_deleted: bool) -> None:
    marks = of_maildir(name, None)
    assert (sorted(marks.flags), marks.is_deleted) == (flags, is_deleted)
    assert has_maildir_info(name) == any(sign in name for sign in (":2,", ";2,", "!2,"))


def test_a_message_arrived_at_the_earlier_of_name_and_file() -> None:
    assert of_maildir("1000000000.x", 1_600_000_000.0).date == 1_000_000_000.0
    assert of_maildir("1700000000.x", 1_600_000_000.0).date == 1_600_000_000.0
    assert of_maildir("x", None).date is None


def test_headers_of_an_mbox_say_what_was_done_with_a_message() -> None:
    marks = of_header(b"Status: RO\r\nX-Status: AT\r\nFrom: a@b\r\n\r\n", 7.0)
    assert sorted(marks.flags) == ["\\Answered", "\\Draft", "\\Seen"]
    assert marks.date == 7.0
    assert of_header(b"X-Mozilla-Status: 0008\nFrom: a@b\n").is_deleted
    assert not of_header(b"X-Mozilla-Status: nonsense\n").flags
    assert of_header(b"From: a@b\n").flags == frozenset()


def test_a_mark_of_deletion_behind_what_was_sent_is_somebody_elses() -> None:
    assert of_header(b"X-Account-Key: a1\nX-UIDL: 1\nX-Mozilla-Status: 0008\nFrom: a@b\n").is_deleted
    header = b"Received: 1\nX-Mozilla-Status: 0008\nFrom: a@b\n"
    assert not of_header(header).is_deleted
    assert not of_header(b"X-Status: D\n").is_deleted


def test_labels_of_gmail_are_words_between_commas() -> None:
    marks = of_header(b'X-Gmail-Labels: Inbox,"one, two",Opened,\n =?UTF-8?Q?Entw=C3=BCrfe?=,Starred\n')
    assert marks.labels == ("Inbox", "one, two", "Opened", "Entwürfe", "Starred")
    assert sorted(marks.flags) == ["\\Flagged", "\\Seen"]


def test_the_property_list_of_apple_says_what_was_done_with_a_message() -> None:
    plist = b"<dict><key>date-received</key><integer>1276528487</integer><key>flags</key><integer>%d</integer></dict>"
    marks = of_apple(plist % 0b1010101)
    assert (sorted(marks.flags), marks.date) == (["\\Answered", "\\Draft", "\\Flagged", "\\Seen"], 1276528487.0)
    assert of_apple(plist % 2).is_deleted
    assert of_apple(b"no list").date is None


def test_attributes_of_rmail_say_what_was_done_with_a_message() -> None:
    marks = of_babyl(b"1, answered,, work, home,")
    assert (sorted(marks.flags), marks.labels) == (["\\Answered", "\\Seen"], ("work", "home"))
    assert of_babyl(b"0, unseen,,").flags == frozenset()
    assert of_babyl(b"1, deleted,,").is_deleted
