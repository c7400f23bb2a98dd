"""What servers do, and what mailferry does then: each row is run by the tests and printed in docs/server-behaviour.md.

A scenario runs with the policy "delete once verified", the most dangerous one, against a server that misbehaves;
then once more against the same maildrop on a server in good health.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial

from tests.mail import growing_letters
from tests.servers.pop3 import Maildrop
from tests.servers.pop3_faults import (
    AddedHeaders,
    Answers,
    AtMessages,
    CapabilitiesAfterLogin,
    ChangingUniqueIds,
    ConnectionsRefused,
    CountsMarked,
    CutShort,
    DeletesOnRetr,
    DotGlued,
    DropAfter,
    DropAfterBytes,
    DropBefore,
    DropInside,
    DropInsideRetr,
    DropUnanswered,
    EightBitUniqueIds,
    EmptyUniqueIds,
    EndlessLine,
    EndlessListing,
    EndlessMessage,
    GrowsOnRetr,
    InSessions,
    LinesEndInLf,
    ListingLines,
    LoginRefused,
    LongUniqueIds,
    NoUniqueIds,
    NumbersAsUniqueIds,
    OneByteAtATime,
    OnlyFirst,
    PasswordEchoed,
    PipelineReordered,
    PipelineSwallowed,
    QuitLies,
    QuitRefused,
    RepeatedUniqueIds,
    ReplyDoubled,
    ReplyMissing,
    ReplyStray,
    SessionEnds,
    SizesRoundedUntilRead,
    SpacesInUniqueIds,
    Stall,
    StatMoves,
    StatSays,
    TopDiffers,
    Unstuffed,
    Unsupported,
    Vanishes,
    WrongSizes,
)
from tests.servers.pop3_session import Fault

MESSAGES = growing_letters(9, by=17)
"""What the maildrop holds in every scenario."""


@dataclass(frozen=True)
class Scenario:
    """One behaviour. ``does`` and ``we`` are the two columns of the published table.

    ``status`` and ``kinds`` are what the first run reports; ``deleted`` how many messages it deletes, ``missing`` the
    places of those it cannot copy; None: it may depend on timing. ``never_given`` are messages that no server in
    good health will ever give, because they are gone or were changed.
    """

    does: str
    we: str
    faults: Callable[[], Sequence[Fault]]
    _: KW_ONLY
    status: str = "ok"
    kinds: frozenset[str] = frozenset()
    deleted: int | None = len(MESSAGES)
    missing: tuple[int, ...] = ()
    timeout: float = 8.0
    logins: int = 3
    maildrop: Callable[[], Maildrop] = field(default=lambda: Maildrop(MESSAGES))
    healthy_status: str = "ok"
    never_given: tuple[int, ...] = ()
    tells_truth: bool = True


def _is(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


def _is_of_the_third(line: bytes) -> bool:
    return line.endswith(b" %d" % len(MESSAGES[2]))


def _ends_after(count: int, is_silent: bool) -> Sequence[Fault]:
    return [SessionEnds(count, silently=is_silent)]


_ALL = tuple(range(len(MESSAGES)))

SCENARIOS: dict[str, Scenario] = {
    "healthy": Scenario("behaves", "copies, proves, deletes", list),
    # --- the line breaks ---
    "refuses connections": Scenario(
        "refuses connections",
        "tries three times within seconds, then reports `connect`",
        lambda: [ConnectionsRefused(0)],
        status="failed",
        kinds=_is("connect"),
        deleted=0,
        missing=_ALL,
    ),
    "hangs up at once": Scenario(
        "accepts and hangs up at once",
        "tries three times, then reports `connect`",
        lambda: [ConnectionsRefused(0, abruptly=True)],
        status="failed",
        kinds=_is("connect"),
        deleted=0,
        missing=_ALL,
    ),
    "drops at login": Scenario(
        "drops the line at AUTH and at PASS",
        "tries another way to log in, then reports `auth`, because that is how some servers say it",
        lambda: [DropBefore("AUTH"), DropBefore("PASS")],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
    ),
    "drops early": Scenario(
        "drops every session after 900 bytes, inside its first message",
        "takes it for that message twice, then gives up; nothing is deleted",
        lambda: [DropAfterBytes(900)],
        status="partial",
        kinds=_is("connect"),
        deleted=0,
        missing=_ALL,
    ),
    "drops once inside a message": Scenario(
        "drops the line inside a message, once",
        "logs in again, copies the others first, then this one",
        lambda: [DropInsideRetr(4, 40, times=1)],
    ),
    "resets once inside a message": Scenario(
        "resets the line inside a message, once",
        "does the same",
        lambda: [DropInsideRetr(4, 40, times=1, how="reset")],
    ),
    "drops always inside one message": Scenario(
        "drops the line inside one message, every time",
        "copies all others, tries this one twice, sets it aside and reports it",
        lambda: [DropInsideRetr(1, 40)],
        status="partial",
        kinds=_is("connect"),
        deleted=8,
        missing=(0,),
    ),
    "drops after each message's dot": Scenario(
        "drops the line after a message's last dot, once",
        "logs in again and goes on",
        lambda: [DropAfter("RETR", 5, times=1)],
    ),
    "drops between DELE and QUIT": Scenario(
        "drops the line after a DELE, once",
        "nothing was deleted; proves and deletes in a new session",
        lambda: [DropAfter("DELE", 5, times=1)],
    ),
    "drops before the reply to QUIT, having deleted": Scenario(
        "deletes at QUIT, and drops the line before its reply",
        "the next listing lacks the messages: counted as deleted then",
        lambda: [DropUnanswered("QUIT", times=1)],
    ),
    "drops before QUIT is obeyed": Scenario(
        "drops the line at QUIT and deletes nothing",
        "finds them listed, proves them again, deletes them",
        lambda: [DropBefore("QUIT", times=1)],
    ),
    "refuses QUIT": Scenario(
        "answers QUIT with -ERR, always, and deletes nothing",
        "tries with fewer messages a session, reports each deletion as not confirmed; no copy twice",
        lambda: [QuitRefused()],
        status="partial",
        kinds=_is("refused"),
        deleted=0,
        logins=4,
    ),
    "refuses QUIT having deleted most": Scenario(
        "answers QUIT with -ERR, once, and deletes all but two",
        "the next listing decides; the two are proven and deleted",
        lambda: [QuitRefused(2, times=1)],
    ),
    "lies at QUIT": Scenario(
        "answers QUIT with +OK and deletes nothing",
        "finds the messages again and deletes them with proof",
        lambda: [QuitLies(times=1)],
        deleted=None,
        logins=4,
        tells_truth=False,
    ),
    # --- silence ---
    "silent greeting": Scenario(
        "accepts and never greets",
        "gives up after the time-out, tries again, reports `timeout`",
        lambda: [Stall("GREETING")],
        status="failed",
        kinds=_is("timeout"),
        deleted=0,
        missing=_ALL,
        timeout=1.0,
    ),
    "stalls inside one message": Scenario(
        "falls silent inside one message, every time",
        "copies all others, tries this one twice, sets it aside and reports it",
        lambda: [Stall("RETR", 1, after=60)],
        status="partial",
        kinds=_is("timeout"),
        deleted=8,
        missing=(0,),
        timeout=1.0,
    ),
    "stalls at LIST": Scenario(
        "falls silent at LIST",
        "reports `timeout`",
        lambda: [Stall("LIST")],
        status="failed",
        kinds=_is("timeout"),
        deleted=0,
        missing=_ALL,
        timeout=1.0,
    ),
    "stalls at DELE": Scenario(
        "falls silent at DELE, once",
        "hangs up without QUIT; deletes in a new session",
        lambda: [Stall("DELE", 2, times=1)],
        timeout=1.0,
    ),
    "one byte at a time": Scenario("sends one byte at a time", "reads it", lambda: [OneByteAtATime()]),
    # --- sizes ---
    "sizes too small": Scenario(
        "announces smaller sizes than it sends",
        "reads each such message twice; two reads that agree settle it",
        lambda: [WrongSizes(-7)],
    ),
    "sizes too large": Scenario(
        "announces larger sizes than it sends",
        "does the same",
        lambda: [WrongSizes(500)],
    ),
    "half a message, properly ended": Scenario(
        "cuts one message short and ends it properly",
        "octets are missing where all others fit: not stored, not deleted, reported `short`",
        lambda: [CutShort(1)],
        status="partial",
        kinds=_is("short"),
        deleted=8,
        missing=(0,),
    ),
    "half a message, once": Scenario(
        "cuts one message short once",
        "reads it again, and takes the reading that has the octets announced",
        lambda: [CutShort(5, times=1)],
    ),
    # --- unique-ids ---
    "no UIDL": Scenario("has no UIDL", "tells messages by headers (TOP) and content", lambda: [NoUniqueIds()]),
    "empty unique-ids": Scenario("gives empty unique-ids", "does the same", lambda: [EmptyUniqueIds()]),
    "repeated unique-ids": Scenario(
        "gives one unique-id to three messages in a row",
        "tells them by number in a session, by content between them",
        lambda: [RepeatedUniqueIds(3)],
    ),
    "changing unique-ids": Scenario(
        "gives new unique-ids in each session",
        "recognises known mail by its headers",
        lambda: [ChangingUniqueIds()],
    ),
    "numbers as unique-ids": Scenario(
        "gives message numbers as unique-ids",
        "never deletes by unique-id alone",
        lambda: [NumbersAsUniqueIds()],
    ),
    "long unique-ids": Scenario("gives unique-ids of 500 bytes", "keeps them whole", lambda: [LongUniqueIds(500)]),
    "unique-ids with spaces": Scenario(
        "gives unique-ids that are equal up to a space",
        "keeps them whole",
        lambda: [SpacesInUniqueIds()],
    ),
    "8-bit unique-ids": Scenario(
        "gives unique-ids that are not text",
        "keeps the bytes",
        lambda: [EightBitUniqueIds()],
    ),
    # --- capabilities ---
    "no TOP": Scenario("has no TOP", "does without", lambda: [Unsupported("TOP")]),
    "no CAPA": Scenario("has no CAPA", "logs in with USER, one command at a time", lambda: [Unsupported("CAPA")]),
    "drops at CAPA": Scenario(
        "drops the line at CAPA",
        "connects again without CAPA, and remembers",
        lambda: [DropBefore("CAPA")],
    ),
    "stalls at CAPA": Scenario(
        "falls silent at CAPA",
        "connects again without CAPA, and remembers",
        lambda: [Stall("CAPA")],
        timeout=1.0,
    ),
    "capabilities after login": Scenario(
        "offers TOP and PIPELINING after log-in only, as Gmail",
        "asks CAPA again after log-in",
        lambda: [CapabilitiesAfterLogin()],
    ),
    "loses pipelined commands": Scenario(
        "offers PIPELINING and forgets commands that come together",
        "goes on one command at a time, and remembers",
        lambda: [PipelineSwallowed()],
        timeout=1.0,
    ),
    "reorders pipelined commands": Scenario(
        "offers PIPELINING and answers in another order",
        "goes on one command at a time, and remembers",
        lambda: [PipelineReordered()],
        timeout=1.0,
    ),
    # --- views ---
    "shows only the first four": Scenario(
        "shows only the first four messages in a session, as Gmail shows some hundreds",
        "logs in again until nothing new is shown",
        lambda: [OnlyFirst(4)],
        logins=4,
    ),
    "shows a part and then refuses": Scenario(
        "shows four messages in a session, and refuses the third log-in with [LOGIN-DELAY]",
        "reports that a part was shown and the rest follows at the next run: `login-delay`",
        lambda: [OnlyFirst(4), InSessions(LoginRefused("[LOGIN-DELAY] wait 300 seconds"), first=3)],
        status="partial",
        kinds=_is("login-delay"),
        deleted=8,
        missing=(8,),
    ),
    "more listed than STAT says": Scenario(
        "lists more messages than STAT counts",
        "copies them; before QUIT it asks LIST, which lists none of the deleted ones any more",
        lambda: [StatSays(5, 1000)],
    ),
    "counts what is marked": Scenario(
        "counts marked messages in STAT until QUIT",
        "asks LIST, which lists them no more",
        lambda: [CountsMarked(["STAT"])],
    ),
    "counts and lists what is marked": Scenario(
        "counts and lists marked messages until QUIT, as Twisted",
        "says QUIT, and lets the next listing tell what has gone",
        lambda: [CountsMarked()],
    ),
    "counts what is marked and keeps it": Scenario(
        "counts and lists marked messages, and deletes nothing at QUIT",
        "reports that the deletions are not confirmed, with a cure; no copy twice",
        lambda: [CountsMarked(), QuitLies()],
        status="partial",
        kinds=_is("protocol"),
        deleted=0,
        logins=4,
    ),
    "counts new mail at once": Scenario(
        "counts in STAT what arrives during the session",
        "takes it for what it is; the number of a session in step may grow",
        lambda: [GrowsOnRetr()],
        logins=4,
    ),
    "corrects sizes": Scenario(
        "estimates sizes and corrects them, in STAT too, once a message was retrieved",
        "reads each such message twice; octets count for nothing in STAT then",
        lambda: [SizesRoundedUntilRead()],
    ),
    "STAT's octets move": Scenario(
        "gives other octets at each STAT",
        "tells it from a lost step by a NOOP, and remembers that octets count for nothing there",
        lambda: [StatMoves()],
    ),
    # --- odd listings ---
    "blank lines in LIST and UIDL": Scenario(
        "puts blank lines into LIST and UIDL",
        "takes no notice",
        lambda: [ListingLines(verb, lambda lines: [b"", *lines[:3], b" ", *lines[3:]]) for verb in ("LIST", "UIDL")],
    ),
    "tabs in LIST and UIDL": Scenario(
        "writes tabs for spaces in LIST and UIDL",
        "reads them",
        lambda: [
            ListingLines(verb, lambda lines: [line.replace(b" ", b"\t") for line in lines]) for verb in ("LIST", "UIDL")
        ],
    ),
    "a LIST line without a size": Scenario(
        "leaves out the size of one message in LIST",
        "takes it as announced with none: two reads that agree settle it",
        lambda: [
            ListingLines("LIST", lambda lines: [line.split()[0] if at == 2 else line for at, line in enumerate(lines)])
        ],
    ),
    "a number listed twice": Scenario(
        "lists one message twice, with two sizes and two unique-ids",
        "takes it once, and tells it by its content",
        lambda: [
            ListingLines("LIST", lambda lines: [*lines, b"3 12345"] if len(lines) > 3 else lines),
            ListingLines("UIDL", lambda lines: [*lines, b"3 other"] if len(lines) > 3 else lines),
        ],
    ),
    "a unique-id of 5,000 octets": Scenario(
        "gives one message a unique-id of 5,000 octets",
        "tells that message by its content",
        lambda: [
            ListingLines("UIDL", lambda lines: [lines[0] + b"x" * 5000, *lines[1:]] if len(lines) > 3 else lines),
        ],
    ),
    "a UIDL line without a number": Scenario(
        "leaves out the number in one line of UIDL",
        "tells that message by its content",
        lambda: [
            ListingLines("UIDL", lambda lines: [line.split()[-1] if at == 2 else line for at, line in enumerate(lines)])
        ],
    ),
    "a LIST line without a number": Scenario(
        "leaves out the number in one line of LIST",
        "reports the line, copies all others",
        lambda: [ListingLines("LIST", lambda lines: [b"what?" if _is_of_the_third(line) else line for line in lines])],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        missing=(2,),
        logins=5,
    ),
    # --- lines that carry little ---
    **{
        f"ends after {count} messages{', silently' if is_silent else ''}": Scenario(
            f"{'falls silent' if is_silent else 'hangs up'} in every session after {count} message{'s' * (count > 1)}",
            "keeps what came, holds shorter sessions that come to their QUIT, and copies all in one run",
            partial(_ends_after, count, is_silent),
            timeout=0.5 if is_silent else 8.0,
            logins=40,
        )
        for count in (1, 3)
        for is_silent in (False, True)
    },
    "ends right behind the first message": Scenario(
        "hangs up in every session right behind its first message",
        "keeps it: it was alone on the line and came with its octets",
        lambda: [SessionEnds(1, at_once=True)],
        status="partial",
        kinds=_is("connect"),
        deleted=0,
        logins=40,
    ),
    # --- messages that break the line ---
    "several break the line": Scenario(
        "drops the line inside the first three messages and the last, every time",
        "begins elsewhere, copies all others, sets these four aside and reports them",
        lambda: [AtMessages("RETR", [1, 2, 3, 9], DropInside("RETR", after=40))],
        status="partial",
        kinds=_is("connect"),
        deleted=5,
        missing=(0, 1, 2, 8),
        logins=14,
    ),
    "several never end": Scenario(
        "never ends two messages, and falls silent inside a third",
        "copies all others, sets these three aside and reports them",
        lambda: [AtMessages("RETR", [2, 3], EndlessMessage()), AtMessages("RETR", [5], Stall("RETR", after=60))],
        status="partial",
        kinds=_is("protocol", "timeout"),
        deleted=6,
        missing=(1, 2, 4),
        timeout=1.0,
        logins=14,
    ),
    "a DELE that breaks the line": Scenario(
        "drops the line at DELE of one message, every time",
        "leaves that one out, deletes the others, tries it alone and reports it",
        lambda: [AtMessages("DELE", [2], DropBefore("DELE"))],
        status="partial",
        kinds=_is("connect"),
        deleted=8,
        logins=4,
    ),
    "a DELE that is answered with nonsense": Scenario(
        "answers DELE of one message with an empty line (Outlook), every time",
        "leaves that one out, deletes the others, tries it alone and reports it",
        lambda: [AtMessages("DELE", [1], Answers("DELE", words=""))],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        logins=4,
    ),
    "a DELE that breaks after five": Scenario(
        "drops the line at the sixth DELE of every session",
        "deletes fewer messages in a session, and so all",
        lambda: [SessionEnds(5, at="DELE")],
        logins=9,
    ),
    "a message vanishes": Scenario(
        "has lost a message since it was listed",
        "reports it `refused`; copies the others",
        lambda: [Vanishes(6)],
        status="partial",
        kinds=_is("refused"),
        deleted=8,
        never_given=(5,),
    ),
    "refuses one message": Scenario(
        "answers RETR with -ERR for one message",
        "reports it `refused`, copies the others",
        lambda: [Answers("RETR", 1, words="-ERR cannot open message")],
        status="partial",
        kinds=_is("refused"),
        deleted=8,
        missing=(0,),
    ),
    "deletes on RETR": Scenario(
        "deletes each message as soon as it was retrieved",
        "copies them; where it says so (`EXPIRE 0`), each is durable before the next is asked for",
        lambda: [DeletesOnRetr()],
        deleted=None,
    ),
    "adds headers": Scenario(
        "adds Status and X-UID headers from the second session on",
        "leaves them out of the comparison",
        lambda: [AddedHeaders()],
    ),
    "TOP differs": Scenario("shows other headers by TOP than by RETR", "proves by content", lambda: [TopDiffers()]),
    "LF line ends": Scenario("ends its lines in a bare LF", "reads it", lambda: [LinesEndInLf()]),
    # --- garbage ---
    "another service": Scenario(
        "greets as an IMAP server (so with SMTP, FTP, HTTP, SSH)",
        "says what it is and which ports are POP3's; does not try again",
        lambda: [Answers("GREETING", words="* OK [CAPABILITY IMAP4rev1] ready")],
        status="failed",
        kinds=_is("protocol"),
        deleted=0,
        missing=_ALL,
        logins=0,
    ),
    "endless greeting": Scenario(
        "never ends its greeting",
        "stops at 64 KiB at most, reports `protocol`",
        lambda: [EndlessLine("GREETING")],
        status="failed",
        kinds=_is("protocol"),
        deleted=0,
        missing=_ALL,
    ),
    "endless line at RETR": Scenario(
        "never ends the status line of one message",
        "stops, copies the others, reports it",
        lambda: [EndlessLine("RETR", 1)],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        missing=(0,),
    ),
    "endless LIST": Scenario(
        "never ends LIST",
        "stops at a bound by STAT, reports `protocol`",
        lambda: [EndlessListing("LIST")],
        status="failed",
        kinds=_is("protocol"),
        deleted=0,
        missing=_ALL,
    ),
    "endless UIDL": Scenario(
        "never ends UIDL",
        "stops at a bound by STAT, reports `protocol`",
        lambda: [EndlessListing("UIDL")],
        status="failed",
        kinds=_is("protocol"),
        deleted=0,
        missing=_ALL,
    ),
    "endless CAPA": Scenario(
        "never ends CAPA",
        "stops at 200 lines, reports `protocol`",
        lambda: [EndlessListing("CAPA")],
        status="failed",
        kinds=_is("protocol"),
        deleted=0,
        missing=_ALL,
    ),
    "endless message": Scenario(
        "never ends one message",
        "stops in proportion to its announced size, copies the others, reports it",
        lambda: [EndlessMessage(1)],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        missing=(0,),
    ),
    "endless message of one line": Scenario(
        "never ends one line of one message",
        "does the same",
        lambda: [EndlessMessage(1, one_line=True)],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        missing=(0,),
    ),
    "dot without a line end": Scenario(
        "ends one message with a dot that no line end precedes, and waits (Exchange 2000)",
        "recognises it after the time-out, copies the others, reports it `short`",
        lambda: [DotGlued(1)],
        status="partial",
        kinds=_is("short"),
        deleted=8,
        missing=(0,),
        timeout=1.0,
    ),
    "missing dot-stuffing": Scenario(
        "does not double leading dots, in one message",
        "notices that step is lost, hangs up, reports that message",
        lambda: [Unstuffed(1)],
        status="partial",
        kinds=_is("protocol"),
        deleted=8,
        missing=(0,),
        timeout=1.0,
    ),
    # --- log-in refused ---
    "wrong password": Scenario(
        "says [AUTH]",
        "reports `auth` and does not try again",
        lambda: [LoginRefused("[AUTH] wrong password")],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
    "refusal without a code": Scenario(
        "refuses the password without a response code",
        "reports `auth` and does not try again",
        lambda: [LoginRefused("no")],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
    "echoes the password": Scenario(
        "repeats the password in its refusal",
        "reports `auth`, without the password",
        lambda: [PasswordEchoed()],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
    "in use": Scenario(
        "says [IN-USE]",
        "tries three times within seconds, reports `in-use`, never a bad password",
        lambda: [LoginRefused("[IN-USE] maildrop is locked")],
        status="failed",
        kinds=_is("in-use"),
        deleted=0,
        missing=_ALL,
    ),
    "in use at first": Scenario(
        "says [IN-USE] once",
        "waits and goes on",
        lambda: [LoginRefused(times=1)],
    ),
    "temporary": Scenario(
        "says [SYS/TEMP]",
        "tries three times within seconds, reports `temporary`",
        lambda: [LoginRefused("[SYS/TEMP] try later")],
        status="failed",
        kinds=_is("temporary"),
        deleted=0,
        missing=_ALL,
    ),
    "a limit in words": Scenario(
        "refuses the log-in with words for its limit, and no response code (Outlook)",
        "reports `login-delay`, never a bad password; waits for as long as they say",
        lambda: [LoginRefused("Exceeded the login limit for a 15 minute period.")],
        status="failed",
        kinds=_is("login-delay"),
        deleted=0,
        missing=_ALL,
    ),
    "a limit in Chinese": Scenario(
        "says in UTF-8 or GBK that log-ins come too often (QQ, Sina)",
        "does the same, and shows the words",
        lambda: [LoginRefused("登录太频繁, 请15分钟后再试")],
        status="failed",
        kinds=_is("login-delay"),
        deleted=0,
        missing=_ALL,
    ),
    "in use in words": Scenario(
        "says `duplicate login!` (Sina)",
        "tries three times within seconds, reports `in-use`, never a bad password",
        lambda: [LoginRefused("duplicate login!")],
        status="failed",
        kinds=_is("in-use"),
        deleted=0,
        missing=_ALL,
    ),
    "a fault in words": Scenario(
        "cannot open the mailbox, and says so with `+ERR` (hMailServer)",
        "tries three times within seconds, reports `temporary`",
        lambda: [Answers("AUTH", words="+ERR Server error: Failed to fetch messages in Inbox.")],
        status="failed",
        kinds=_is("temporary"),
        deleted=0,
        missing=_ALL,
    ),
    "names password and load": Scenario(
        "names the password and its load in one sentence (QQ)",
        "reports `auth`: the password comes first",
        lambda: [LoginRefused("Login fail. Service is not open, password is incorrect, or system is busy.")],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
    "too many connections": Scenario(
        "greets with `-ERR Too many connections`",
        "tries three times within seconds, reports `temporary`",
        lambda: [Answers("GREETING", words="-ERR Too many connections from your address")],
        status="failed",
        kinds=_is("temporary"),
        deleted=0,
        missing=_ALL,
    ),
    "a limit at LIST": Scenario(
        "lets in, and refuses LIST with words for its limit",
        "reports `login-delay`",
        lambda: [Answers("LIST", words="-ERR Exceeded the login limit for a 15 minute period.")],
        status="failed",
        kinds=_is("login-delay"),
        deleted=0,
        missing=_ALL,
    ),
    "a limit at RETR": Scenario(
        "refuses every RETR from the fifth on with words for its daily limit (163)",
        "keeps what came, ends the session, reports `quota` once; no message is at fault",
        lambda: [Answers("RETR", words="-ERR Download exceed. msg=5", skip=4)],
        status="partial",
        kinds=_is("quota"),
        deleted=0,
        missing=_ALL[4:],
    ),
    "a limit at DELE": Scenario(
        "refuses every DELE from the second on with words for its limit",
        "deletes the first, reports `login-delay` once for all others",
        lambda: [Answers("DELE", words="-ERR Too many requests, try again later", skip=1)],
        status="partial",
        kinds=_is("login-delay"),
        deleted=1,
    ),
    "a challenge refused": Scenario(
        "offers SCRAM and CRAM-MD5 and refuses them, because it keeps passwords hashed",
        "sends the password itself where the line allows it, and remembers",
        lambda: [Answers("AUTH", words="-ERR [AUTH] wrong password", times=1)],
    ),
    "no AUTH": Scenario(
        "offers SASL and knows no AUTH (hMailServer)",
        "goes on with USER and PASS, and remembers",
        lambda: [Answers("AUTH", words="-ERR Invalid command in current state.")],
    ),
    "refuses APOP": Scenario(
        "greets with a timestamp and refuses APOP",
        "goes on with USER and PASS, and remembers",
        lambda: [Unsupported("SASL"), Answers("APOP", words="-ERR [AUTH] no")],
    ),
    "refuses APOP without CAPA": Scenario(
        "has no CAPA, greets with a timestamp and refuses APOP (solid-pop3d)",
        "goes on with USER and PASS, and remembers",
        lambda: [Unsupported("CAPA"), Answers("APOP", words="-ERR authentication failed")],
    ),
    "a greeting of several lines": Scenario(
        "greets with a blank line, then with two more",
        "takes them for one greeting",
        lambda: [ReplyStray("GREETING", line=b"", before=True), ReplyStray("GREETING", line=b"All of this is watched")],
    ),
    "two greetings": Scenario(
        "greets twice with +OK, at once",
        "takes both for one greeting: nothing was asked that the second could answer",
        lambda: [ReplyStray("GREETING", line=b"+OK and welcome")],
    ),
    "permanent": Scenario(
        "says [SYS/PERM]",
        "reports `refused`; an operator is needed",
        lambda: [LoginRefused("[SYS/PERM] no mailbox")],
        status="failed",
        kinds=_is("refused"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
    "an unknown code": Scenario(
        "refuses with a response code that nobody knows",
        "reports `auth` with the server's words",
        lambda: [LoginRefused("[X-STRANGE] no")],
        status="failed",
        kinds=_is("auth"),
        deleted=0,
        missing=_ALL,
        logins=1,
    ),
}


def _once(does: str, fault: Callable[[], Fault]) -> Scenario:
    we = "hangs up without QUIT where a step may be lost, and goes on in a new session"
    return Scenario(does, we, lambda: [fault()], deleted=None, timeout=1.0)


for verb in ("STAT", "LIST", "UIDL", "RETR", "DELE", "QUIT"):
    SCENARIOS |= {
        f"stray reply at {verb}": _once(
            f"says one line more than asked at {verb}, once", partial(ReplyStray, verb, times=1)
        ),
        f"doubled reply at {verb}": _once(f"sends a reply to {verb} twice, once", partial(ReplyDoubled, verb, times=1)),
        f"missing reply at {verb}": _once(f"obeys {verb} without a reply, once", partial(ReplyMissing, verb, times=1)),
    }
