from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from migrator.model import MessageNumber
from migrator.pop3.protocol import (
    MOVES,
    NEED_DATA,
    BodyBegins,
    BodyEnds,
    BodyPart,
    Challenge,
    IllegalMoveError,
    NeedData,
    Outcome,
    OutOfStepError,
    Protocol,
    Reply,
    State,
    Verb,
    next_state,
)
from migrator.pop3.replies import MAX_STATUS_LINE


def logged_in() -> Protocol:
    protocol = Protocol()
    protocol.receive(b"+OK hello\r\n")
    protocol.next_event()
    for verb, argument in ((Verb.USER, b"alice"), (Verb.PASS, b"secret")):
        protocol.send(verb, argument=argument)
        protocol.receive(b"+OK\r\n")
        protocol.next_event()
    assert protocol.state is State.TRANSACTION
    return protocol


OnProgress = tuple[object, ...]


def events(protocol: Protocol, slices: list[bytes]) -> list[OnProgress]:
    """Feed slices and tell what came of them; a long reply counts as its content, however it was cut."""
    on_progress: list[OnProgress] = []
    content = b""
    for data in slices:
        protocol.receive(data)
        while not isinstance(event := protocol.next_event(), NeedData):
            match event:
                case Reply():
                    on_progress.append((event.verb, event.number, event.is_ok, event.text, event.content))
                case BodyBegins():
                    content = b""
                    on_progress.append((event.verb, event.number, True, event.text))
                case BodyPart():
                    content += event.content
                case BodyEnds():
                    on_progress[-1] += (content,)
                case Challenge():
                    on_progress.append((event.text,))
    return on_progress


CONVERSATION = [
    (Verb.STAT, 0, b"+OK 2 320\r\n"),
    (Verb.LIST, 0, b"+OK\r\n1 120\r\n2 200\r\n.\r\n"),
    (Verb.UIDL, 0, b"-ERR not here\r\n"),
    (Verb.RETR, 1, b"+OK 5 octets\r\n..a\r\nb\r\n.\r\n"),
    (Verb.RETR, 2, b"-ERR gone\r\n"),
    (Verb.RETR, 3, b"+ok\r\n" + b"0123456789abcde\r\n" * 2000 + b"..\r\n.\r\n"),
    (Verb.RETR, 4, b"+OK\n\n..\n.\n"),
    (Verb.TOP, 4, b"+OK\r\nSubject: x\r\n\r\n.\r\n"),
    (Verb.DELE, 1, b"+OK\r\n"),
    (Verb.NOOP, 0, b"+OK\n"),
]
EXPECTED: list[OnProgress] = [
    (Verb.STAT, 0, True, b"2 320", b""),
    (Verb.LIST, 0, True, b"", b"1 120\r\n2 200\r\n"),
    (Verb.UIDL, 0, False, b"not here", b""),
    (Verb.RETR, 1, True, b"5 octets", b".a\r\nb\r\n"),
    (Verb.RETR, 2, False, b"gone", b""),
    (Verb.RETR, 3, True, b"", b"0123456789abcde\r\n" * 2000 + b".\r\n"),
    (Verb.RETR, 4, True, b"", b"\n.\n"),
    (Verb.TOP, 4, True, b"", b"Subject: x\r\n\r\n"),
    (Verb.DELE, 1, True, b"", b""),
    (Verb.NOOP, 0, True, b"", b""),
]
WIRE = b"".join(answer for _, _, answer in CONVERSATION)


def asked() -> Protocol:
    protocol = logged_in()
    for verb, number, _ in CONVERSATION:
        protocol.send(verb, number, b"0" if verb is Verb.TOP else b"")
    return protocol


def test_a_pipelined_conversation_is_understood_as_a_whole() -> None:
    protocol = asked()
    assert events(protocol, [WIRE]) == EXPECTED
    assert protocol.in_flight == 0
    assert protocol.leftover == b""


def test_byte_by_byte_gives_the_same_events() -> None:
    assert events(asked(), [WIRE[at : at + 1] for at in range(len(WIRE))]) == EXPECTED


