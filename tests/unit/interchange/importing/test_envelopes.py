from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.interchange.importing.envelopes import envelope_date, is_bare_envelope, is_envelope


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"From ann@example.org Mon Jan  1 10:20:30 2001", "2001-01-01T10:20:30"),
        (b"From - Tue Feb 13 01:02 2024\r", "2024-02-13T01:02:00"),
        (b"From 1234567890@xxx Mon Jan 01 00:00:00 +0000 2024", "2024-01-01T00:00:00"),
        (b"From ann at example.org  Wed Mar  6 12:00:00 2024 +0100", "2024-03-06T11:00:00"),
        (b"From ann Thu Sep 11 23:59:60 PDT 1997", "1997-09-12T07:00:00"),
        (b"From ann Thu Sep 11 09:00:00 97", "1997-09-11T09:00:00"),
        (b"From MAILER-DAEMON Fri July  8 12:08:34 2011", "2011-07-08T12:08:34"),
    ],
)
def test_an_envelope_says_when_its_message_arrived(line: bytes, moment: str) -> None:
    assert is_envelope(line)
    date = envelope_date(line)
    assert date is not None
    assert datetime.fromtimestamp(date, UTC).isoformat() == f"{moment}+00:00"


@pytest.mark.parametrize("line", [b"From ann 2024-01-02 03:04:05", b"From ann Mon 1 Jan 10:20:30 MET DST 2001"])
def test_an_envelope_with_another_date_is_one(line: bytes) -> None:
    assert is_envelope(line)
    assert envelope_date(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"From now on, nobody shall sleep",
        b"From 2019 to 2024 it was closed",
        b"From: ann@example.org",
        b"From Monday, Jan 1 on",
        b"From here",
        b"From ",
        b"From ann@example.org",
    ],
)
def test_text_that_begins_with_the_word_is_no_envelope(line: bytes) -> None:
    assert not is_envelope(line)
    assert envelope_date(line) is None


def test_an_envelope_without_a_date_has_nothing_but_a_sender() -> None:
    assert all(map(is_bare_envelope, (b"From ", b"From - ", b"From -\r", b"From a@b.org")))
    assert not any(map(is_bare_envelope, (b"From now", b"From a@b.org said", b"From: x")))


@pytest.mark.parametrize("line", [b"From a Mon Jan 32 10:20:30 2001", b"From a Mon Jan  1 25:20:30 2001"])
def test_a_date_that_is_none_says_nothing(line: bytes) -> None:
    assert envelope_date(line) is None
