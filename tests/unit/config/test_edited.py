from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from migrator.config.edited import Change, edited
from migrator.errors import ConfigError

FILE = Path("accounts.d/alice.toml")
TEXT = """\
# Written by `mailferry add` or the page; what you change here stays.
[[accounts]]
name = "alice"

[accounts.source]
host = "pop.example.org"   # the old one
port = 995
username = "alice"
password = {vault = "alice/source-1"}
timeout = "60 seconds"     # mine

[[accounts.destinations]]
type = "mbox"
path = "/mail/alice"

[[accounts.destinations]]
type = "imap"
host = "imap.example.org"
username = "a"
password = {vault = "alice/imap-1"}
# the end
"""


def test_nothing_to_change_is_the_same_text() -> None:
    same = {"host": "pop.example.org", "port": 995, "leave_on_server": None, "password": {"vault": "alice/source-1"}}
    assert edited(FILE, TEXT, Change(same)) == TEXT


def test_only_what_was_asked_for_changes() -> None:
    change = Change({"host": "pop.new.example", "password": {"vault": "alice/source-2"}, "leave_on_server": "30 days"})
    text = edited(FILE, TEXT, change)
    gone = set(TEXT.splitlines()) - set(text.splitlines())
    assert gone == {'host = "pop.example.org"   # the old one', 'password = {vault = "alice/source-1"}'}
    assert 'timeout = "60 seconds"     # mine' in text
    source = tomllib.loads(text)["accounts"][0]["source"]
    assert (source["host"], source["password"], source["leave_on_server"]) == (
        "pop.new.example",
        {"vault": "alice/source-2"},
        "30 days",
    )
    assert edited(FILE, text, Change({"leave_on_server": None})).count("leave_on_server") == 0


def test_places_are_changed_taken_out_and_added() -> None:
    added = {"type": "imap", "host": "h", "username": "u", "password": {"vault": "alice/imap-2"}}
    change = Change(places={1: {"password": {"vault": "alice/imap-3"}}}, removed=[0], added=[added])
    [account] = tomllib.loads(edited(FILE, TEXT, change))["accounts"]
    assert account["destinations"] == [
        {"type": "imap", "host": "imap.example.org", "username": "a", "password": {"vault": "alice/imap-3"}},
        added,
    ]
    every = edited(FILE, TEXT, Change(removed=[0, 1], added=[{"type": "mbox", "path": "/m"}]))
    assert tomllib.loads(every)["accounts"][0]["destinations"] == [{"type": "mbox", "path": "/m"}]


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "",
        "accounts = []",
        "accounts = [1]",
        "[[accounts]]\nname = 'a'\n",
        "[[accounts]]\nsource = 1\ndestinations = []\n",
        "[[accounts]]\nsource = {}\ndestinations = [{type = 'mbox', path = 'x'}]\n",
    ],
)
def test_what_is_written_otherwise_is_left_alone(text: str) -> None:
    with pytest.raises(ConfigError):
        edited(FILE, text, Change({"host": "h"}, removed=[0]))