def test_a_split_at_every_point_gives_the_same_events() -> None:
    long = WIRE.index(b"0123456789abcde")
    places = [at for at in range(len(WIRE)) if not long + 40 < at < long + 33_000 or at % 97 == 0]
    for at in places:
        assert events(asked(), [WIRE[:at], WIRE[at:]]) == EXPECTED


@given(st.lists(st.integers(0, len(WIRE)), max_size=12))
def test_any_slicing_gives_the_same_events(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WIRE)]
    assert events(asked(), [WIRE[a:b] for a, b in pairwise(places)]) == EXPECTED


@given(st.binary(max_size=200), st.integers(1, 50))
def test_garbage_is_our_own_error_or_nothing(garbage: bytes, size: int) -> None:
    protocol = asked()
    with suppress(OutOfStepError):
        on_progress = events(protocol, [garbage[at : at + size] for at in range(0, len(garbage), size)])
        assert len(on_progress) <= len(EXPECTED)


@pytest.mark.parametrize(
    ("verb", "number", "argument", "wire"),
    [
        (Verb.RETR, 7, b"", b"RETR 7\r\n"),
        (Verb.TOP, 7, b"0", b"TOP 7 0\r\n"),
        (Verb.LIST, 0, b"", b"LIST\r\n"),
        (Verb.NOOP, 0, b"", b"NOOP\r\n"),
    ],
)
def test_commands_are_written_as_rfc_1939_has_them(verb: Verb, number: int, argument: bytes, wire: bytes) -> None:
    assert logged_in().send(verb, number, argument) == wire


def test_every_move_that_is_not_in_the_table_raises_and_names_what_is_legal() -> None:
    for state in State:
        for verb in Verb:
            for outcome in Outcome:
                if (verb, outcome) in MOVES[state]:
                    assert next_state(state, verb, outcome) in State
                else:
                    with pytest.raises(IllegalMoveError, match="legal:"):
                        next_state(state, verb, outcome)


@pytest.mark.parametrize("verb", [Verb.RETR, Verb.DELE, Verb.LIST, Verb.STAT])
def test_the_maildrop_is_not_asked_before_the_login(verb: Verb) -> None:
    protocol = Protocol()
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    with pytest.raises(IllegalMoveError):
        protocol.send(verb)


def test_nothing_follows_quit() -> None:
    protocol = logged_in()
    protocol.send(Verb.QUIT)
    with pytest.raises(IllegalMoveError):
        protocol.send(Verb.NOOP)
    protocol.receive(b"+OK bye\r\n")
    protocol.next_event()
    assert protocol.state is State.CLOSED


def test_a_login_that_failed_leaves_the_session_logged_out() -> None:
    protocol = Protocol()
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    protocol.send(Verb.PASS, argument=b"x")
    protocol.receive(b"-ERR no\r\n")
    protocol.next_event()
    assert protocol.state is State.AUTHORIZATION


def test_a_sasl_exchange_has_challenges_and_an_end() -> None:
    protocol = Protocol()
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    assert protocol.send(Verb.AUTH, argument=b"PLAIN") == b"AUTH PLAIN\r\n"
    protocol.receive(b"+ \r\n")
    assert protocol.next_event() == Challenge(b"")
    assert protocol.respond(b"AGE=") == b"AGE=\r\n"
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    assert protocol.state is State.TRANSACTION


def test_a_challenge_outside_an_exchange_is_out_of_step() -> None:
    protocol = logged_in()
    protocol.send(Verb.STAT)
    protocol.receive(b"+ go on\r\n")
    with pytest.raises(OutOfStepError):
        protocol.next_event()


def test_a_stray_line_is_out_of_step() -> None:
    protocol = logged_in()
    protocol.receive(b"+OK who asked?\r\n")
    with pytest.raises(OutOfStepError, match="without being asked"):
        protocol.next_event()


