from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from migrator.errors import FerryError, Kind, Scope
from migrator.pop3.assembly import MEMORY_LIMIT
from migrator.pop3.failure import BrokenAtError
from migrator.pop3.protocol import OutOfStepError, Verb
from migrator.pop3.retrieve import (
    Blocked,
    InStep,
    Retrieved,
    RetrieveEvent,
    RetrieveRefused,
    reply_bound,
)
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.transport import HANG_UP, Saying, ScriptedStream
from migrator.pop3.window import BARRIER_MESSAGES, LOCK_STEP_BARRIER_MESSAGES
from tests.unit.pop3.scripted import (
    CAPA,
    Maildrop,
    MemorySpool,
    Room,
    contents,
    opened,
    retrieving,
    sample,
    stuffed,
    wanted,
)

LOCK_STEP = ServerProfile(lock_step=True)
WORDED = "0 octets"
"""What is learned of the scripted server's +OK to RETR."""
NO_PIPELINING = tuple(name for name in CAPA if name != "PIPELINING")


def until_broken(events: Iterator[RetrieveEvent]) -> tuple[list[RetrieveEvent], FerryError]:
    told: list[RetrieveEvent] = []
    with pytest.raises(FerryError) as caught:
        told.extend(events)
    return told, caught.value


MANY = [sample(number, 300 + number % 70) for number in range(1, 701)]


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
@pytest.mark.parametrize("slice_size", [7, 1000, 1 << 20])
def test_every_message_comes_whole_and_in_step(profile: ServerProfile, slice_size: int) -> None:
    one = opened(Maildrop(MANY), profile, slice_size=slice_size)
    told = list(retrieving(one, MANY))
    assert contents(told) == MANY
    assert isinstance(told[-1], InStep)
    assert one.session.profile == replace(profile, status_form=WORDED)


@pytest.mark.parametrize(
    ("profile", "at_most"), [(ServerProfile(), BARRIER_MESSAGES), (LOCK_STEP, LOCK_STEP_BARRIER_MESSAGES)]
)
def test_barriers_stand_behind_the_first_message_and_then_twice_as_far_each_time(
    profile: ServerProfile, at_most: int
) -> None:
    one = opened(Maildrop(MANY), profile)
    list(retrieving(one, MANY))
    said = [line for line in one.heard if line.startswith((b"RETR", b"STAT"))]
    assert said[:6] == [b"STAT\r\n", b"RETR 1\r\n", b"STAT\r\n", b"RETR 2\r\n", b"RETR 3\r\n", b"STAT\r\n"]
    places = [at for at, line in enumerate(said) if line == b"STAT\r\n"]
    distances = [end - start - 1 for start, end in pairwise(places)]
    assert distances[:-1] == [min(1 << place, at_most) for place in range(len(distances) - 1)]
    assert said[-1] == b"STAT\r\n"


def test_the_first_retr_goes_alone() -> None:
    one = opened(Maildrop(MANY))
    next(retrieving(one, MANY))
    assert [line for line in one.heard if line.startswith(b"RETR")] == [b"RETR 1\r\n"]


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
@pytest.mark.parametrize("number", [1, 2, 3, 10, 50, 257, 699])
def test_a_line_that_carries_so_many_messages_keeps_half_of_them_or_more(number: int, profile: ServerProfile) -> None:
    one = opened(Maildrop(MANY, says={f"RETR {number + 1}": [HANG_UP]}), profile)
    one.session.listing()
    told, error = until_broken(retrieving(one, MANY))
    kept = contents(told)
    assert kept == MANY[: len(kept)]
    assert number / 2 <= len(kept) <= number
    assert one.session.retrieved == len(kept)
    assert isinstance(error, BrokenAtError)
    assert (error.verb, error.number, error.is_first) == (Verb.RETR, number + 1, False)


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
@pytest.mark.parametrize("ending", [b"", HANG_UP])
def test_a_first_message_that_came_whole_needs_no_barrier_if_the_line_ends_there(
    profile: ServerProfile, ending: Saying
) -> None:
    whole = b"+OK\r\n" + stuffed(MANY[0])
    one = opened(Maildrop(MANY, says={"RETR 1": [whole, ending]}), profile)
    one.session.stat()
    one.streams[0].script = Maildrop(MANY, says={"RETR 1": [whole, ending], "STAT": [b""], "RETR": [b""]})
    told, _ = until_broken(retrieving(one, MANY))
    assert contents(told) == MANY[:1]
    assert one.session.retrieved == 1


