"""imapclient as it is used here: on a connection of ours, folder names as bytes, refusals with the server's very words.

Both libraries put Python's spelling of bytes into what they raise for a BAD, and imapclient leaves out of a NO whatever
is not ASCII; ``words_of`` gives the words as the server sent them.
"""

from __future__ import annotations

import ast
import imaplib
import re
from typing import TYPE_CHECKING

from imapclient import IMAPClient  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from migrator.errors import Endpoint
    from migrator.imap.wire import Wire
    from migrator.net.sasl import Exchange

_IMAPLIBS = re.compile(r"(?:.*? )?command error: (?:NO|BAD) (\[.*\])", re.S)
_IMAPCLIENTS = re.compile(r"[a-z ]+ failed: ")


class RefusedError(imaplib.IMAP4.error):
    """The server said NO to a command."""

    def __init__(self, words: bytes) -> None:
        super().__init__(words.decode("utf-8", "backslashreplace"))
        self.words = words


class Client(IMAPClient):  # type: ignore[misc]  # a class without types cannot be subclassed otherwise
    """imapclient on a connection of ours, without its log of every line (which costs 200 MB for 100 MB of mail).

    Folders are named by the bytes that stand between the quotes of a command, in both directions.
    """

    def __init__(self, wire: Wire, server: Endpoint, timeout: float) -> None:
        self._wire = wire
        super().__init__(server.host, server.port, ssl=False, timeout=timeout)
        self.folder_encode = False
        wire.debug = 0

    def _create_IMAP4(self) -> Wire:  # noqa: N802  # imapclient's name for it
        return self._wire

    def _normalise_folder(self, name: bytes | str) -> bytes:
        return quoted(name.encode("ascii") if isinstance(name, str) else name)

    def _check_resp(self, expected: str, command: str, verdict: str, data: list[bytes | None]) -> None:
        del command
        if verdict != expected:
            raise RefusedError((data[0] if data else None) or b"")


class SaslSteps:
    """A SASL exchange as imaplib wants it: called with each challenge, the first one empty without SASL-IR."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_first = True
        self.said: list[bytes] = []

    def __call__(self, challenge: bytes) -> bytes:
        """Return what is said next."""
        opening = self._exchange.initial if self._is_first else None
        self._is_first = False
        answer = self._exchange.respond(challenge) if opening is None else opening
        self.said.append(answer)
        return answer


def words_of(error: Exception) -> bytes:
    """Return what the server said, of an exception that imaplib or imapclient raised."""
    if isinstance(error, RefusedError):
        return error.words
    said = _IMAPCLIENTS.sub("", str(error), count=1)
    found = _IMAPLIBS.fullmatch(said)
    if found is not None:
        try:
            return b" ".join(piece for piece in ast.literal_eval(found[1]) if isinstance(piece, bytes))
        except (ValueError, SyntaxError, TypeError):
            pass
    return said.encode("utf-8", "replace")


def quoted(word: bytes) -> bytes:
    """Write bytes without line ends as a quoted string (RFC 9051, section 4.3)."""
    return b'"' + word.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
