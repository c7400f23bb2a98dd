from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from migrator.errors import FerryError, Kind, Scope
from migrator.message.digest import HeaderFacts, header_block, header_facts
from migrator.model import ListedMessage, MessageNumber, UniqueId
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode, TlsSettings
from migrator.pop3.connection import Conversation
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.listing import Marked
from migrator.pop3.protocol import OutOfStepError, Verb
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session
from migrator.pop3.transport import HANG_UP, Saying
from tests.unit.pop3.scripted import (
    CAPA,
    PASSWORD,
    Maildrop,
    MemorySpool,
    Opened,
    Room,
    opened,
    refused,
    sample,
    source,
)

MAIL = [sample(number) for number in range(1, 21)]
LOCK_STEP = ServerProfile(lock_step=True)
PROFILES = pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])


# --- opening ---


def test_capabilities_are_asked_before_and_after_the_login() -> None:
    one = opened(Maildrop(MAIL))
    assert one.heard == [b"CAPA\r\n", b"USER alice\r\n", b"PASS pass-word-1\r\n", b"CAPA\r\n"]
    assert one.session.capabilities.pipelining
    assert one.session.profile == ServerProfile()


def test_the_second_capa_and_the_listing_take_one_round_trip() -> None:
    drop = Maildrop(MAIL)
    owed: list[bytes] = []

    def answering_late(line: bytes) -> Iterator[Saying]:
        """Say nothing to any of the four before all have been heard."""
        if not line.startswith((b"CAPA", b"STAT", b"LIST", b"UIDL")):
            yield from drop(line)
            return
        owed.append(line)
        if len(owed) in {1, 5}:
            for one in owed[1:] or owed:
                yield from drop(one)

    one = opened(answering_late)
    assert one.session.listing().count == 20
    assert owed[1:] == [b"CAPA\r\n", b"STAT\r\n", b"LIST\r\n", b"UIDL\r\n"]


@pytest.mark.parametrize("before", [CAPA, CAPA[:2]])
@pytest.mark.parametrize("after", [[*CAPA, "EXPIRE 0"], CAPA, CAPA[:2]])
@PROFILES
def test_what_capa_says_after_the_login_counts(
    before: Sequence[str], after: Sequence[str], profile: ServerProfile
) -> None:
    drop = Maildrop(MAIL, capa=before)

    def telling_more(line: bytes) -> Iterator[Saying]:
        if line.startswith(b"PASS"):
            drop.capa = after
        return drop(line)

    session = opened(telling_more, profile).session
    assert session.listing().count == 20
    assert session.retrieving_deletes is ("EXPIRE 0" in after)
    assert session.is_pipelined is (after == CAPA and not profile.lock_step)


@pytest.mark.parametrize("answer", [[b""], [HANG_UP]])
def test_a_server_that_cannot_bear_capa_is_tried_again_without_and_remembered(answer: list[Saying]) -> None:
    one = opened(Maildrop(MAIL, says={"CAPA": answer}))
    assert len(one.streams) == 2
    assert one.streams[0].is_closed
    assert one.heard == [b"USER alice\r\n", b"PASS pass-word-1\r\n"]
    assert one.session.profile == ServerProfile(no_capa=True)
    assert not one.session.is_pipelined


@pytest.mark.parametrize("answer", [b"", HANG_UP])
def test_a_server_that_cannot_bear_capa_behind_the_login_is_known_after_one_session(answer: Saying) -> None:
    drop = Maildrop(MAIL)
    is_logged_in = False

    def script(line: bytes) -> Iterator[Saying]:
        nonlocal is_logged_in
        if line == b"CAPA\r\n" and is_logged_in:
            return iter([answer])
        is_logged_in = line.startswith(b"PASS") or (is_logged_in and not line.startswith(b"USER"))
        return drop(line)

    first = opened(script)
    with pytest.raises(FerryError):
        first.session.listing()
    assert first.is_closed
    is_logged_in = False
    second = opened(script, first.session.profile)
    assert second.session.profile.no_capa
    assert second.session.listing().count == 20


