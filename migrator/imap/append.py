"""APPEND, as fast as the server allows: MULTIAPPEND, a pipelined window, or coalesced synchronising literals.

RFC 9051 section 6.3.12, RFC 3502, RFC 7888. With MULTIAPPEND a command has up to ``AT_ONCE`` messages, and all of them
are stored or none; else each message is a command. Up to ``WINDOW`` commands are on the way at once. Where the server
must be asked before a literal, the next command line travels behind the previous literal, which makes one round trip a
message instead of two. Exactly the bytes of the body are sent: imaplib would rewrite its line ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from migrator.errors import FerryError, Kind
from migrator.imap.capabilities import UploadCapabilities
from migrator.imap.replies import StatusReply
from migrator.imap.wire import Wire
from migrator.lazy_dataclasses import dataclass
from migrator.message.body import Body

AT_ONCE = 100
"""Messages of one MULTIAPPEND: a server that syncs each of them has the time-out for these, and not for a batch."""
WINDOW = 64
"""Commands on the way at once. Their replies fit into any socket's buffer, so both sides can always go on."""


@dataclass(frozen=True, slots=True)
class AppendItem:
    """A message to be appended: its bytes, and flags and date as they stand in the command, each with a blank."""

    body: Body
    options: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The tagged reply for items ``first`` to ``last`` (exclusive) of those sent."""

    first: int
    last: int
    reply: StatusReply


def options_of(flags: Sequence[bytes], date: bytes) -> bytes:
    """Write what stands between folder (or literal) and the next literal."""
    return (b" (" + b" ".join(flags) + b") " if flags else b" ") + date + b" "


class Appender:
    """Sends messages to one folder. ``answers`` grows while it works: what is there is known if the line breaks."""

    def __init__(
        self,
        wire: Wire,
        folder: bytes,
        capabilities: UploadCapabilities,
        *,
        step: Callable[[str], None] = lambda _: None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        """Append to ``folder``; ``guard`` raises where no message may be sent to its end any more."""
        self._wire = wire
        self._folder = folder
        self._capabilities = capabilities
        self._step = step
        self._guard = guard
        self._open: dict[bytes, tuple[int, int]] = {}
        self.answers: list[Answer] = []
        self.was_sent = False
        """Whether the last byte of a command without an answer may have reached the server."""

    def send(self, items: Sequence[AppendItem]) -> list[Answer]:
        """Send all items and return every answer. Raises what ``Wire`` raises when the line breaks."""
        try:
            with self._wire.conversation():
                self._send_all(items)
        except TimeoutError:
            raise
        except OSError:
            self._hear_last_words()
            raise
        return self.answers

    def _send_all(self, items: Sequence[AppendItem]) -> None:
        at_once = AT_ONCE if self._capabilities.has_multiappend else 1
        for place in range(0, len(items), at_once):
            self._await(WINDOW - 1)
            self._begin(items, place, min(place + at_once, len(items)))
        self._wire.flush()
        self._step("imap.batch-sent")
        self._await(0)

    def _begin(self, items: Sequence[AppendItem], first: int, last: int) -> None:
        """Send one command, up to its last byte, unless the server refuses before."""
        wire, tag = self._wire, self._wire.new_tag()
        self._open[tag] = (first, last)
        wire.put(tag + b" APPEND " + self._folder)
        for item in items[first:last]:
            octets = item.body.octets
            if self._capabilities.is_sent_unasked(octets):
                wire.put(item.options + b"{%d+}\r\n" % octets)
            else:
                wire.send(item.options + b"{%d}\r\n" % octets)
                if not self._may_go_ahead(tag):
                    return
            self._stream(item.body)
        self._guard()  # what follows is what makes the server store it
        self.was_sent = True
        wire.put(b"\r\n")

    def _stream(self, body: Body) -> None:
        """Send a literal of exactly the octets announced; what cannot be completed must not stay on the line."""
        left = body.octets
        for chunk in body.chunks():
            left -= len(chunk)
            if left < 0:
                break
            self._wire.put(chunk)
        if left:
            self._wire.shutdown()
            raise FerryError(Kind.INTERNAL, "a message has not as many bytes as it said; the upload was broken off")

    def _may_go_ahead(self, tag: bytes) -> bool:
        """Wait for the continuation request, hearing earlier answers meanwhile; False if ``tag`` is refused."""
        while tag in self._open:
            reply = self._wire.next_status()
            if reply is None:
                return True
            self._note(reply)
        return False

    def _await(self, still_open: int) -> None:
        """Hear answers until at most ``still_open`` commands have none."""
        while len(self._open) > still_open:
            self._wire.flush()
            reply = self._wire.next_status()
            if reply is not None:
                self._note(reply)

    def _note(self, reply: StatusReply) -> None:
        extent = self._open.pop(reply.tag, None)
        if extent is None:
            raise self._wire.abort("an answer came to a command that was not sent")
        self.answers.append(Answer(*extent, reply))

    def _hear_last_words(self) -> None:
        """Take the answers that arrived before the line broke: a refusal may stand there, or a BYE."""
        try:
            while self._open:
                reply = self._wire.next_status()
                if reply is not None:
                    self._note(reply)
        except (OSError, self._wire.abort, self._wire.error):
            return