@pytest.mark.parametrize("wrong", [stuffed(MANY[0])[:100] + b"\r\n.\r\n", stuffed(MANY[0]) + b"+O"])
def test_a_first_message_in_doubt_is_not_kept_where_the_line_ends(wrong: bytes) -> None:
    says: dict[str, list[Saying]] = {"RETR 1": [b"+OK\r\n" + wrong, HANG_UP]}
    one = opened(Maildrop(MANY, says=says), LOCK_STEP)
    told, _ = until_broken(retrieving(one, MANY))
    assert contents(told) == []
    assert one.session.retrieved == 0


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
def test_a_session_that_begins_with_a_message_that_breaks_it_says_so(profile: ServerProfile) -> None:
    one = opened(Maildrop(MANY, says={"RETR 1": [b"+OK\r\nSubject: x\r\n", HANG_UP]}), profile)
    _, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.is_first) == (1, True)


class Growing:
    """A maildrop whose STAT counts a message more after each RETR."""

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.arrived = 0

    def __call__(self, line: bytes) -> Iterator[Saying]:
        self.arrived += line.startswith(b"RETR")
        if line == b"STAT\r\n":
            yield b"+OK %d %d\r\n" % (20 + self.arrived, sum(map(len, MANY[:20])) + self.arrived * self.octets)
        else:
            yield from Maildrop(MANY[:20])(line)


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
def test_mail_that_stat_counts_at_once_does_not_look_like_a_lost_step(profile: ServerProfile) -> None:
    one = opened(Growing(100), profile)
    assert contents(list(retrieving(one, MANY[:20]))) == MANY[:20]


def test_more_mail_in_fewer_octets_is_out_of_step() -> None:
    _, error = until_broken(retrieving(opened(Growing(-100)), MANY[:20]))
    assert isinstance(error, OutOfStepError)


class Moving:
    """A maildrop whose STAT gives more octets each time; ``noop`` is what it says to NOOP."""

    def __init__(self, noop: bytes = b"+OK\r\n") -> None:
        self.noop = noop
        self.asked = 0

    def __call__(self, line: bytes) -> Iterator[Saying]:
        if line == b"STAT\r\n":
            self.asked += 1
            yield b"+OK 20 %d\r\n" % (sum(map(len, MANY[:20])) + self.asked)
        elif line == b"NOOP\r\n":
            yield self.noop
        else:
            yield from Maildrop(MANY[:20])(line)


@pytest.mark.parametrize("noop", [b"+OK\r\n", b"-ERR what?\r\n"])
def test_octets_that_move_in_stat_are_told_from_a_lost_step_by_a_noop_and_remembered(noop: bytes) -> None:
    one = opened(Moving(noop), LOCK_STEP)
    assert contents(list(retrieving(one, MANY[:20]))) == MANY[:20]
    assert one.session.profile == ServerProfile(stat_moves=True, status_form=WORDED)
    assert one.heard.count(b"NOOP\r\n") == 1
    ahead = opened(Moving(), one.session.profile)
    assert contents(list(retrieving(ahead, MANY[:20]))) == MANY[:20]
    assert b"NOOP\r\n" not in ahead.heard


@pytest.mark.parametrize("noop", [b"+OK 20 6000\r\n", b"+OK\r\n+OK\r\n", b"what?\r\n"])
def test_octets_that_do_not_fit_and_a_reply_too_many_are_a_lost_step(noop: bytes) -> None:
    one = opened(Moving(noop), LOCK_STEP)
    told, error = until_broken(retrieving(one, MANY[:20]))
    assert error.kind is Kind.PROTOCOL
    assert contents(told) == []
    assert not one.session.profile.stat_moves


