"""Whom to blame when a session ends early: one message, by its number, or nobody but the line. Pure.

Blame decides what the next sessions do: a message that is named comes last and is, the second time, set aside for the
run (``migrator.run.suspects``); a server that lost step is asked one command at a time from then on. Blaming an
innocent message hides mail, blaming the line for a message that always breaks it makes every run end at the same place.
So a message is named only where nothing else explains what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.model import MessageNumber
from migrator.pop3.protocol import LINE_ENDING, OutOfStepError, Verb, out_of_step

_NO_END: Final = "the server cannot give this message whole: look at it there by other means"

_NOT_ITS_OWN_END: Final = frozenset({Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL})
"""What ends a retrieval from outside. Every other kind is an answer about a message, or about the account."""


class BrokenAtError(FerryError):
    """The session ended over one message: RETR, TOP or DELE of this number did it, or was under way when it ended.

    With ``is_first`` no message came before it in this session, so that the line cannot merely be one that breaks after
    a while.
    """

    def __init__(self, verb: Verb, number: MessageNumber, cause: FerryError, *, is_first: bool) -> None:
        super().__init__(
            cause.kind,
            cause.message,
            server_words=cause.server_words,
            cure=cause.cure,
            scope=cause.scope,
            advice=cause.advice,
            endpoint=cause.endpoint,
            finding=cause.finding,
            settings=cause.settings,
        )
        self.verb = verb
        self.number = number
        self.is_first = is_first


@dataclass(frozen=True, slots=True)
class Break:
    """How a retrieval stood when it ended early."""

    due: tuple[Verb, int] | None
    """The command, with its message number, whose reply should have come next."""
    has_begun: bool
    """Whether part of that reply had come."""
    reads_as_stat: bool
    """Whether what had come of it is what STAT should have said."""
    ends_in_dot: bool
    """Whether that reply ends in a dot with no line end before it."""
    differing: MessageNumber | None
    """The first message since the last barrier whose octets were not those announced."""
    last: MessageNumber | None
    """The message that came last, if what broke the session may be due to it."""
    is_one_by_one: bool
    """Whether no command was sent before the one before it was answered."""
    is_pipelining_unproven: bool
    """Whether commands were sent ahead, and no two of them were answered yet."""
    has_any_in_step: bool
    """Whether something came in step before, in this session."""


def blamed_retrieval(error: FerryError, broke: Break) -> FerryError:
    """Return the error that names the message at fault where one is, else what ended the retrieval."""
    if error.kind not in _NOT_ITS_OWN_END:
        return error
    if isinstance(error, OutOfStepError) or broke.due is None:
        return _for_step(error, broke)
    verb, number = broke.due
    if verb is not Verb.RETR:
        # STAT is the barrier: a line that breaks behind whole messages breaks for no message's sake, unless one of
        # them had other octets than announced. A missing or early end looks like that: the server still waits for
        # its own dot, or has given what follows as part of it.
        return _for_step(error, broke) if broke.differing else error
    if broke.differing and not broke.has_begun:
        return _for_step(error, broke)  # as above, seen from the next RETR
    return _for_silence(MessageNumber(number), error, broke)


def _for_step(error: FerryError, broke: Break) -> FerryError:
    """Blame a message for a lost step: only asked one by one does a reply point at one."""
    match broke.due:
        case (Verb.RETR, number):
            expected: MessageNumber | None = MessageNumber(number)
        case _:
            expected = broke.last  # nothing should come, or a barrier's reply
    culprit = broke.differing or expected
    if culprit is not None and broke.is_one_by_one:
        return _broken_at(culprit, error, broke)
    # With commands in flight any of them may have lost its reply: the session is wrong, no message is.
    return error if isinstance(error, OutOfStepError) else out_of_step(error.message, b"")


def _for_silence(number: MessageNumber, error: FerryError, broke: Break) -> FerryError:
    """Blame a message for a line that broke, or fell silent, when its reply was due."""
    if not broke.has_begun:
        if broke.is_pipelining_unproven:
            # Servers that drop what was sent ahead (a small buffer read once, a proxy) answer the first command and
            # then nothing: lock step heals that, and the message is innocent.
            return error
        return _broken_at(number, error, broke)
    if broke.reads_as_stat and not broke.is_one_by_one:
        # The barrier's reply stands where the message's should: the server left one out.
        return out_of_step("a reply is missing", b"")
    if error.kind is Kind.TIMEOUT and broke.ends_in_dot:
        # RFC 1939, section 3: the end is CRLF, dot, CRLF. Some servers forget the first CRLF where a message has no
        # final line end; nothing tells that dot from one of the message's own, so it is not taken for the end.
        error = FerryError(
            Kind.SHORT, "it ends in a dot with no line end before it, and then the server is silent", cure=_NO_END
        )
    return _broken_at(number, error, broke)


def _broken_at(number: MessageNumber, error: FerryError, broke: Break) -> BrokenAtError:
    is_first = not broke.has_any_in_step and number == (broke.last or number)
    return BrokenAtError(Verb.RETR, number, error, is_first=is_first)


def blamed_command(
    error: FerryError,
    verb: Verb,
    due: tuple[Verb, int] | None,
    otherwise: Sequence[MessageNumber] = (),
    *,
    is_first: bool,
) -> FerryError:
    """Return the error that names the message whose reply to TOP or DELE was due, if one was.

    ``otherwise`` is blamed when nothing is due: the last header of a block behind which the step was lost. DELE has
    nobody to blame then, because a STAT that does not fit behind many DELEs points at none of them.
    """
    if error.kind not in LINE_ENDING:
        return error
    due_verb, number = due or (verb, 0)
    asked = number if due_verb is verb else 0
    culprit = MessageNumber(asked) if asked else next(iter(otherwise), None)
    return BrokenAtError(verb, culprit, error, is_first=is_first) if culprit else error


def has_lost_step(error: FerryError, *, has_begun: bool, is_pipelining_proven: bool) -> bool:
    """Say whether a server to which commands were sent ahead is to be asked one at a time from now on.

    It said what does not fit, or it answers none of the first commands that were sent ahead. One that breaks inside a
    reply, or after it has answered many, has another trouble.
    """
    is_mute = error.kind in {Kind.CONNECT, Kind.TIMEOUT} and not has_begun
    return isinstance(error, OutOfStepError) or (is_mute and not is_pipelining_proven)
