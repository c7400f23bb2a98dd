"""What IMAP servers and their users do, and what mailferry does then: the second table of docs/server-behaviour.md.

The source is a POP3 server in good health with ``MESSAGES`` and the policy "delete once verified", the most dangerous
one; the only destination is a mailbox that misbehaves. Then one more run, with the mailbox in good health.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass, replace

from migrator.policy import WhenCopyIsGone
from tests.scenarios.pop3 import MESSAGES
from tests.servers.imap import (
    CAPABILITIES,
    Answers,
    DropBefore,
    DropInside,
    DropUnanswered,
    Greets,
    HasRoomFor,
    ImapFault,
    Refuses,
    Stalls,
)
from tests.servers.mailboxes import INBOX, Mailboxes, unaltered

ALL = frozenset(range(len(MESSAGES)))
TWO = frozenset({0, 1})
THE_THIRD = frozenset({2})
PLAIN = ("IMAP4rev1", "AUTH=PLAIN")


@dataclass(frozen=True)
class ImapScenario:
    """One behaviour. ``does`` and ``we`` are the two columns of the published table.

    ``before`` is what the user does to the mailbox after a first run copied everything there and deleted nothing at
    the source. ``status`` and ``kinds`` are what the run against the ``faults`` reports, ``kept`` the places of the
    messages that it leaves at the source, ``missing`` of those that do not stand in the mailbox then. ``settled`` is
    the status of a run in good health after it, ``kept_for_good`` and ``missing_for_good`` are as above, then.
    """

    does: str
    we: str
    faults: Callable[[], Sequence[ImapFault]] = list
    _: KW_ONLY
    before: Callable[[Mailboxes], object] | None = None
    alters: Callable[[bytes], bytes] = unaltered
    capabilities: Sequence[str] = CAPABILITIES
    folder: str = "INBOX"
    gone: WhenCopyIsGone = WhenCopyIsGone.KEEP
    timeout: float = 8.0
    status: str = "ok"
    kinds: frozenset[str] = frozenset()
    kept: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    settled: str = "ok"
    kept_for_good: frozenset[int] = frozenset()
    missing_for_good: frozenset[int] = frozenset()


def _nothing_comes(does: str, we: str, *faults: ImapFault, kind: str, folder: str = "INBOX") -> ImapScenario:
    """Nothing is stored, and so nothing deleted; in good health all comes right."""
    return ImapScenario(
        does,
        we,
        lambda: deepcopy(faults),
        status="partial",
        kinds=frozenset({kind}),
        kept=ALL,
        missing=ALL,
        folder=folder,
    )


def _nothing_is_shown(does: str, we: str, *faults: ImapFault, kind: str) -> ImapScenario:
    """Everything is stored, but nothing of it can be proven, and so nothing is deleted."""
    return ImapScenario(
        does, we, lambda: deepcopy(faults), status="partial", kinds=frozenset({kind}), kept=ALL, timeout=1.0
    )


def _one_is_refused(does: str, we: str, fault: ImapFault, *, kind: str) -> ImapScenario:
    """One message stays at the source, all others arrive."""
    return ImapScenario(
        does, we, lambda: [fault], status="partial", kinds=frozenset({kind}), kept=THE_THIRD, missing=THE_THIRD
    )


def _all_arrive(does: str, we: str, *faults: ImapFault, capabilities: Sequence[str] = CAPABILITIES) -> ImapScenario:
    return ImapScenario(does, we, lambda: deepcopy(faults), capabilities=capabilities)


def _alter(content: bytes) -> bytes:
    return content.replace(b"From here", b"From nowhere")


def _expunge_two(mailboxes: Mailboxes) -> None:
    for uid in (1, 2):
        mailboxes.expunge(INBOX, uid)


def _restore_yesterday(mailboxes: Mailboxes) -> None:
    """Put back the folder as it was before the copies came, with its UIDVALIDITY and UIDNEXT of then."""
    mailboxes.put_back(Mailboxes().kept())


THROTTLED = b"NO Request is throttled. Suggested Backoff Time: %d milliseconds"
THIRD = b"<2@example.org>"
UNAVAILABLE = b"NO [UNAVAILABLE] try later"

SCENARIOS: dict[str, ImapScenario] = {
    "healthy": _all_arrive("behaves", "uploads, reads back, compares, deletes at the source"),
    "plain": _all_arrive("offers nothing but IMAP4rev1", "does the same", capabilities=PLAIN),
    # --- the line breaks ---
    "greets with BYE": _nothing_comes(
        "greets with BYE", "reports `temporary`", Greets(b"* BYE overloaded"), kind="temporary"
    ),
    "hangs up at log-in": _nothing_comes(
        "hangs up at log-in",
        "tries again, then reports `connect`",
        DropBefore("AUTHENTICATE"),
        DropBefore("LOGIN"),
        kind="connect",
    ),
    "drops before APPEND, once": _all_arrive(
        "hangs up at APPEND, once", "connects again and uploads", DropBefore("APPEND", times=1)
    ),
    "drops before APPEND": _nothing_comes(
        "hangs up at APPEND, always", "tries again, then reports `connect`", DropBefore("APPEND"), kind="connect"
    ),
    "drops inside APPEND, once": _all_arrive(
        "hangs up inside a message, once",
        "connects again, looks what is there, uploads the rest",
        DropInside("APPEND", times=1, after=500),
    ),
    "drops inside APPEND": _nothing_comes(
        "hangs up inside each message",
        "tries one at a time, then reports `connect`",
        DropInside("APPEND", after=100),
        kind="connect",
    ),
    "drops after APPEND, once": _all_arrive(
        "stores what came, and hangs up in place of its reply, once",
        "finds it there and uploads none of it again",
        DropUnanswered("APPEND", times=1),
    ),
    "drops after APPEND": _all_arrive("does so always", "does the same", DropUnanswered("APPEND")),
    "drops after APPEND, plain": _all_arrive(
        "does so once, and has neither UIDPLUS nor MULTIAPPEND",
        "does the same",
        DropUnanswered("APPEND", times=1),
        capabilities=PLAIN,
    ),
    "drops at FETCH, once": _all_arrive(
        "hangs up when copies are read back, once", "connects again and reads them", DropBefore("UID FETCH", times=1)
    ),
    "drops at FETCH": _nothing_is_shown(
        "hangs up when copies are read back, always",
        "proves nothing, deletes nothing, reports `connect`; later reads them and stores none twice",
        DropBefore("UID FETCH"),
        kind="connect",
    ),
    # --- silence ---
    "silent at APPEND": replace(
        _nothing_comes(
            "falls silent at APPEND", "gives up after the time-out, reports `timeout`", Stalls("APPEND"), kind="timeout"
        ),
        timeout=1.0,
    ),
    "silent at FETCH": _nothing_is_shown(
        "falls silent when copies are read back",
        "gives up after the time-out, reports `timeout`",
        Stalls("UID FETCH"),
        kind="timeout",
    ),
    # --- log-in and folder refused ---
    "wrong password": _nothing_comes(
        "refuses the password",
        "reports `auth` and does not try again",
        Answers("AUTHENTICATE", words=b"NO [AUTHENTICATIONFAILED] no"),
        Answers("LOGIN", words=b"NO [AUTHENTICATIONFAILED] no"),
        kind="auth",
    ),
    "busy at log-in": _nothing_comes(
        "says [UNAVAILABLE] at log-in",
        "reports `temporary`, never a bad password",
        Answers("AUTHENTICATE", words=UNAVAILABLE),
        Answers("LOGIN", words=UNAVAILABLE),
        kind="temporary",
    ),
    "folder refused": _nothing_comes(
        "refuses to create the folder",
        "reports `refused` with the server's words",
        Answers("CREATE", words=b"NO [CANNOT] bad name"),
        kind="refused",
        folder="Archive",
    ),
    "folder not opened": _nothing_comes(
        "refuses to open the folder",
        "reports `protocol` with the server's words",
        Answers("SELECT", words=b"NO no"),
        Answers("EXAMINE", words=b"NO no"),
        kind="protocol",
    ),
    "folder missing": _all_arrive(
        "says [TRYCREATE] at APPEND, once",
        "creates the folder and uploads again",
        Answers("APPEND", words=b"NO [TRYCREATE] no such folder", times=1),
    ),
    "folder never there": _nothing_comes(
        "says [TRYCREATE] at APPEND, always",
        "reports `refused`: the folder is not there",
        Answers("APPEND", words=b"NO [TRYCREATE] no such folder"),
        kind="refused",
    ),
    "folder read-only": _nothing_comes(
        "lets this user not write to the folder",
        "reports `refused`",
        Answers("APPEND", words=b"NO [NOPERM] read-only"),
        kind="refused",
    ),
    # --- no room ---
    "full": _nothing_comes("is full", "reports `quota`", HasRoomFor(0), kind="quota"),
    "nearly full": ImapScenario(
        "has room for four messages",
        "uploads four, deletes these at the source, reports `quota` for the rest",
        lambda: [HasRoomFor(4)],
        status="partial",
        kinds=frozenset({"quota"}),
        kept=frozenset(range(4, 9)),
        missing=frozenset(range(4, 9)),
    ),
    # --- one message refused ---
    "one too large": _one_is_refused(
        "finds one message too large",
        "uploads all others, reports it `too-large`",
        Refuses(THIRD, b"NO [TOOBIG] too much"),
        kind="too-large",
    ),
    "one refused": _one_is_refused(
        "refuses one message",
        "finds it in its batch, uploads all others, reports it `refused`",
        Refuses(THIRD, b"NO it looks like spam"),
        kind="refused",
    ),
    "one BAD": _one_is_refused(
        "answers one message with BAD",
        "does the same",
        Refuses(THIRD, b"BAD Command Argument Error 11"),
        kind="refused",
    ),
    "hangs up on one": _one_is_refused(
        "hangs up whenever one message is sent", "does the same", Refuses(THIRD), kind="refused"
    ),
    # --- asks for time ---
    "throttles, once": _all_arrive(
        "asks to be left alone for two seconds",
        "waits two seconds",
        Answers("APPEND", words=THROTTLED % 2_000, times=1),
    ),
    "throttles for long": _nothing_comes(
        "asks to be left alone for five minutes",
        "reports `temporary` with the time to wait",
        Answers("APPEND", words=THROTTLED % 300_000),
        kind="temporary",
    ),
    "APPEND unavailable": _nothing_comes(
        "says [UNAVAILABLE] at APPEND, always",
        "tries three times, reports `temporary`",
        Answers("APPEND", words=UNAVAILABLE),
        kind="temporary",
    ),
    # --- reading back refused ---
    "refuses FETCH, once": _all_arrive(
        "refuses to show copies, once", "asks again", Answers("UID FETCH", words=b"NO [SERVERBUG] oops", times=1)
    ),
    "refuses FETCH": _nothing_is_shown(
        "refuses to show copies, always",
        "proves nothing, deletes nothing, reports `short`",
        Answers("UID FETCH", words=b"NO [SERVERBUG] oops"),
        kind="short",
    ),
    # --- lies ---
    "lies at APPEND": _nothing_comes(
        "says that it stored the messages, and did not",
        "misses them in the folder, reports `mismatch`, uploads them again in the next run",
        Answers("APPEND", words=b"OK stored"),
        kind="mismatch",
    ),
    "lies with numbers": _nothing_comes(
        "does so and gives UIDs for them",
        "does the same",
        Answers("APPEND", words=b"OK [APPENDUID 1001 7001:7009] stored"),
        kind="mismatch",
    ),
    "lies, and gone is accepted": replace(
        _nothing_comes(
            'does so, with `when_copy_is_gone = "accept"`',
            "does the same: only what was proven once can be taken out",
            Answers("APPEND", words=b"OK [APPENDUID 1001 7001:7009] stored"),
            kind="mismatch",
        ),
        gone=WhenCopyIsGone.ACCEPT,
    ),
    "alters": ImapScenario(
        "alters what it stores",
        "reports `mismatch`, deletes nothing at the source, uploads none of it again",
        alters=_alter,
        status="partial",
        kinds=frozenset({"mismatch"}),
        kept=ALL,
        settled="partial",
        kept_for_good=ALL,
    ),
    "garbage": replace(
        _nothing_comes(
            "answers APPEND with nonsense",
            "gives up after the time-out, reports `timeout`",
            Answers("APPEND", words=b"WHAT ((("),
            kind="timeout",
        ),
        timeout=1.0,
    ),
    # --- what its user does ---
    "renewed": ImapScenario(
        "got a new UIDVALIDITY since the copies were stored",
        "finds the copies by their content, proves them again, uploads none",
        before=Mailboxes.renew,
    ),
    "expunged": ImapScenario(
        "lost two copies, which its user expunged",
        "keeps these two at the source, and says so",
        before=_expunge_two,
        kept=TWO,
        missing=TWO,
        kept_for_good=TWO,
        missing_for_good=TWO,
    ),
    "expunged, restored": ImapScenario(
        'did so, with `when_copy_is_gone = "restore"`',
        "uploads them again",
        before=_expunge_two,
        gone=WhenCopyIsGone.RESTORE,
    ),
    "expunged, accepted": ImapScenario(
        'did so, with `when_copy_is_gone = "accept"`',
        "takes them for stored: they were proven once",
        before=_expunge_two,
        gone=WhenCopyIsGone.ACCEPT,
        missing=TWO,
        missing_for_good=TWO,
    ),
    "moved": ImapScenario(
        "had one copy moved to another folder",
        "keeps its message at the source, uploads it not again",
        before=lambda mailboxes: mailboxes.move(INBOX, 3, b"Filed"),
        kept=THE_THIRD,
        kept_for_good=THE_THIRD,
    ),
    "emptied": ImapScenario(
        "was emptied, nine copies at once",
        "keeps all at the source, uploads none again, and says so",
        before=Mailboxes.expunge_all,
        kept=ALL,
        missing=ALL,
        kept_for_good=ALL,
        missing_for_good=ALL,
    ),
    "yesterday": ImapScenario(
        "was put back as it was before the copies came",
        "does the same",
        before=_restore_yesterday,
        kept=ALL,
        missing=ALL,
        kept_for_good=ALL,
        missing_for_good=ALL,
    ),
}
