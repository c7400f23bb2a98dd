from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from migrator.events import event, set_up

LOGGER = logging.getLogger("migrator.test")


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    before = {name: logging.getLogger(name).__dict__.copy() for name in ("migrator", "jobs")}
    yield
    for name, state in before.items():
        logging.getLogger(name).__dict__.update(state)
        logging.getLogger(name).setLevel(state["level"])


def test_an_event_is_a_name_and_fields() -> None:
    stream = io.StringIO()
    set_up(logging.INFO, stream=stream)
    event(LOGGER, "pop3.listed", account="alice", messages=120, note='two "words"', empty="")
    moment, _, rest = stream.getvalue().partition(" ")
    assert "T" in moment
    assert rest == 'info pop3.listed account=alice messages=120 note="two \\"words\\"" empty=""\n'


def test_as_json_each_line_is_an_object() -> None:
    stream = io.StringIO()
    set_up(logging.INFO, as_json=True, stream=stream)
    event(LOGGER, "pop3.listed", level=logging.WARNING, account="ü\n", path=io)
    document = json.loads(stream.getvalue())
    assert document["event"] == "pop3.listed"
    assert document["level"] == "warning"
    assert document["account"] == "ü\n"
    assert document["logger"] == "migrator.test"


def test_below_the_level_nothing_is_said() -> None:
    stream = io.StringIO()
    set_up(logging.WARNING, stream=stream)
    event(LOGGER, "pop3.listed")
    assert stream.getvalue() == ""