def test_octets_that_stat_corrects_once_messages_were_read_do_not_look_like_a_lost_step() -> None:
    rounded = {number: -(-len(message) // 1000) * 1000 for number, message in enumerate(MANY[:20], 1)}
    drop = Maildrop(MANY[:20], sizes=dict(rounded))

    def correcting(line: bytes) -> Iterator[Saying]:
        yield from drop(line)
        if line.startswith(b"RETR"):
            drop.sizes = {number: size for number, size in drop.sizes.items() if number != int(line.split()[1])}

    assert contents(list(retrieving(opened(correcting), MANY[:20], rounded))) == MANY[:20]


def test_nothing_is_sent_ahead_to_a_server_that_does_not_offer_pipelining() -> None:
    drop = Maildrop(MANY[:5], capa=NO_PIPELINING)
    one = opened(drop)
    seen = [
        sum(line.startswith(b"RETR") for line in one.heard)
        for event in retrieving(one, MANY[:5])
        if isinstance(event, Retrieved)
    ]
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
def test_a_refused_message_does_not_stop_the_others(profile: ServerProfile) -> None:
    messages = MANY[:10]
    one = opened(
        Maildrop(messages, says={"RETR 1": [b"-ERR not now\r\n"], "RETR 4": [b"-ERR [SYS/TEMP] x\r\n"]}), profile
    )
    told = list(retrieving(one, messages))
    refused = [event for event in told if isinstance(event, RetrieveRefused)]
    assert [(event.number, event.error.kind) for event in refused] == [(1, Kind.REFUSED), (4, Kind.TEMPORARY)]
    assert contents(told) == [message for number, message in enumerate(messages, 1) if number not in {1, 4}]


def test_a_providers_daily_limit_ends_the_session() -> None:
    one = opened(Maildrop(MANY[:10], says={"RETR 4": [b"-ERR Download exceed\r\n"]}))
    _, error = until_broken(retrieving(one, MANY[:10]))
    assert (error.kind, error.scope) == (Kind.QUOTA, Scope.ACCOUNT)
    assert b"QUIT\r\n" not in one.heard


def test_sizes_that_differ_are_learned_when_the_session_stays_in_step() -> None:
    messages = MANY[:600]
    sizes = dict.fromkeys(range(1, 601), 100)
    one = opened(Maildrop(messages, sizes=sizes))
    told = list(retrieving(one, messages, sizes))
    assert contents(told) == messages
    assert one.session.profile == ServerProfile(sizes_differ=True, status_form=WORDED)


def test_one_message_of_another_size_says_nothing_of_the_server() -> None:
    messages = MANY[:20]
    sizes = {7: 1000}
    one = opened(Maildrop(messages, sizes=sizes))
    assert contents(list(retrieving(one, messages, sizes))) == messages
    assert one.session.profile == ServerProfile(status_form=WORDED)


def test_a_server_known_for_other_sizes_is_not_slowed_down() -> None:
    messages = MANY[:100]
    sizes = dict.fromkeys(range(1, 101), 100)
    one = opened(Maildrop(messages, sizes=sizes), ServerProfile(sizes_differ=True))
    list(retrieving(one, messages, sizes))
    assert one.heard.count(b"STAT\r\n") == 8  # at the start, at the end, and behind 1, 3, 7, 15, 31, 63


def test_a_message_without_a_final_line_end_fits_what_was_announced() -> None:
    message = sample(1)
    one = opened(Maildrop([message], sizes={1: len(message) - 2}))
    told = list(retrieving(one, [message], {1: len(message) - 2}))
    assert contents(told) == [message]
    assert not one.session.profile.sizes_differ


AT = 400
DOUBLED = {f"RETR {AT}": b"+OK\r\n" + stuffed(MANY[AT - 1])}
STRAY = [b"what?\r\n", b"+OK\r\n", b"-ERR\r\n", b".\r\n", b"\r\n", b"+OK 700 1000\r\n"]


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP, ServerProfile(sizes_differ=True)])
def test_nothing_behind_a_stray_line_is_called_in_step(stray: bytes, where: str, profile: ServerProfile) -> None:
    lines = {f"RETR {AT}": stray}
    drop = Maildrop(MANY, before=lines) if where == "before" else Maildrop(MANY, after=lines)
    one = opened(drop, profile)
    told, error = until_broken(retrieving(one, MANY))
    assert error.kind is Kind.PROTOCOL
    assert one.is_closed
    assert b"QUIT\r\n" not in one.heard
    safe = contents(told)
    assert safe == MANY[: len(safe)]
    assert len(safe) < AT