def test_a_server_without_capa_is_served_in_lock_step() -> None:
    one = opened(Maildrop(MAIL, says={"CAPA": [b"-ERR what?\r\n"]}))
    assert len(one.streams) == 1
    assert not one.session.capabilities.is_known
    assert not one.session.is_pipelined
    assert one.session.profile == ServerProfile()


def test_endless_capabilities_end_the_session() -> None:
    error = refused(Maildrop(MAIL, says={"CAPA": [b"+OK\r\n" + b"X\r\n" * 300 + b".\r\n"]}))
    assert error.kind is Kind.PROTOCOL
    error = refused(Maildrop(MAIL, says={"CAPA": [b"+OK\r\n" + b"X" * 100_000]}))
    assert error.kind is Kind.PROTOCOL


def test_a_refusing_greeting_is_told_with_its_words() -> None:
    error = refused(Maildrop(MAIL), greeting=b"-ERR [SYS/TEMP] come back tomorrow\r\n")
    assert (error.kind, error.server_words) == (Kind.TEMPORARY, "[SYS/TEMP] come back tomorrow")
    assert error.endpoint == source().endpoint


@pytest.mark.parametrize("verb", ["STAT", "UIDL", "RETR", "TOP", "DELE"])
def test_whatever_breaks_a_session_names_its_server(verb: str) -> None:
    with pytest.raises(FerryError) as raised:
        worked_through(opened(Maildrop(MAIL, says={verb: [HANG_UP]})).session)
    assert raised.value.endpoint == source().endpoint


def worked_through(session: Session) -> None:
    session.listing().close()
    list(session.top([MessageNumber(1)]))
    wanted = iter([ListedMessage(MessageNumber(1), UniqueId(b""), len(MAIL[0]))])
    list(session.retrieve(wanted, Room(), MemorySpool))
    list(session.delete([MessageNumber(1)]))


@pytest.mark.parametrize(
    "greeting", [b"220 smtp.example.org ESMTP\r\n", b"* OK IMAP4rev1\r\n", b"HTTP/1.1 400 Bad\r\n"]
)
def test_another_protocol_is_no_pop3(greeting: bytes) -> None:
    assert refused(Maildrop(MAIL), greeting=greeting).kind is Kind.PROTOCOL


# --- STARTTLS ---

STARTTLS = TlsSettings(TlsMode.STARTTLS)


def test_starttls_comes_before_anything_secret_and_capabilities_are_asked_anew() -> None:
    one = opened(Maildrop(MAIL, capa=[*CAPA, "STLS"]), tls=STARTTLS, host="pop.example.org")
    assert one.heard[:4] == [b"CAPA\r\n", b"STLS\r\n", b"CAPA\r\n", b"USER alice\r\n"]
    assert one.streams[0].is_encrypted


def test_starttls_that_is_not_offered_or_refused_ends_it_before_the_login() -> None:
    for drop in (
        Maildrop(MAIL),
        Maildrop(MAIL, capa=[*CAPA, "STLS"], says={"STLS": [b"-ERR no\r\n"]}),
        Maildrop(MAIL, says={"CAPA": [b"-ERR\r\n"], "STLS": [b"-ERR\r\n"]}),
    ):
        error = refused(drop, tls=STARTTLS)
        assert error.kind is Kind.TLS
        assert PASSWORD not in str(error)


def test_replies_injected_before_encryption_are_refused() -> None:
    drop = Maildrop(MAIL, capa=[*CAPA, "STLS"], says={"STLS": [b"+OK\r\n+OK injected\r\n"]})
    error = refused(drop, tls=STARTTLS)
    assert error.kind is Kind.PROTOCOL
    drop = Maildrop(MAIL, capa=[*CAPA, "STLS"], says={"STLS": [b"+OK\r\n", b"+OK injected\r\n"]})
    assert refused(drop, tls=STARTTLS).kind is Kind.PROTOCOL


# --- step by step ---


def read(one: Opened, *numbers: int) -> None:
    """Ask for these messages' headers: without having been asked for, none may be deleted."""
    list(one.session.top(one.numbers(*numbers)))