def deleting(*numbers: int) -> Protocol:
    protocol = logged_in()
    assert protocol.send_each(Verb.DELE, [MessageNumber(number) for number in numbers]) == b"".join(
        b"DELE %d\r\n" % number for number in numbers
    )
    return protocol


def test_what_was_accepted_is_taken_up_to_the_first_refusal_and_the_first_line_without_an_end() -> None:
    protocol = deleting(3, 1, 2, 9, 5)
    assert protocol.accepted(Verb.DELE) == []
    protocol.receive(b"+OK gone\r\n+OK\r\n-ERR no\r\n+OK\r\n+O")
    before = protocol.completed
    assert protocol.accepted(Verb.DELE) == [3, 1]
    assert protocol.completed == before + 2
    assert protocol.due == (Verb.DELE, 2)
    assert protocol.accepted(Verb.DELE) == []
    assert protocol.next_event() == Reply(Verb.DELE, 2, is_ok=False, text=b"no", content=b"")
    assert protocol.accepted(Verb.DELE) == [9]
    protocol.receive(b"K\r\n")
    assert protocol.accepted(Verb.DELE) == [5]
    assert protocol.in_flight == 0


def test_what_answers_another_command_is_not_taken_for_an_acceptance() -> None:
    protocol = deleting(1, 2)
    protocol.send(Verb.STAT)
    protocol.receive(b"+OK\r\n+OK\r\n+OK 18 900\r\n")
    assert protocol.accepted(Verb.STAT) == []
    assert protocol.accepted(Verb.DELE) == [1, 2]
    assert protocol.next_event() == Reply(Verb.STAT, 0, is_ok=True, text=b"18 900", content=b"")


def test_nothing_is_accepted_that_nobody_asked_for() -> None:
    protocol = deleting(1)
    protocol.receive(b"+OK\r\n+OK\r\n")
    assert protocol.accepted(Verb.DELE) == [1]
    assert protocol.accepted(Verb.DELE) == []
    assert protocol.leftover == b"+OK\r\n"


def test_an_endless_status_line_is_no_acceptance() -> None:
    protocol = deleting(1)
    protocol.receive(b"+OK" + b"x" * MAX_STATUS_LINE + b"\r\n")
    assert protocol.accepted(Verb.DELE) == []
    with pytest.raises(OutOfStepError, match="endless"):
        protocol.next_event()


def test_messages_are_asked_about_together_only_where_each_may_be() -> None:
    with pytest.raises(IllegalMoveError):
        Protocol().send_each(Verb.DELE, [MessageNumber(1)])


def test_an_endless_status_line_is_refused() -> None:
    protocol = logged_in()
    protocol.send(Verb.STAT)
    protocol.receive(b"+" * (MAX_STATUS_LINE - 1))
    assert protocol.next_event() is NEED_DATA
    protocol.receive(b"+")
    with pytest.raises(OutOfStepError, match="endless"):
        protocol.next_event()


def test_plain_bytes_behind_the_reply_to_stls_are_refused() -> None:
    protocol = Protocol()
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    protocol.send(Verb.STLS)
    protocol.receive(b"+OK begin\r\n+OK injected\r\n")
    protocol.next_event()
    with pytest.raises(OutOfStepError, match="injected"):
        protocol.secured()


def test_no_command_is_legal_between_stls_and_the_handshake() -> None:
    protocol = Protocol()
    protocol.receive(b"+OK\r\n")
    protocol.next_event()
    protocol.send(Verb.STLS)
    protocol.receive(b"+OK begin\r\n")
    protocol.next_event()
    with pytest.raises(IllegalMoveError):
        protocol.send(Verb.CAPA)
    protocol.secured()
    assert protocol.send(Verb.CAPA) == b"CAPA\r\n"


def test_an_error_repeats_no_secret() -> None:
    protocol = logged_in()
    protocol.secrets = (b"hunter2",)
    protocol.send(Verb.STAT)
    protocol.receive(b"you said hunter2\r\n")
    with pytest.raises(OutOfStepError) as caught:
        protocol.next_event()
    assert "hunter2" not in str(caught.value)
