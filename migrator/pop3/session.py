"""One POP3 session in the order it happens: open, listing, retrieve, delete, quit; or abandon, at any time.

Only QUIT makes deletions real (RFC 1939, section 6), so whatever looks doubtful ends the session without it. What is
learned of a server (that it cannot be pipelined, has no CAPA, announces other sizes than it sends) is offered back as
``profile`` for the next session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from migrator.errors import FerryError, Kind, Scope
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.message.digest import HeaderFacts, canonical, header_block
from migrator.model import MessageNumber
from migrator.net.stream import Clock, open_stream
from migrator.pop3.asking import WholeBodyError, header_of, replies, short_replies, shows_body
from migrator.pop3.assembly import Spool
from migrator.pop3.connection import Conversation
from migrator.pop3.expected import ExpectedStat
from migrator.pop3.failure import blamed_command, has_lost_step
from migrator.pop3.listing import LISTING, Listing, Marked, stat_of, take_list, take_listing
from migrator.pop3.opening import capabilities_of, open_line
from migrator.pop3.protocol import LINE_ENDING, Reply, Verb, out_of_step
from migrator.pop3.refusals import Stage, refusal
from migrator.pop3.replies import Capabilities, Stat, parse_stat
from migrator.pop3.retrieve import Retrieval
from migrator.pop3.retrieved import Budget, RetrieveEvent, Standing, ToRetrieve
from migrator.pop3.server_profile import NOTHING_KNOWN, ServerProfile
from migrator.pop3.source import Source
from migrator.pop3.transport import OpenStream
from migrator.pop3.window import WINDOW_COMMANDS
from migrator.ui.text import plural

__all__ = ["Session", "Source", "open_session"]

_FIRST_BLOCK = 256


@dataclass(slots=True)
class Session:
    """A maildrop that is ours until ``quit`` or ``abandon``. Not shared between threads.

    Any ``FerryError`` of scope session means that the line has been closed without QUIT; a ``BrokenAtError`` names the
    message over which it ended. No DELE is said for a number that was not asked for by RETR or TOP in this session.
    """

    capabilities: Capabilities
    """What the server announced last; once the session has said something, after the log-in."""
    profile: ServerProfile
    _line: Conversation
    without_top: Container[MessageNumber] = ()
    """Messages whose headers are not asked for: the line broke over them before."""
    retrieved: int = 0
    """How many messages came in step so far, or were refused."""
    shown: int = 0
    """How many headers were asked for so far, and came in step."""
    _expected: ExpectedStat = field(default_factory=ExpectedStat)
    _listing: Listing | None = None
    _asked: bytearray = field(default_factory=bytearray)  # by number: whether RETR or TOP was said
    _is_confirmed: bool = False
    """Whether STAT's numbers fitted what was said before, and nothing was said since."""

    @property
    def is_pipelined(self) -> bool:
        """Whether commands are sent ahead in this session."""
        return self.capabilities.pipelining and not self.profile.lock_step and not self.retrieving_deletes

    @property
    def marked(self) -> int:
        """How many messages are marked for deletion."""
        return len(self._expected.deleted)

    @property
    def retrieving_deletes(self) -> bool:
        """Whether the server says that what was retrieved is gone with this session (RFC 2449, section 6.7)."""
        return self.capabilities.expire == "0"

    def stat(self) -> Stat:
        """Ask how much the maildrop shows; deleted messages do not count."""
        with self._talking():
            stat = stat_of(self._line.ask(Verb.STAT), self._line)
        self._expected.begins_with(stat)
        listed = self._listing.count if self._listing and self.marked else None  # counting a listing is work
        self._is_confirmed = self._is_expected(stat) and self._expected.fits_deletions(stat, listed)
        return stat

    def listing(self, spool_dir: Path | None = None) -> Listing:
        """Take the listing; what is large of it goes to an unnamed file in ``spool_dir``."""
        is_asked = self.is_pipelined
        with self._talking(ahead=LISTING if is_asked else ()):
            listing = take_listing(self._line, is_asked=is_asked, spool_dir=spool_dir)
        self._expected.begins_with(listing.stat)
        self._listing = listing
        return listing

    def retrieve(
        self, wanted: Iterator[ToRetrieve], budget: Budget, spool: Callable[[], Spool]
    ) -> Iterator[RetrieveEvent]:
        """Retrieve messages; see ``migrator.pop3.retrieve`` for what is yielded and what it proves."""
        self._know_start()
        is_first = not (self.retrieved or self.shown)
        standing = Standing(
            self._is_expected,
            self._is_moving,
            self._note_asked,
            self.is_pipelined,
            self.profile.sizes_differ,
            is_first,
            self.profile.sizes_differ or self.profile.announces_any_size,
            None if self.profile.status_form is None else self.profile.status_form.encode("latin-1"),
        )
        retrieval = Retrieval(self._line, wanted, budget, spool, standing)
        try:
            with self._talking():
                yield from retrieval
        finally:
            self.retrieved += retrieval.in_step
            self._expected.have_sizes_differed |= retrieval.has_seen_other_sizes
            if retrieval.in_step and retrieval.status_form is not None:
                self.profile = replace(self.profile, status_form=retrieval.status_form.decode("latin-1"))
        self._is_confirmed = retrieval.is_confirmed
        if retrieval.has_learned_sizes_differ:
            self.profile = replace(self.profile, sizes_differ=True)

    def top(self, numbers: Iterable[MessageNumber]) -> Iterator[tuple[MessageNumber, HeaderFacts | FerryError]]:
        """Yield what the header of each message says (TOP n 0), in order; only what is known to be in step.

        A message that the server does not show yields an error, and so does one of ``without_top``, unasked. Raises
        ``refused`` (scope session, but the session goes on) if the server has no TOP that is worth asking; a
        ``BrokenAtError`` where the session ended over one message's TOP.
        """
        self._know_start()
        remaining = iter(numbers)
        size = _FIRST_BLOCK
        while block := list(islice(remaining, size)):
            asked = [number for number in block if number not in self.without_top]
            if self.profile.no_top:
                raise FerryError(Kind.REFUSED, "the server's TOP gives whole messages", scope=Scope.SESSION)
            answers = self._headers(asked)
            if "TOP" not in self.capabilities and all(isinstance(answer, FerryError) for answer in answers.values()):
                raise FerryError(Kind.REFUSED, "the server has no TOP", scope=Scope.SESSION)
            self.shown += len(asked)
            yield from ((number, answers.get(number) or _not_asked(number)) for number in block)
            size = WINDOW_COMMANDS if self.is_pipelined else _FIRST_BLOCK

    def _headers(self, numbers: Sequence[MessageNumber]) -> dict[MessageNumber, HeaderFacts | FerryError]:
        for number in numbers:
            self._note_asked(number)
        answers: dict[MessageNumber, HeaderFacts | FerryError] = {}
        try:
            with self._talking():
                for reply in replies(self._line, Verb.TOP, numbers, b"0", window=self._window):
                    answers[MessageNumber(reply.number)] = header_of(reply) if reply.is_ok else self._refused(reply)
                    if shows_body(reply):
                        self.profile = replace(self.profile, no_top=True)
            self.check_step()
        except FerryError as error:
            if isinstance(error, WholeBodyError):
                self.profile = replace(self.profile, no_top=True)
            due, is_first = self._line.protocol.due, not self.shown + len(answers)
            raise blamed_command(error, Verb.TOP, due, numbers[-1:], is_first=is_first) from error
        return answers

    def header_texts(self, numbers: Sequence[MessageNumber]) -> dict[MessageNumber, bytes]:
        """Return the headers of a few messages (TOP n 0), for a person to look at; a refused one is left out."""
        self._know_start()
        with self._talking():
            asked = replies(self._line, Verb.TOP, numbers, b"0", window=1)
            texts = {
                MessageNumber(reply.number): header_block(canonical(reply.content)) for reply in asked if reply.is_ok
            }
        self.check_step()
        return texts

    def delete(self, numbers: Iterable[MessageNumber]) -> Iterator[tuple[MessageNumber, FerryError | None]]:
        """Mark messages for deletion and yield each with the refusal, if any. Only ``quit`` makes it real.

        Raises ``internal``, with nothing said, if this session has not asked for one of them by RETR or TOP.
        """
        numbers = list(numbers)
        if unread := [number for number in numbers if not self._has_asked(number)]:
            self.abandon()
            raise FerryError(Kind.INTERNAL, f"message {unread[0]} was to be deleted without having been read")
        self._know_start()
        self._expected.has_marked = True
        try:
            with self._talking():
                for heard in short_replies(self._line, Verb.DELE, numbers, window=self._window):
                    if isinstance(heard, Reply):
                        yield MessageNumber(heard.number), self._refused(heard)
                        continue
                    self._expected.deleted.update(heard)
                    for number in heard:
                        yield number, None
        except FerryError as error:
            is_first = not self._expected.deleted
            raise blamed_command(error, Verb.DELE, self._line.protocol.due, is_first=is_first) from error

    def shows_marked(self) -> Marked:
        """Ask what the maildrop shows behind the last DELE: STAT, and where that does not fit, LIST.

        Raises ``protocol`` unless it shows everything else, and all that is marked or none of it; then the line has
        been closed without QUIT.
        """
        stat = self.stat()
        if self._is_confirmed:
            return Marked.GONE
        with self._talking():
            shown = self._shown_by_list(stat)
        self._is_confirmed = True
        return shown

    def _shown_by_list(self, stat: Stat) -> Marked:
        """Compare LIST with what was listed at first. Twisted, for one, counts and lists what is marked until QUIT."""
        mismatch = f"STAT counts {plural(stat.count, 'message')} behind {plural(self.marked, 'deletion')}"
        if self._listing is None:
            raise out_of_step(mismatch, b"")
        now = take_list(self._line, stat, None)
        shown = self._listing.shows(now, self._expected.deleted)
        now.close()
        if shown is Marked.SHOWN and stat.count < self._listing.count:
            raise out_of_step(mismatch, b"")
        return shown

    def check_step(self) -> None:
        """Prove that the session is in step: STAT must give the numbers of its start less what was deleted.

        Raises ``protocol`` if it does not; then the line has been closed without QUIT.
        """
        with self._talking():
            reply = self._line.ask(Verb.STAT)
            stat = stat_of(reply, self._line)
            if not (self._is_expected(stat) or self._is_moving(stat)):
                raise out_of_step("STAT's numbers do not fit", reply.text, self._line.protocol.secrets)
        self._is_confirmed = True

    def noop(self) -> None:
        """Keep the session awake."""
        with self._talking():
            self._line.ask(Verb.NOOP)

    def rset(self) -> None:
        """Take back every mark for deletion. Raises the refusal if the server does not."""
        with self._talking():
            reply = self._line.ask(Verb.RSET)
            if not reply.is_ok:
                raise refusal(Stage.MAILDROP, reply.text, secrets=self._line.protocol.secrets, about="RSET")
        self._expected.deleted.clear()

    def quit(self) -> str:
        """Make deletions real, once the step is proven behind the last of them, and return the server's words.

        Any error means that nothing is known of the deletions: the next listing tells.
        """
        if (self._expected.has_marked or self.retrieving_deletes) and not self._is_confirmed:
            self.shows_marked()
        with self._talking():
            reply = self._line.ask(Verb.QUIT)
            if not reply.is_ok:
                raise refusal(Stage.MAILDROP, reply.text, secrets=self._line.protocol.secrets, about="QUIT")
        self._line.hang_up()
        return reply.text.decode("ascii", "backslashreplace")

    def abandon(self) -> None:
        """Close the line without QUIT, which undoes every deletion of this session. Never raises."""
        self._line.hang_up()

    def _know_start(self) -> None:
        if self._expected.start is None:
            self.stat()
        self._is_confirmed = False

    def _is_expected(self, stat: Stat, *, have_sizes_fitted: bool = True) -> bool:
        return self._expected.fits(stat, self.profile, have_sizes_fitted=have_sizes_fitted)

    def _is_moving(self, stat: Stat) -> bool:
        """Find out whether the session is in step though STAT's octets do not fit, and remember a server whose do move.

        A NOOP tells: were STAT's reply another one's, the true one would come now. That servers lose step which are
        asked ahead was, then, not seen yet.
        """
        if self._line.protocol.in_flight or not self._expected.has_enough(stat):
            return False
        reply = self._line.ask(Verb.NOOP)
        self._line.expect_silence()
        if parse_stat(reply.text) is not None:
            return False
        self.profile = replace(self.profile, stat_moves=True, lock_step=False)
        return True

    @property
    def _window(self) -> int:
        return WINDOW_COMMANDS if self.is_pipelined else 1

    def _note_asked(self, number: MessageNumber) -> None:
        if number >= len(self._asked):
            self._asked.extend(bytes(number + 1024 - len(self._asked)))
        self._asked[number] = True

    def _has_asked(self, number: MessageNumber) -> bool:
        return number < len(self._asked) and bool(self._asked[number])

    def _refused(self, reply: Reply) -> FerryError:
        about = f"{reply.verb} {reply.number}"
        return refusal(Stage.MESSAGE, reply.text, secrets=self._line.protocol.secrets, about=about)

    @contextmanager
    def _talking(self, ahead: Sequence[Verb] = ()) -> Iterator[None]:
        """Close the line on any error that leaves the conversation in doubt, and learn from it.

        What is said ``ahead`` leaves together with the CAPA that open_session has sent.
        """
        self._is_confirmed = False
        try:
            if ahead and not self._line.protocol.in_flight:
                self._line.expect_silence()
            for verb in ahead:
                self._line.send(verb)
            if self._line.protocol.due == (Verb.CAPA, 0):
                self.capabilities = capabilities_of(self._line.short_reply())
            yield
        except FerryError as error:
            if error.kind in LINE_ENDING or self._line.protocol.in_flight:
                self._learn(error)
                self.abandon()
            error.blame(self._line.endpoint)
            raise
        except BaseException:
            self.abandon()
            raise

    def _learn(self, error: FerryError) -> None:
        """Remember a server that loses step."""
        line = self._line
        is_at_dele = self._expected.has_marked and self.retrieved > 0  # what was sent ahead before came as it should
        if not line.has_pipelined or is_at_dele:
            return
        has_begun, is_proven = line.protocol.is_reply_begun, line.has_proven_pipelining
        if has_lost_step(error, has_begun=has_begun, is_pipelining_proven=is_proven):
            self.profile = replace(self.profile, lock_step=True)


def _not_asked(number: MessageNumber) -> FerryError:
    return FerryError(Kind.REFUSED, f"the connection broke before at the header of message {number}")


def open_session(
    source: Source,
    password: Callable[[], str | bytes],
    profile: ServerProfile = NOTHING_KNOWN,
    *,
    clock: Clock = time.monotonic,
    connect: OpenStream = open_stream,
) -> Session:
    """Connect, encrypt, ask CAPA, log in, ask CAPA again (Gmail tells more then).

    Where commands may be sent ahead, the second reply is heard together with that to the first command of the session.
    A server that hangs or drops the line at CAPA is tried once more without; if that works it is remembered.
    """
    return Session(*open_line(source, password, profile, clock=clock, connect=connect))