def falling_silent(drop: Maildrop, at: bytes) -> Callable[[bytes], Iterator[Saying]]:
    """Let a server say nothing more behind its answer to one command, whatever was sent ahead."""
    heard: list[bytes] = []

    def script(line: bytes) -> Iterator[Saying]:
        is_silent = at + b"\r\n" in heard
        heard.append(line)
        return iter(()) if is_silent else drop(line)

    return script


@PROFILES
def test_what_was_not_asked_for_in_this_session_is_not_deleted_and_nothing_else_either(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    one.session.listing()
    read(one, 1)
    list(
        one.session.retrieve(iter([ListedMessage(MessageNumber(3), UniqueId(b""), len(MAIL[2]))]), Room(), MemorySpool)
    )
    with pytest.raises(FerryError, match="message 2 was to be deleted without having been read") as caught:
        list(one.session.delete(one.numbers(1, 3, 2)))
    assert caught.value.kind is Kind.INTERNAL
    assert not [line for line in one.heard if line.startswith(b"DELE")]
    assert one.is_closed
    assert b"QUIT\r\n" not in one.heard


@PROFILES
def test_what_was_retrieved_or_shown_by_top_may_be_deleted(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    listing = one.session.listing()
    read(one, 1)
    rest = [message for message in listing if message.number > 1]
    list(one.session.retrieve(iter(rest), Room(), MemorySpool))
    list(one.session.delete(one.numbers(*range(1, 21))))
    assert one.session.quit() == "fine"


@PROFILES
@pytest.mark.parametrize("answer", [b"\r\n", b"250 fine\r\n", b"", HANG_UP])
@pytest.mark.parametrize(("number", "is_first"), [(1, True), (2, False)])
def test_a_dele_that_breaks_the_session_names_its_message(
    answer: Saying, number: int, is_first: bool, profile: ServerProfile
) -> None:
    one = opened(falling_silent(Maildrop(MAIL, says={f"DELE {number}": [answer]}), b"DELE %d" % number), profile)
    one.session.listing()
    read(one, 1, 2, 3)
    with pytest.raises(BrokenAtError) as caught:
        list(one.session.delete(one.numbers(1, 2, 3)))
    assert (caught.value.verb, caught.value.number, caught.value.is_first) == (Verb.DELE, number, is_first)
    assert one.is_closed


class MarkedStay(Maildrop):
    """Counts what is marked until QUIT, in STAT (with and without its octets) and where told so in LIST."""

    lists = True

    def __call__(self, line: bytes) -> Iterator[Saying]:
        if line == b"STAT\r\n":
            yield b"+OK 20 %d\r\n" % sum(len(message) for message in MAIL)
        elif line == b"LIST\r\n" and self.lists:
            sizes = (0 if n in self.deleted else len(message) for n, message in enumerate(MAIL, 1))
            yield b"+OK\r\n" + b"".join(b"%d %d\r\n" % entry for entry in enumerate(sizes, 1)) + b".\r\n"
        else:
            yield from super().__call__(line)


@PROFILES
def test_where_stat_counts_what_is_marked_list_tells_that_it_goes(profile: ServerProfile) -> None:
    drop = MarkedStay(MAIL)
    drop.lists = False
    one = opened(drop, profile)
    one.session.listing()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    assert one.session.shows_marked() is Marked.GONE
    assert one.session.quit() == "fine"
    assert one.heard[-3:] == [b"STAT\r\n", b"LIST\r\n", b"QUIT\r\n"]


@PROFILES
def test_where_stat_and_list_show_all_that_is_marked_only_quit_can_tell(profile: ServerProfile) -> None:
    one = opened(MarkedStay(MAIL), profile)
    one.session.listing()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    assert one.session.shows_marked() is Marked.SHOWN
    assert one.session.quit() == "fine"


def test_new_mail_that_stat_counts_behind_deletions_does_not_take_them_back() -> None:
    drop = Maildrop(MAIL)
    one = opened(drop)
    one.session.listing()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    drop.messages = [*MAIL, sample(21)]
    assert one.session.shows_marked() is Marked.GONE
    assert one.session.quit() == "fine"


def test_a_message_that_vanished_behind_deletions_is_no_reason_to_quit() -> None:
    drop = Maildrop(MAIL)
    one = opened(drop)
    one.session.listing()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    drop.deleted.add(9)
    with pytest.raises(OutOfStepError, match="no longer listed"):
        one.session.quit()
    assert one.is_closed


@PROFILES
def test_delete_counts_only_after_quit_and_a_fitting_stat(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    assert one.session.stat().count == 20
    read(one, 1, 2, 99)
    assert list(one.session.delete(one.numbers(1, 2, 99))) == [
        (1, None),
        (2, None),
        (99, _Refusal()),
    ]
    assert one.session.quit() == "fine"
    assert one.heard[-2:] == [b"STAT\r\n", b"QUIT\r\n"]
    assert one.is_closed


@PROFILES
def test_one_fitting_stat_behind_the_last_dele_is_enough(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    one.session.listing()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    one.session.stat()
    one.session.quit()
    assert one.heard[-3:] == [b"DELE 2\r\n", b"STAT\r\n", b"QUIT\r\n"]


@PROFILES
def test_a_stat_before_the_last_dele_does_not_spare_that_behind_it(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1)))
    one.session.stat()
    list(one.session.delete(one.numbers(2)))
    one.session.quit()
    assert one.heard[-3:] == [b"DELE 2\r\n", b"STAT\r\n", b"QUIT\r\n"]


@pytest.mark.parametrize(
    ("capa", "end"),
    [(CAPA, [b"UIDL\r\n", b"QUIT\r\n"]), ([*CAPA, "EXPIRE 0"], [b"UIDL\r\n", b"STAT\r\n", b"QUIT\r\n"])],
)
def test_quit_needs_no_proof_unless_it_deletes(capa: Sequence[str], end: list[bytes]) -> None:
    one = opened(Maildrop(MAIL, capa=capa))
    one.session.listing()
    one.session.quit()
    assert one.heard[-len(end) :] == end


@pytest.mark.parametrize("slice_size", [1, 7, 1 << 20])
@pytest.mark.parametrize("window", [1, 3, 100])
@PROFILES
def test_deletions_are_answered_in_order_however_many_are_in_flight(
    window: int, slice_size: int, profile: ServerProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.pop3.session.WINDOW_COMMANDS", window)
    one = opened(Maildrop(MAIL, says={"DELE 7": [b"-ERR no\r\n"]}), profile, slice_size=slice_size)
    numbers = one.numbers(*range(20, 0, -1))
    read(one, *numbers)
    told = []
    for answer in one.session.delete(numbers):
        told.append(answer)
        said = sum(line.startswith(b"DELE") for line in one.heard)
        assert said <= len(told) + (window if one.session.is_pipelined else 1)
    assert [number for number, _ in told] == numbers
    assert [number for number, error in told if error] == [7]
    one.session.quit()


class _Refusal:
    """Equal to any refusal of one message."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FerryError) and (other.kind, other.scope) == (Kind.REFUSED, Scope.MESSAGE)

    def __hash__(self) -> int:
        return 0


@PROFILES
def test_quit_is_not_said_when_a_deletion_is_not_accounted_for(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL, says={"DELE 2": [b"+OK but not really\r\n"]}), profile)
    one.session.listing()
    read(one, 1, 2, 3)
    list(one.session.delete(one.numbers(1, 2, 3)))
    with pytest.raises(OutOfStepError, match="still listed: 1 of 3"):
        one.session.quit()
    assert b"QUIT\r\n" not in one.heard
    assert one.is_closed


@pytest.mark.parametrize("verb", ["NOOP", "RSET", "DELE 2", "STAT", "LIST", "UIDL", "TOP 2 0", "QUIT"])
@pytest.mark.parametrize("how", ["before", "after", "missing", "garbage"])
@pytest.mark.parametrize("line", [b"what is this?\r\n", b"+OK\r\n", b"+OK 20 6000\r\n"])
@PROFILES
def test_a_stray_doubled_or_missing_reply_to_any_command_never_leads_to_quit(
    verb: str, how: str, line: bytes, profile: ServerProfile
) -> None:
    stray = {verb: line}
    one = opened(
        {
            "before": Maildrop(MAIL, before=stray),
            "after": Maildrop(MAIL, after=stray),
            "missing": Maildrop(MAIL, says={verb: [b""]}),
            "garbage": Maildrop(MAIL, says={verb: [b"250 fine\r\n"]}),
        }[how],
        profile,
    )
    if verb == "QUIT" and (how == "after" or (how == "before" and line.startswith(b"+OK"))):
        one.session.quit()  # it has been answered
        return
    with pytest.raises(FerryError) as caught:
        _everything(one.session, one.numbers(1, 2, 3))
    assert caught.value.kind in {Kind.PROTOCOL, Kind.TIMEOUT}
    assert caught.value.scope is Scope.SESSION
    assert one.is_closed
    assert verb == "QUIT" or b"QUIT\r\n" not in one.heard


def _everything(session: Session, numbers: list[MessageNumber]) -> None:
    session.stat()
    list(session.listing())
    list(session.top(numbers))
    session.noop()
    session.rset()
    list(session.delete(numbers))
    session.quit()


def test_rset_takes_deletions_back() -> None:
    one = opened(Maildrop(MAIL))
    one.session.stat()
    read(one, 1, 2)
    list(one.session.delete(one.numbers(1, 2)))
    one.session.rset()
    one.session.check_step()
    one.session.quit()


@pytest.mark.parametrize("answer", [[b"-ERR some deleted messages not removed\r\n"], [HANG_UP], [b""]])
def test_quit_that_is_refused_or_not_answered_is_an_error(answer: list[Saying]) -> None:
    one = opened(Maildrop(MAIL, says={"QUIT": answer}))
    one.session.stat()
    with pytest.raises(FerryError):
        one.session.quit()


def test_abandon_says_no_word() -> None:
    one = opened(Maildrop(MAIL))
    said = len(one.heard)
    one.session.abandon()
    one.session.abandon()
    assert one.is_closed
    assert len(one.heard) == said


def test_the_servers_goodbye_while_nothing_was_asked_is_told_as_such() -> None:
    one = opened(Maildrop(MAIL, after={"NOOP": b"-ERR Disconnected for inactivity\r\n"}))
    one.session.noop()
    with pytest.raises(FerryError, match="ended the session") as caught:
        one.session.stat()
    assert caught.value.kind is Kind.CONNECT


def test_a_server_that_answers_only_the_first_of_what_is_sent_ahead_is_remembered() -> None:
    one = opened(Maildrop(MAIL, says={"LIST": [b""], "UIDL": [b""]}))
    with pytest.raises(FerryError):
        one.session.listing()
    assert one.session.profile == LOCK_STEP


def test_a_line_that_breaks_inside_a_listing_says_nothing_of_pipelining() -> None:
    one = opened(Maildrop(MAIL, says={"LIST": [b"+OK\r\n1 100\r\n", HANG_UP]}))
    with pytest.raises(FerryError) as caught:
        one.session.listing()
    assert caught.value.kind is Kind.CONNECT
    assert one.session.profile == ServerProfile()


# --- TOP ---


@PROFILES
def test_top_tells_of_each_header_what_retr_would(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL), profile)
    shown = list(one.session.top(one.numbers(3, 99, 1)))
    assert shown[0] == (3, header_facts(header_block(MAIL[2])))
    assert _Refusal() == shown[1][1]
    assert [number for number, _ in shown] == [3, 99, 1]
    assert isinstance(shown[2][1], HeaderFacts)


def test_headers_are_shown_to_a_person_and_open_no_way_to_delete() -> None:
    one = opened(Maildrop(MAIL))
    shown = one.session.header_texts(one.numbers(20, 99, 19))
    assert shown == {20: header_block(MAIL[19]), 19: header_block(MAIL[18])}
    with pytest.raises(FerryError, match="without having been read"):
        list(one.session.delete(one.numbers(20)))


def test_top_yields_nothing_that_is_not_known_to_be_in_step() -> None:
    one = opened(Maildrop(MAIL, before={"TOP 3 0": b"+OK\r\nSubject: stray\r\n\r\n.\r\n"}))
    told = one.session.top(one.numbers(1, 2, 3, 4))
    with pytest.raises(FerryError):
        next(told)
    assert one.session.profile.lock_step


def test_top_of_many_yields_nothing_behind_the_last_fitting_stat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrator.pop3.session._FIRST_BLOCK", 2)
    monkeypatch.setattr("migrator.pop3.session.WINDOW_COMMANDS", 3)
    one = opened(Maildrop(MAIL, before={"TOP 7 0": b"+OK\r\nSubject: stray\r\n\r\n.\r\n"}))
    shown: list[int] = []
    with pytest.raises(FerryError):
        shown.extend(number for number, _ in one.session.top(one.numbers(*range(1, 11))))
    assert shown == [1, 2, 3, 4, 5]


def test_a_server_without_top_says_so_and_the_session_goes_on() -> None:
    one = opened(Maildrop(MAIL, capa=["UIDL", "USER"], says={"TOP": [b"-ERR unknown command\r\n"]}))
    with pytest.raises(FerryError) as caught:
        list(one.session.top(one.numbers(1, 2)))
    assert caught.value.kind is Kind.REFUSED
    one.session.quit()


WHOLE = b"+OK\r\nSubject: x\r\n\r\n" + b"y" * 10_000_000 + b"\r\n.\r\n"


@PROFILES
def test_top_that_gives_a_whole_message_is_left_at_the_blank_line_and_not_asked_again(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL, says={"TOP 2 0": [WHOLE]}), profile, slice_size=60_000)
    with pytest.raises(BrokenAtError, match="whole message") as caught:
        list(one.session.top(one.numbers(1, 2, 3)))
    assert (caught.value.verb, caught.value.number, caught.value.is_first) == (Verb.TOP, 2, False)
    assert one.session.profile.no_top
    again = opened(Maildrop(MAIL), one.session.profile)
    with pytest.raises(FerryError, match="gives whole messages") as refused_:
        list(again.session.top(again.numbers(1)))
    assert refused_.value.kind is Kind.REFUSED
    assert again.session.quit() == "fine"


def test_a_small_message_in_full_by_top_is_read_and_the_server_remembered() -> None:
    small = b"+OK\r\nSubject: x\r\n\r\n" + b"y\r\n" * 3000 + b".\r\n"
    one = opened(Maildrop(MAIL, says={"TOP": [small]}))
    assert list(one.session.top(one.numbers(1))) == [(1, header_facts(b"Subject: x\r\n"))]
    assert one.session.profile.no_top


def test_a_line_of_the_body_by_top_is_no_reason_not_to_ask_it() -> None:
    one = opened(Maildrop(MAIL, says={"TOP": [b"+OK\r\nSubject: x\r\n\r\nDear all,\r\n.\r\n"]}))
    assert list(one.session.top(one.numbers(1))) == [(1, header_facts(b"Subject: x\r\n"))]
    assert one.session.profile == ServerProfile()


def test_a_header_without_an_end_is_laid_to_its_message() -> None:
    endless = opened(Maildrop(MAIL, says={"TOP": [b"+OK\r\n" + b"y\r\n" * 4_000_000]}), slice_size=1 << 20)
    with pytest.raises(BrokenAtError, match="endless") as caught:
        list(endless.session.top(endless.numbers(1)))
    assert (caught.value.number, caught.value.is_first) == (1, True)
    assert not endless.session.profile.no_top


@PROFILES
@pytest.mark.parametrize("answer", [b"250 what?\r\n", b"+OK\r\nSubject: x", b"", HANG_UP])
def test_a_top_that_breaks_the_session_names_its_message(answer: Saying, profile: ServerProfile) -> None:
    one = opened(falling_silent(Maildrop(MAIL, says={"TOP 3 0": [answer]}), b"TOP 3 0"), profile)
    with pytest.raises(BrokenAtError) as caught:
        list(one.session.top(one.numbers(2, 3, 4)))
    assert (caught.value.verb, caught.value.number, caught.value.is_first) == (Verb.TOP, 3, False)
    assert one.is_closed


@PROFILES
def test_a_message_whose_top_broke_the_line_is_not_asked_for_its_header_again(profile: ServerProfile) -> None:
    one = opened(Maildrop(MAIL, says={"TOP 3 0": [HANG_UP]}), profile)
    one.session.without_top = set(one.numbers(3))
    shown = dict(one.session.top(one.numbers(2, 3, 4)))
    assert [number for number, facts in shown.items() if isinstance(facts, FerryError)] == [3]
    assert one.session.quit() == "fine"


# --- progress ---


class _Dripping:
    """Gives one byte at a time, each after ``pause`` seconds of its own clock."""

    is_encrypted = False

    def __init__(self, data: bytes, pause: float) -> None:
        self._data, self._pause, self.now = data, pause, 0.0

    def queue(self, data: bytes) -> None:
        return

    def receive(self, timeout: float | None = None) -> bytes:
        self.now += self._pause
        byte, self._data = self._data[:1], self._data[1:]
        return byte

    def receive_now(self) -> bytes:
        return b""

    def service_in_waiting(self) -> Service | None:
        return None

    def start_tls(self, host: str, tls: TlsSettings, expected: Service | None = None) -> None:
        raise AssertionError

    def close(self) -> None:
        return


def test_a_server_that_crawls_is_timed_out_and_one_that_is_merely_slow_is_not() -> None:
    crawling = _Dripping(b"+OK " + b"x" * 5000 + b"\r\n", pause=0.5)
    with pytest.raises(FerryError) as caught:
        Conversation(crawling, timeout=45, clock=lambda: crawling.now).short_reply()
    assert caught.value.kind is Kind.TIMEOUT
    assert crawling.now <= 46
    slow = _Dripping(b"+OK " + b"x" * 9000 + b"\r\n", pause=0.01)
    assert Conversation(slow, timeout=45, clock=lambda: slow.now).short_reply().is_ok


def test_replies_that_complete_are_progress_however_short_they_are() -> None:
    line = _Dripping(b"+OK\r\n" * 40, pause=1.0)
    conversation = Conversation(line, timeout=10, clock=lambda: line.now)
    conversation.short_reply()
    for verb, argument in ((Verb.USER, b"a"), (Verb.PASS, b"b"), *[(Verb.NOOP, b"")] * 37):
        conversation.ask(verb, argument)
    assert line.now > 100


@pytest.mark.parametrize(
    "greeting",
    [
        b"\r\n+OK ready\r\n",
        b"\r\n \r\n+OK ready\r\n",
        b"+OK ready\r\nAll of this is watched.\r\n",
        b"+OK ready\r\nTerms of use:\r\n  be kind\r\n\r\n",
    ],
)
@pytest.mark.parametrize("profile", [ServerProfile(), ServerProfile(no_capa=True)])
@pytest.mark.parametrize("slice_size", [1, 7, 1000])
def test_a_greeting_of_several_lines_is_one(greeting: bytes, profile: ServerProfile, slice_size: int) -> None:
    one = opened(Maildrop(MAIL), profile, greeting=greeting, slice_size=slice_size)
    assert one.session.stat().count == len(MAIL)


def test_an_endless_greeting_is_none() -> None:
    error = refused(Maildrop(MAIL), greeting=b"+OK ready\r\n" + b"and more\r\n" * 100)
    assert error.kind is Kind.PROTOCOL


def test_words_behind_the_log_in_are_never_skipped() -> None:
    error = refused(Maildrop(MAIL, before={f"PASS {PASSWORD}": b"by the way\r\n"}))
    assert error.kind is Kind.PROTOCOL


@pytest.mark.parametrize(
    ("greeting", "is_stamp"),
    [
        (b"+OK <1896.697170952@dbc.mtview.ca.us>", True),
        (b"+OK hi <a.b-c_d@[192.0.2.1]> there", True),
        (b"+OK <1@localhost.>", True),
        (b"+OK <\x01\x02@example.org>", False),
        (b"+OK <1.2@ex\x80ample>", False),
        (b"+OK <1.2@>", False),
        (b"+OK <a@b@c>", False),
        (b"+OK <1.2@exam,ple>", False),
        (b"+OK <a..b@example.org", False),
    ],
)
def test_only_a_message_id_is_hashed_with_the_password(greeting: bytes, is_stamp: bool) -> None:
    drop = Maildrop(MAIL, says={"APOP": [b"+OK in\r\n"]})
    one = opened(drop, greeting=greeting + b"\r\n")
    assert any(line.startswith(b"APOP") for line in one.heard) is is_stamp
