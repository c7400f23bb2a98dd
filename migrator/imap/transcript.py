"""What an IMAP connection says and hears, as lines of a trace: what logs in becomes stars, literals become sizes."""

from __future__ import annotations

import re

from migrator.net.trace import MASK, Transcript

_LITERAL = re.compile(rb"\{(\d+)\+?\}$")
_LOGS_IN = re.compile(rb"(\S+ (?:LOGIN|AUTHENTICATE(?: [^ ]+)?))(?: |$)", re.IGNORECASE)


class ImapTranscript:
    """Both directions of one connection; takes bytes as they are written, in any slices."""

    def __init__(self, trace: Transcript) -> None:
        self.secrets: tuple[bytes, ...] = ()
        """What no line may repeat."""
        self._trace = trace
        self._unended = b""
        self._literal_octets = 0
        self._is_secret = False

    def said(self, data: bytes) -> None:
        """Take bytes that go to the server."""
        while data:
            if self._literal_octets:
                passed = min(self._literal_octets, len(data))
                self._literal_octets -= passed
                data = data[passed:]
                continue
            line, end, data = (self._unended + data).partition(b"\r\n")
            self._unended = b"" if end else line
            if end:
                self._line(line)

    def _line(self, line: bytes) -> None:
        is_continued = _LITERAL.search(line)
        begins = _LOGS_IN.match(line)
        if begins:
            self._trace.client(begins[1] + b" " + MASK)
        elif line and self._is_secret:
            self._trace.client(MASK)
        elif line:
            self._trace.client(line)
        # A SASL exchange goes on until the server ends it, the words of LOGIN until the command's last line.
        self._is_secret = self._is_secret if not begins else b"AUTHENTICATE" in begins[1].upper() or bool(is_continued)
        self._literal_octets = int(is_continued[1]) if is_continued else 0

    def heard(self, line: bytes) -> None:
        """Take a line of the server's."""
        words = line.rstrip(b"\r\n")
        if self._is_secret and words.startswith(b"+"):
            words = b"+ " + MASK
        elif not words.startswith((b"*", b"+")):
            self._is_secret = False  # a tagged reply: the command is over
        self._trace.server(words, self.secrets)

    def note(self, words: str) -> None:
        """Write what happened to the connection."""
        self._trace.note(words)