@pytest.mark.parametrize("profile", [ServerProfile(), ServerProfile(sizes_differ=True)])
@pytest.mark.parametrize("is_missing", [True, False])
def test_a_doubled_or_missing_reply_stores_nothing_wrong_and_ends_pipelining(
    profile: ServerProfile, is_missing: bool
) -> None:
    drop = Maildrop(MANY, says={f"RETR {AT}": [b""]}) if is_missing else Maildrop(MANY, before=DOUBLED)
    one = opened(drop, profile)
    told, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, OutOfStepError)
    safe = contents(told)
    assert safe == MANY[: len(safe)]
    assert len(safe) < AT
    assert one.session.profile.lock_step
    assert one.is_closed


def test_a_message_that_really_begins_like_a_status_line_is_taken_if_its_octets_fit() -> None:
    message = b"+OK this is mail without a header\r\n"
    assert contents(list(retrieving(opened(Maildrop([message])), [message]))) == [message]


def test_a_large_message_with_a_status_line_too_many_is_out_of_step() -> None:
    message = sample(1, MEMORY_LIMIT * 2)
    one = opened(Maildrop([message], before={"RETR 1": b"+OK\r\n"}), ServerProfile(sizes_differ=True), slice_size=9000)
    _, error = until_broken(retrieving(one, [message]))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind) == (1, Kind.PROTOCOL)


@pytest.mark.parametrize("profile", [ServerProfile(), ServerProfile(sizes_differ=True)])
@pytest.mark.parametrize("is_missing", [True, False])
def test_equal_messages_do_not_hide_a_doubled_or_missing_reply(profile: ServerProfile, is_missing: bool) -> None:
    messages = [sample(1)] * 300
    again = b"+OK\r\n" + stuffed(messages[0])
    drop = (
        Maildrop(messages, says={"RETR 200": [b""]}) if is_missing else Maildrop(messages, before={"RETR 200": again})
    )
    one = opened(drop, profile)
    told, error = until_broken(retrieving(one, messages))
    assert isinstance(error, OutOfStepError)
    assert len(contents(told)) < 200
    assert one.session.profile.lock_step


def test_in_lock_step_a_doubled_reply_is_seen_at_once() -> None:
    one = opened(Maildrop(MANY, after=DOUBLED), LOCK_STEP)
    told, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, BrokenAtError)
    assert error.number == AT
    assert sum(isinstance(event, Retrieved) for event in told) == AT


@pytest.mark.parametrize("instead", [b"x" * 20_000, b"250 fine\r\n"])
def test_in_lock_step_what_is_no_reply_is_laid_to_the_message_asked_for(instead: bytes) -> None:
    one = opened(Maildrop(MANY, says={"RETR 5": [instead]}), LOCK_STEP)
    _, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind) == (5, Kind.PROTOCOL)


def test_a_message_that_is_not_dot_stuffed_is_named_in_lock_step() -> None:
    messages = [sample(1), sample(2) + b".\r\nrest of it\r\n", sample(3)]
    says: dict[str, list[Saying]] = {"RETR 2": [b"+OK\r\n" + messages[1] + b".\r\n"]}
    one = opened(Maildrop(messages, says=says), LOCK_STEP)
    told, error = until_broken(retrieving(one, messages))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind, error.is_first) == (2, Kind.PROTOCOL, False)
    assert contents(told) == messages[:1]
    ahead = opened(Maildrop(messages, says=says))
    _, error = until_broken(retrieving(ahead, messages))
    assert isinstance(error, OutOfStepError)
    assert ahead.session.profile.lock_step


