"""What the server said is shown as it said it, whichever library raised it."""

from __future__ import annotations

import imaplib

import pytest

from migrator.imap.client import RefusedError, quoted, words_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RefusedError("系统繁忙".encode()), "系统繁忙".encode()),
        (imaplib.IMAP4.error("STARTTLS command error: BAD [b'what?']"), b"what?"),
        (imaplib.IMAP4.error('command error: BAD [b"it\'s \\xe9"]'), b"it's \xe9"),
        (imaplib.IMAP4.error("UID FETCH command error: BAD [b'a', None]"), b"a"),
        (imaplib.IMAP4.error("select failed: no such folder"), b"no such folder"),
        (imaplib.IMAP4.error("NAMESPACE command error: BAD [b'half"), b"NAMESPACE command error: BAD [b'half"),
        (imaplib.IMAP4.error("[UNAVAILABLE] later"), b"[UNAVAILABLE] later"),
    ],
)
def test_no_spelling_of_pythons_stands_in_a_servers_words(error: Exception, words: bytes) -> None:
    assert words_of(error) == words


def test_a_quoted_string_escapes_what_ends_it() -> None:
    assert quoted(b'a"b\\c') == b'"a\\"b\\\\c"'
