"""What an IMAP destination says of itself without storing anything."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination
from tests.unit.imap.scripted import Script, serving, settings

COURIER = b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\nTAG OK\r\n'
DOVECOT = b'* NAMESPACE (("" "/")) NIL NIL\r\nTAG OK\r\n'


@pytest.mark.parametrize(
    ("folder", "namespace", "appears_as"),
    [
        ("INBOX", COURIER, None),
        ("Archive/2026", DOVECOT, None),
        ("Archive/v1.2", DOVECOT, None),
        ("INBOX/Old", COURIER, None),
        ("Archive/v1.2", COURIER, "INBOX → Archive → v1 → 2"),
        ("alice@example.org", COURIER, "INBOX → alice@example → org"),
    ],
)
def test_check_says_how_a_configured_name_will_look(
    folder: str, namespace: bytes, appears_as: str | None, tmp_path: Path
) -> None:
    replies = {b"LIST": b"TAG OK\r\n", b"NAMESPACE": namespace, b"STATUS": b"TAG NO there is none\r\n"}
    if folder == "INBOX":
        replies[b"STATUS"] = b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)\r\nTAG OK\r\n"
    with serving(Script(replies, capabilities=b"IMAP4rev1 AUTH=PLAIN NAMESPACE")) as port:
        wanted = replace(settings(port), folder=folder)
        with closing(ImapDestination(wanted, lambda: "sesame", state_dir=tmp_path)) as destination:
            assert destination.probe().get("appears_as") == appears_as