def test_stat_that_does_not_fit_at_the_barrier_is_out_of_step() -> None:
    one = opened(Maildrop(MANY[:10]))
    one.session.stat()
    one.streams[0].script = Maildrop(MANY[:9])
    _, error = until_broken(retrieving(one, MANY[:5]))
    assert isinstance(error, OutOfStepError)
    assert "STAT" in error.message


@pytest.mark.parametrize("number", [1, 300])
@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
def test_a_drop_inside_a_message_names_it(number: int, profile: ServerProfile) -> None:
    cut = stuffed(MANY[number - 1])[:50]
    one = opened(Maildrop(MANY, says={f"RETR {number}": [b"+OK\r\n" + cut, HANG_UP]}), profile)
    told, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind) == (number, Kind.CONNECT)
    assert contents(told) == MANY[: len(contents(told))]
    assert not one.session.profile.lock_step or profile.lock_step


def test_silence_inside_a_message_names_it_and_is_a_timeout() -> None:
    one = opened(Maildrop(MANY, says={"RETR 3": [b"+OK\r\nSubject: x\r\n"]}), LOCK_STEP)
    _, error = until_broken(retrieving(one, MANY))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind, error.scope) == (3, Kind.TIMEOUT, Scope.SESSION)


@pytest.mark.parametrize("size", [300, MEMORY_LIMIT + 5000])
def test_a_dot_without_a_line_end_before_it_is_told_apart(size: int) -> None:
    message = sample(1, size)
    one = opened(Maildrop([message], says={"RETR 1": [b"+OK\r\n" + message + b"the end.\r\n"]}))
    _, error = until_broken(retrieving(one, [message]))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind, error.scope) == (1, Kind.SHORT, Scope.MESSAGE)


def test_a_server_that_loses_commands_sent_ahead_is_not_sent_ahead_again() -> None:
    heard_retr = []

    def script(line: bytes) -> Iterator[bytes]:
        heard_retr.append(line)
        if heard_retr.count(line) and sum(said.startswith(b"RETR") for said in heard_retr) > 2:
            return
        for said in Maildrop(MANY[:20])(line):
            assert isinstance(said, bytes)
            yield said

    one = opened(script)
    _, error = until_broken(retrieving(one, MANY[:20]))
    assert error.kind is Kind.TIMEOUT
    assert not isinstance(error, BrokenAtError)
    assert one.session.profile.lock_step


def test_a_message_grows_only_in_proportion_to_what_was_announced() -> None:
    message = sample(1)
    endless = b"+OK\r\n" + (b"x" * 998 + b"\r\n") * 5000
    one = opened(Maildrop([message], says={"RETR 1": [endless]}), slice_size=1 << 16)
    _, error = until_broken(retrieving(one, [message]))
    assert isinstance(error, BrokenAtError)
    assert (error.number, error.kind) == (1, Kind.PROTOCOL)
    assert reply_bound(len(message)) < len(endless)
    assert reply_bound(10_000_000) > 20_000_000


def test_without_room_the_caller_is_told_once_everything_is_in_step() -> None:
    messages = MANY[:30]
    room = Room(octets=2000)
    one = opened(Maildrop(messages))
    told: list[RetrieveEvent] = []
    for event in retrieving(one, messages, room=room):
        if isinstance(event, Blocked):
            assert isinstance(told[-1], InStep)
            room.taken = 0
            one.session.noop()
        told.append(event)
    assert contents(told) == messages
    assert sum(isinstance(event, Blocked) for event in told) >= 4


