"""What a date was taken from is said, and nothing of the mail is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from migrator.message.dating import moment_of_arrival
from tests.mail import message_of

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_event_names_the_source_of_the_date(caplog: pytest.LogCaptureFixture) -> None:
    content = b"Date: Tue, 1 Jan 2013 10:00:00 +0000\r\nSubject: secret\r\n\r\ntext\r\n"
    with caplog.at_level(logging.DEBUG, logger="migrator"):
        moment = moment_of_arrival(message_of(content), content, NOW)
    assert moment == datetime(2013, 1, 1, 10, tzinfo=UTC)
    [record] = caplog.records
    assert record.getMessage() == "message.dated"
    assert record.__dict__["fields"] == {"digest": message_of(content).digest.hex()[:16], "source": "Date"}
