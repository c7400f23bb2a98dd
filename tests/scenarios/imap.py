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
    WantsId,
)
from tests.servers.mailboxes import INBOX, Mailboxes, as_written, decomposed, unaltered

ALL = frozenset(range(len(MESSAGES)))
TWO = frozenset({0, 1})
THE_THIRD = frozenset({2})
PLAIN = ("IMAP4rev1", "AUTH=PLAIN")


@dataclass(frozen=True)
class ImapScenario:
    """One behaviour. ``does`` and ``we`` are the two columns of the published table.

    ``before`` is what the user does to the mailbox after a first run copied everything there and deleted nothing at
    the source. ``folders`` are there from the start; ``kept_as`` is what the server makes of their names. ``status`` and ``kinds`` are what the run against the ``faults`` reports, ``kept`` the places of the
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
    folders: Sequence[bytes] = (INBOX,)
    kept_as: Callable[[bytes], bytes] = as_written
    makes_no_folder: bool = False
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


def _finds_the_folder(
    does: str, we: str, folder: str, means: bytes, *, kept_as: Callable[[bytes], bytes] = as_written
) -> ImapScenario:
    """Everything goes into the folder that is meant, which is there already, and no other is made."""
    return ImapScenario(does, we, folder=folder, folders=(INBOX, means), kept_as=kept_as, makes_no_folder=True)


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
PASSING = b"NO Server Unavailable. 15"
NO_LIMIT = b'* QUOTAROOT "INBOX" ""\r\n* QUOTA "" (STORAGE 5 0)\r\nOK done'

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
    "goes down at APPEND": _nothing_comes(
        "says BYE [UNAVAILABLE] at APPEND, always",
        "tries again, then reports `temporary`",
        DropBefore("APPEND", bye=b"* BYE [UNAVAILABLE] going down for maintenance\r\n"),
        kind="temporary",
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
    "wants to know the program": replace(
        _all_arrive(
            "opens no folder before it knows which program asks (163.com)",
            "says its name by ID, where that is offered",
            WantsId(),
        ),
        capabilities=(*CAPABILITIES, "ID"),
    ),
    "never heard of ID": _all_arrive(
        "offers ID and refuses it",
        "goes on",
        Answers("ID", words=b"BAD what?"),
        capabilities=(*CAPABILITIES, "ID"),
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
    "no subscriptions": replace(
        _all_arrive(
            "creates the folder and refuses to subscribe to it", "goes on", Answers("SUBSCRIBE", words=b"NO not here")
        ),
        folder="Archive",
    ),
    "no such command as SUBSCRIBE": replace(
        _all_arrive("does not know SUBSCRIBE at all", "goes on", Answers("SUBSCRIBE", words=b"BAD what?")),
        folder="Archive",
    ),
    # --- names of folders ---
    "no case": _finds_the_folder(
        "has no case: its `Archive` is meant by `archive`",
        "uploads into that folder",
        "archive",
        b"Archive",
        kept_as=bytes.title,
    ),
    "no case for CREATE alone": replace(
        _nothing_comes(
            "has `Archive`, and creates no `archive` beside it",
            "reports `refused`: under which spelling it is there",
            Answers("CREATE", words=b"NO [ALREADYEXISTS] Duplicate folder name archive"),
            kind="refused",
            folder="archive",
        ),
        folders=(INBOX, b"Archive"),
    ),
    "drops blanks": _finds_the_folder(
        "drops the blanks at the end of a name",
        "knows the folder again",
        "Old mail ",
        b"Old mail",
        kept_as=bytes.rstrip,
    ),
    "keeps blanks": _finds_the_folder(
        "has a folder with a blank at its end", "uploads into that folder", "Old ", b"Old "
    ),
    "a slash at the end": _finds_the_folder(
        "is asked for a folder with `/` at its end", "leaves the `/` out", "Archive/", b"Archive"
    ),
    "decomposes": _finds_the_folder(
        "writes letters apart from their accents", "knows the folder again", "Büro", b"B&APw-ro", kept_as=decomposed
    ),
    "bare UTF-8": _finds_the_folder(
        "lists a name in bare UTF-8", "asks for it in the same bytes", "Büro", "Büro".encode()
    ),
    # --- no room ---
    "no limit": _all_arrive(
        "announces a quota of 0",
        "takes it for none",
        Answers("GETQUOTAROOT", words=NO_LIMIT),
        capabilities=(*CAPABILITIES, "QUOTA"),
    ),
    "full, in words": _nothing_comes(
        "says in words that it is full (GroupWise)",
        "reports `quota`",
        Answers("APPEND", words=b"NO APPEND The storage limit has been exceeded"),
        kind="quota",
    ),
    "full, as Courier says it": _nothing_comes(
        "says so with [ALERT] (Courier)",
        "reports `quota`",
        Answers("APPEND", words=b"NO [ALERT] You exceeded your mail quota."),
        kind="quota",
    ),
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
    "throttled by Gmail": _nothing_comes(
        "says [OVERQUOTA] and means bandwidth (Gmail)",
        "reports `temporary`, never a full mailbox",
        Answers("APPEND", words=b"NO [OVERQUOTA] Account exceeded command or bandwidth limits."),
        kind="temporary",
    ),
    "throttled by Yahoo": _nothing_comes(
        "says that a rate is exceeded (Yahoo)",
        "reports `temporary`",
        Answers("APPEND", words=b"NO [LIMIT] APPEND Rate limit hit."),
        kind="temporary",
    ),
    "too many connections": _nothing_comes(
        "has too many connections of this user (Gmail)",
        "reports `temporary`, never a bad password",
        Answers("AUTHENTICATE", words=b"NO [ALERT] Too many simultaneous connections. (Failure)"),
        Answers("LOGIN", words=b"NO [ALERT] Too many simultaneous connections. (Failure)"),
        kind="temporary",
    ),
    "maintenance": _nothing_comes(
        "is in maintenance, and says so in words",
        "reports `temporary`, never a bad password",
        Answers("AUTHENTICATE", words=b"NO Down for maintenance, please try again later"),
        Answers("LOGIN", words=b"NO Down for maintenance, please try again later"),
        kind="temporary",
    ),
    # --- what passes in a moment ---
    "one passing NO at log-in": _all_arrive(
        "is unavailable at log-in, once (Exchange)",
        "waits a moment and goes on",
        Answers("LOGIN", words=PASSING, times=1),
    ),
    "one passing NO at EXAMINE": _all_arrive(
        "is unavailable when the folder is opened, once", "does the same", Answers("EXAMINE", words=PASSING, times=1)
    ),
    "one passing NO at APPEND": _all_arrive(
        "is unavailable when messages are stored, once", "does the same", Answers("APPEND", words=PASSING, times=1)
    ),
    "one passing NO at APPEND, plain": _all_arrive(
        "does so at the third of single APPENDs",
        "does the same",
        Answers("APPEND", words=b"NO [SERVERBUG] Internal error occurred", skip=2, times=1),
        capabilities=PLAIN,
    ),
    "one passing NO at FETCH": _all_arrive(
        "is unavailable when copies are read back, once", "does the same", Answers("UID FETCH", words=PASSING, times=1)
    ),
    "locked": _nothing_comes(
        "says at APPEND that the mailbox is locked, always",
        "waits once, tries a few alone, reports `temporary`",
        Answers("APPEND", words=b"NO Mailbox is locked by another session"),
        kind="temporary",
    ),
    "stumbles over one": _one_is_refused(
        "fails at one message with [SERVERBUG], always",
        "finds it in its batch, uploads all others, reports it `temporary`",
        Refuses(THIRD, b"NO [SERVERBUG] Internal error occurred"),
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