def test_blocked_is_told_again_until_there_is_room() -> None:
    messages = MANY[:2]
    room = Room(octets=10)
    events = retrieving(opened(Maildrop(messages)), messages, room=room)
    told = [next(events) for _ in range(4)]
    assert [type(event) for event in told] == [Retrieved, InStep, Blocked, Blocked]
    room.taken = 0
    assert isinstance(next(events), Retrieved)


def test_commands_in_flight_are_bounded_by_octets() -> None:
    octets = 10 * 1024 * 1024
    messages = [sample(number) for number in range(1, 11)]
    sizes = dict.fromkeys(range(1, 11), octets)
    one = opened(Maildrop(messages, sizes=sizes), ServerProfile(sizes_differ=True))
    most = 0
    for event in retrieving(one, messages, sizes):
        if isinstance(event, Retrieved):
            most = max(most, sum(line.startswith(b"RETR") for line in one.heard) - event.number)
    assert 1 <= most <= 3


def test_stopping_early_by_ending_what_is_wanted_leaves_a_usable_session() -> None:
    one = opened(Maildrop(MANY))
    told = list(one.session.retrieve(iter(list(wanted(MANY))[:3]), Room(), MemorySpool))
    assert contents(told) == MANY[:3]
    assert one.session.quit() == "fine"


def test_leaving_in_the_middle_hangs_up_without_quit() -> None:
    one = opened(Maildrop(MANY))
    events = retrieving(one, MANY)
    next(events)
    events.close()  # type: ignore[attr-defined]  # it is a generator
    assert one.is_closed
    assert b"QUIT\r\n" not in one.heard


def test_a_scripted_stream_is_silent_at_once() -> None:
    with pytest.raises(FerryError, match="silent"):
        ScriptedStream(Maildrop([]), greeting=b"").receive()


@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
@pytest.mark.parametrize("words", [b"Download exceed", b"Exceeded the login limit for a 15 minute period."])
def test_a_limit_that_is_told_at_a_message_ends_the_session_and_keeps_what_came(
    words: bytes, profile: ServerProfile
) -> None:
    says: dict[str, list[Saying]] = {f"RETR {number}": [b"-ERR " + words + b"\r\n"] for number in range(60, 701)}
    one = opened(Maildrop(MANY, says=says), profile)
    told, error = until_broken(retrieving(one, MANY))
    assert error.scope is Scope.ACCOUNT
    assert contents(told) == MANY[:59]
    assert not [event for event in told if isinstance(event, RetrieveRefused)]
    assert sum(line.startswith(b"RETR") for line in one.heard) < (61 if profile is LOCK_STEP else 701)


def test_a_limit_that_is_told_as_the_line_ends_is_what_ended_it() -> None:
    says: dict[str, list[Saying]] = {"RETR 5": [b"-ERR Download exceed\r\n", HANG_UP]}
    _, error = until_broken(retrieving(opened(Maildrop(MANY, says=says)), MANY))
    assert error.kind is Kind.QUOTA


OWN = b"+OK 1234 octets\r\nSubject: mine\r\n\r\nyes\r\n"


@pytest.mark.parametrize("first", [b"+OK\r\n", b"+OK and more\r\n", b"-ERR no\r\n", b"+ok 7 messages\r\n"])
def test_where_sizes_are_estimates_a_message_may_begin_like_a_status_line(first: bytes) -> None:
    messages = [*MANY[:6], first + b"Subject: mine\r\n\r\nyes\r\n", *MANY[6:9]]
    sizes = {number: len(message) + 5 for number, message in enumerate(messages, start=1)}
    one = opened(Maildrop(messages, sizes=sizes))
    assert contents(list(retrieving(one, messages, sizes))) == messages


def test_a_line_that_reads_as_the_servers_own_status_is_never_taken_for_a_messages() -> None:
    messages = [*MANY[:6], OWN, *MANY[6:9]]
    sizes = {number: len(message) + 5 for number, message in enumerate(messages, start=1)}
    _, error = until_broken(retrieving(opened(Maildrop(messages, sizes=sizes)), messages, sizes))
    assert error.kind is Kind.PROTOCOL
