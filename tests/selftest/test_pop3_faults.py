"""Each fault of the scripted POP3 server does the damage it is named after, and no other."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from scramp import ScramClient, ScramException

from tests.servers import pop3_faults as faults
from tests.servers.line_client import TORN, LineClient
from tests.servers.pop3 import Fault, Maildrop, Pop3Server

ONE = b"Subject: one\r\n\r\nfirst\r\nsecond\r\n"
TWO = b"Subject: two\r\n\r\n.dot\r\n"
THREE = b"Subject: three\r\n\r\n"
MESSAGES = [ONE, TWO, THREE]


@contextmanager
def serving(*damage: Fault, messages: Iterable[bytes] = MESSAGES) -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(messages), faults=damage, judges=False) as server:
        yield server


@contextmanager
def logged_in(server: Pop3Server) -> Iterator[LineClient]:
    with LineClient(server.port) as client:
        client.log_in(server.password)
        yield client


def unique_ids(server: Pop3Server) -> list[bytes]:
    with logged_in(server) as client:
        client.ask(b"UIDL")
        return [line.partition(b" ")[2] for line in client.body().split(b"\r\n")[:-1]]


def test_drop_before_does_not_obey() -> None:
    with serving(faults.DropBefore("QUIT")) as server, logged_in(server) as client:
        client.ask(b"DELE 1")
        assert client.ask(b"QUIT") == b""
        assert server.removed == []
        assert server.verbs()[-1] == "QUIT"


def test_drop_unanswered_obeys() -> None:
    with serving(faults.DropUnanswered("QUIT")) as server, logged_in(server) as client:
        client.ask(b"DELE 1")
        assert client.ask(b"QUIT") == b""
        assert [removal.content for removal in server.removed] == [ONE]


def test_drop_after_answers_first() -> None:
    with serving(faults.DropAfter("DELE", 2)) as server, logged_in(server) as client:
        assert client.ask(b"DELE 1").startswith(b"+OK")
        assert client.ask(b"DELE 2").startswith(b"+OK")
        assert client.rest() == b""
        assert server.maildrop.left() == MESSAGES


def test_drop_after_a_message_comes_behind_its_dot() -> None:
    with serving(faults.DropAfter("RETR", 1)) as server, logged_in(server) as client:
        client.say(b"RETR 1", b"RETR 2")
        client.reply()
        assert client.body() == ONE
        assert client.rest() == b""


@pytest.mark.parametrize("after", [0, 1, len(ONE), len(ONE) + 2])
def test_drop_inside_retr_counts_bytes_of_the_message(after: int) -> None:
    with serving(faults.DropInsideRetr(number=1, after=after)) as server, logged_in(server) as client:
        assert client.ask(b"RETR 1").startswith(b"+OK")
        assert client.rest() == (ONE + b".\r\n")[:after]


def test_drop_inside_counts_bytes_of_a_reply() -> None:
    with serving(faults.DropInside("UIDL", after=7)) as server, logged_in(server) as client:
        client.say(b"UIDL")
        assert client.rest() == b"+OK\r\n1 "


def test_drop_after_bytes_counts_those_of_the_session() -> None:
    with serving() as server, logged_in(server) as client:
        client.say(b"UIDL", b"QUIT")
        client.rest()
    with serving(faults.DropAfterBytes(10)) as server, LineClient(server.port) as client:
        assert len(client.rest()) == 10
    with serving(faults.DropAfterBytes(110)) as server, LineClient(server.port) as client:
        client.say(b"USER ann", b"PASS " + server.password.encode(), b"UIDL", b"UIDL", b"UIDL")
        assert len(client.rest()) == 110


def test_a_drop_may_reset_the_line() -> None:
    with serving(faults.DropBefore("NOOP", how="reset")) as server, logged_in(server) as client:
        client.say(b"NOOP")
        with pytest.raises(ConnectionResetError):
            client.reply()


def test_under_tls_a_line_is_torn_or_ended_properly() -> None:
    damage = [faults.DropBefore("CAPA"), faults.DropBefore("STAT", how="close-notify")]
    with Pop3Server(Maildrop(), tls="implicit", faults=damage) as server:
        with tls_client(server) as client:
            client.say(b"CAPA")
            with pytest.raises(ssl.SSLError, match=TORN):
                client.rest()
        for line in (b"STAT", b"QUIT"):
            with tls_client(server) as client:
                client.say(line)
                assert client.rest() in {b"", b"+OK bye\r\n"}


@contextmanager
def tls_client(server: Pop3Server) -> Iterator[LineClient]:
    with LineClient(server.port) as client:
        client.start_tls(server.authority.client_context())
        client.reply()
        yield client


def assert_silent(client: LineClient) -> None:
    client.line.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.read(1)


def test_stall_falls_silent_instead_of_greeting() -> None:
    with serving(faults.Stall("GREETING")) as server, LineClient(server.port) as client:
        assert_silent(client)


@pytest.mark.parametrize("line", [b"CAPA", b"UIDL", b"RETR 1", b"DELE 1", b"QUIT"])
def test_stall_falls_silent_at_any_command(line: bytes) -> None:
    with serving(faults.Stall(line.split()[0].decode())) as server, logged_in(server) as client:
        client.say(line)
        assert_silent(client)


def test_stall_falls_silent_within_a_message() -> None:
    with serving(faults.Stall("RETR", after=30)) as server, logged_in(server) as client:
        client.say(b"RETR 1", b"NOOP")
        assert client.read(30) == (b"+OK 31 octets\r\n" + ONE)[:30]
        assert_silent(client)


def test_one_byte_at_a_time_changes_no_byte() -> None:
    with serving(faults.OneByteAtATime()) as server, logged_in(server) as client:
        client.ask(b"RETR 1")
        assert client.body() == ONE


def test_a_trickle_changes_no_byte() -> None:
    with serving(faults.Trickle("RETR", every=0)) as server, logged_in(server) as client:
        client.ask(b"RETR 1")
        assert client.body() == ONE


def test_a_trickle_pauses_until_the_server_stops() -> None:
    with serving(faults.Trickle("NOOP", every=3600)) as server, logged_in(server) as client:
        assert client.ask(b"STAT").startswith(b"+OK 3")
        client.say(b"NOOP")
        assert client.read(1) == b"+"
        assert_silent(client)


def test_lines_end_in_lf_everywhere() -> None:
    with serving(faults.LinesEndInLf()) as server, logged_in(server) as client:
        client.say(b"RETR 1", b"QUIT")
        assert client.rest() == b"+OK 31 octets\n" + ONE.replace(b"\r\n", b"\n") + b".\n+OK bye\n"


def test_answers_instead_of_obeying_so_many_times() -> None:
    damage = faults.Answers("RETR", 2, words="-ERR [SYS/TEMP] disk is tired", times=1, skip=1)
    with serving(damage) as server, logged_in(server) as client:
        replies = []
        for line in (b"RETR 1", b"RETR 2", b"RETR 2", b"RETR 2"):
            replies.append(client.ask(line)[:4])
            if replies[-1] != b"-ERR":
                client.body()
        assert replies == [b"+OK ", b"+OK ", b"-ERR", b"+OK "]


def test_answers_instead_of_greeting() -> None:
    with serving(faults.Answers("GREETING", words="-ERR busy")) as server, LineClient(server.port) as client:
        assert client.reply() == b"-ERR busy\r\n"


def test_a_stray_line_comes_before_or_behind_a_reply() -> None:
    damage = [faults.ReplyStray("NOOP"), faults.ReplyStray("STAT", line=b"-ERR eh", before=True)]
    with serving(*damage) as server, logged_in(server) as client:
        client.say(b"NOOP", b"STAT", b"QUIT")
        lines = [line[:6] for line in client.rest().split(b"\r\n")]
        assert lines == [b"+OK", b"+OK by", b"-ERR e", b"+OK 3 ", b"+OK by", b""]


def test_a_reply_comes_twice() -> None:
    with serving(faults.ReplyDoubled("RETR", 1)) as server, logged_in(server) as client:
        client.say(b"RETR 1", b"QUIT")
        assert client.rest() == (b"+OK 31 octets\r\n" + ONE + b".\r\n") * 2 + b"+OK bye\r\n"


def test_a_missing_reply_is_obeyed() -> None:
    with serving(faults.ReplyMissing("DELE", 1)) as server, logged_in(server) as client:
        client.say(b"DELE 1", b"QUIT")
        assert client.rest() == b"+OK bye\r\n"
        assert len(server.removed) == 1


@pytest.mark.parametrize(
    "damage",
    [
        faults.EndlessLine("STAT"),
        faults.EndlessMessage(1),
        faults.EndlessMessage(1, one_line=True),
        faults.EndlessListing("LIST"),
        faults.EndlessListing("CAPA"),
    ],
)
def test_endless_replies_go_on_until_the_client_leaves(damage: faults.At) -> None:
    with serving(damage) as server, logged_in(server) as client:
        client.say(damage.at.encode() + (b" 1" if damage.at == "RETR" else b""))
        assert len(client.read(3_000_000)) == 3_000_000
    with serving(faults.EndlessMessage(1, one_line=True)) as server, logged_in(server) as client:
        client.say(b"RETR 1")
        assert b"\n" not in client.read(3_000_000)[100:]


@pytest.mark.parametrize(("kept", "removed"), [(None, []), (1, [ONE]), (0, [ONE, TWO])])
def test_quit_refused_removes_so_many(kept: int | None, removed: list[bytes]) -> None:
    with serving(faults.QuitRefused(kept)) as server, logged_in(server) as client:
        client.say(b"DELE 1", b"DELE 2", b"QUIT")
        assert client.rest().endswith(b"-ERR some deleted messages not removed\r\n")
        assert [removal.content for removal in server.removed] == removed


def test_quit_lies() -> None:
    with serving(faults.QuitLies(times=1)) as server:
        for left in (3, 2):
            with logged_in(server) as client:
                client.say(b"DELE 1", b"QUIT")
                assert client.rest().endswith(b"+OK bye\r\n")
            assert len(server.maildrop.left()) == left


def test_a_broken_pipeline_swallows_or_reorders() -> None:
    with serving(faults.PipelineSwallowed()) as server, logged_in(server) as client:
        client.say(b"STAT", b"NOOP")
        client.reply()
        assert client.ask(b"QUIT") == b"+OK bye\r\n"
    with serving(faults.PipelineReordered()) as server, logged_in(server) as client:
        client.say(b"STAT", b"DELE 1")
        assert [client.reply(), client.reply()[:6]] == [b"+OK marked\r\n", b"+OK 2 "]


def test_connections_are_refused_after_so_many() -> None:
    with serving(faults.ConnectionsRefused(after=2)) as server:
        for _ in range(2):
            with LineClient(server.port) as client:
                assert client.reply().startswith(b"+OK")
        with pytest.raises(ConnectionRefusedError):
            LineClient(server.port)
    with serving(faults.ConnectionsRefused(after=0, abruptly=True)) as server, LineClient(server.port) as client:
        assert client.rest() == b""


def test_unsupported_commands_are_not_offered() -> None:
    with serving(faults.Unsupported("TOP", "CAPA")) as server, logged_in(server) as client:
        assert client.ask(b"TOP 1 0").startswith(b"-ERR")
        assert client.ask(b"CAPA").startswith(b"-ERR")
    with serving(faults.Unsupported("TOP", still_offered=True)) as server, logged_in(server) as client:
        client.ask(b"CAPA")
        assert b"TOP\r\n" in client.body()
        assert client.ask(b"TOP 1 0").startswith(b"-ERR")


def test_capabilities_come_after_log_in() -> None:
    with serving(faults.CapabilitiesAfterLogin()) as server:
        with LineClient(server.port) as client:
            client.say(b"CAPA")
            assert b"PIPELINING" not in client.body()
        with logged_in(server) as client:
            client.say(b"CAPA")
            assert b"PIPELINING" in client.body()


def test_stls_is_stripped() -> None:
    with (
        Pop3Server(Maildrop(), tls="starttls", faults=[faults.StlsStripped()]) as server,
        LineClient(server.port) as client,
    ):
        client.say(b"CAPA")
        assert b"STLS" not in client.body()
        assert client.ask(b"STLS").startswith(b"-ERR")


def test_replies_are_injected_ahead_of_tls() -> None:
    with (
        Pop3Server(Maildrop(), tls="starttls", faults=[faults.StlsInjected()]) as server,
        LineClient(server.port) as client,
    ):
        client.reply()
        client.say(b"STLS")
        assert client.line.recv(1000) == b"+OK begin TLS\r\n+OK injected\r\n"
        client.start_tls(server.authority.client_context())
        assert client.ask(b"NOOP").startswith(b"-ERR")


def test_tls_stalls_or_breaks_where_it_should_begin() -> None:
    with (
        Pop3Server(Maildrop(), tls="implicit", faults=[faults.HandshakeStalls()]) as server,
        LineClient(server.port) as client,
    ):
        assert_silent(client)
    with (
        Pop3Server(Maildrop(), tls="implicit", faults=[faults.HandshakeBroken()]) as server,
        LineClient(server.port) as client,
        pytest.raises(ssl.SSLError),
    ):
        client.start_tls(server.authority.client_context())


def test_a_log_in_is_refused_so_many_times() -> None:
    with serving(faults.LoginRefused("[IN-USE] locked", times=2)) as server:
        for _ in range(2):
            with pytest.raises(PermissionError, match="IN-USE"), logged_in(server):
                pass
        with logged_in(server) as client:
            assert client.ask(b"NOOP").startswith(b"+OK")
        assert len(server.logins) == 1


def test_a_log_in_by_sasl_is_refused_too() -> None:
    with serving(faults.LoginRefused("[SYS/PERM] closed")) as server, LineClient(server.port) as client:
        client.reply()
        plain = b64encode(b"\0ann\0" + server.password.encode())
        assert client.ask(b"AUTH PLAIN " + plain) == b"-ERR [SYS/PERM] closed\r\n"


def test_the_password_is_echoed() -> None:
    with (
        serving(faults.PasswordEchoed()) as server,
        pytest.raises(PermissionError, match=server.password),
        logged_in(server),
    ):
        pass


def test_log_ins_need_a_delay() -> None:
    now = [0.0]
    with Pop3Server(Maildrop(), faults=[faults.LoginDelay(60)], clock=lambda: now[0]) as server:
        with logged_in(server) as client:
            client.ask(b"CAPA")
            assert b"LOGIN-DELAY 60\r\n" in client.body()
        now[0] = 59
        with pytest.raises(PermissionError, match="LOGIN-DELAY"), logged_in(server):
            pass
        now[0] = 60
        with logged_in(server):
            pass
        assert len(server.logins) == 2


def test_only_one_session_at_a_time_has_the_maildrop() -> None:
    with serving(faults.ExclusiveAccess()) as server:
        with logged_in(server) as client:
            with pytest.raises(PermissionError, match="IN-USE"), logged_in(server):
                pass
            client.ask(b"QUIT")
        with logged_in(server):
            pass


def scram(server: Pop3Server, client: LineClient) -> ScramClient:
    client.reply()
    dialogue = ScramClient(["SCRAM-SHA-256"], "ann", server.password)
    first = b64encode(dialogue.get_client_first().encode())
    dialogue.set_server_first(b64decode(client.ask(b"AUTH SCRAM-SHA-256 " + first)[2:]).decode())
    return dialogue


def test_scram_asks_for_too_many_iterations() -> None:
    with (
        serving(faults.DemandsIterations(4095)) as server,
        LineClient(server.port) as client,
        pytest.raises(ScramException, match="4096"),
    ):
        scram(server, client)
    assert faults.DemandsIterations().count == 10**9


def test_scram_ends_with_a_forged_signature() -> None:
    with serving(faults.ForgedServerSignature()) as server, LineClient(server.port) as client:
        dialogue = scram(server, client)
        last = client.ask(b64encode(dialogue.get_client_final().encode()))
        with pytest.raises(ScramException):
            dialogue.set_server_final(b64decode(last[2:]).decode())


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (faults.RepeatedUniqueIds(2), [b"same-0", b"same-0", b"same-1"]),
        (faults.NumbersAsUniqueIds(), [b"1", b"2", b"3"]),
        (faults.EmptyUniqueIds(), [b"", b"", b""]),
        (faults.LongUniqueIds(200), [b"u" * 199 + b"1", b"u" * 199 + b"2", b"u" * 199 + b"3"]),
        (faults.SpacesInUniqueIds(), [b"uid of  1", b"uid of  2", b"uid of  3"]),
        (faults.EightBitUniqueIds(), [b"\xff\xfeid-1\xe9", b"\xff\xfeid-2\xe9", b"\xff\xfeid-3\xe9"]),
    ],
)
def test_unique_ids_are_odd_but_constant(damage: Fault, expected: list[bytes]) -> None:
    with serving(damage) as server:
        assert unique_ids(server) == unique_ids(server) == expected


def test_unique_ids_change_in_each_session() -> None:
    with serving(faults.ChangingUniqueIds()) as server:
        assert not set(unique_ids(server)) & set(unique_ids(server))


def test_unique_ids_move_to_another_message() -> None:
    with serving(faults.NumbersAsUniqueIds()) as server:
        server.maildrop.remove(server.maildrop.stored()[0])
        assert unique_ids(server) == [b"1", b"2"]


def test_unique_ids_are_missing() -> None:
    with serving(faults.NoUniqueIds()) as server, logged_in(server) as client:
        assert client.ask(b"UIDL").startswith(b"-ERR")
        client.ask(b"CAPA")
        assert b"UIDL" not in client.body()


@pytest.mark.parametrize(
    ("damage", "announced"),
    [(faults.WrongSizes(by=10), 41), (faults.WrongSizes(by=-99), 0), (faults.WrongSizes(rounded_to=1024), 1024)],
)
def test_sizes_are_wrong_in_list_and_retr(damage: Fault, announced: int) -> None:
    with serving(damage, messages=[ONE]) as server, logged_in(server) as client:
        assert client.ask(b"STAT") == b"+OK 1 %d\r\n" % announced
        assert client.ask(b"LIST 1") == b"+OK 1 %d\r\n" % announced
        client.ask(b"RETR 1")
        assert client.body() == ONE


def test_each_session_shows_only_the_first_messages() -> None:
    with serving(faults.OnlyFirst(2)) as server:
        with logged_in(server) as client:
            client.say(b"DELE 1", b"DELE 2", b"QUIT")
            client.rest()
        assert unique_ids(server) == [b"uid-00000003"]


def test_a_maildrop_looks_empty_once() -> None:
    with serving(faults.SeenEmpty(login=2)) as server:
        assert [len(unique_ids(server)) for _ in range(3)] == [3, 0, 3]


def test_stat_says_something_else() -> None:
    with serving(faults.StatSays(1, 10)) as server, logged_in(server) as client:
        assert client.ask(b"STAT") == b"+OK 1 10\r\n"
        client.ask(b"LIST")
        assert client.body().count(b"\n") == 3


def test_many_messages_are_listed_sent_and_marked() -> None:
    with serving(faults.ManyMessages(20_000)) as server, logged_in(server) as client:
        stat = client.ask(b"STAT").split()
        client.ask(b"LIST")
        listing = [line.split() for line in client.body().split(b"\r\n")[:-1]]
        assert [int(number) for number, _ in listing] == list(range(1, 20_001))
        assert int(stat[2]) == sum(int(octets) for _, octets in listing)
        client.ask(b"RETR 20000")
        message = client.body()
        assert len(message) == int(listing[-1][1])
        client.ask(b"DELE 20000")
        assert client.ask(b"RETR 20000").startswith(b"-ERR")
        assert client.ask(b"STAT").split()[1] == b"19999"
        client.ask(b"UIDL")
        assert client.body().endswith(b"19999 many-00019999\r\n")
        assert client.ask(b"QUIT") == b"+OK bye\r\n"


def test_a_message_is_cut_short_and_ended_properly() -> None:
    with serving(faults.CutShort(1, lines=3, times=1)) as server, logged_in(server) as client:
        assert client.ask(b"RETR 1") == b"+OK 31 octets\r\n"
        assert client.body() == b"Subject: one\r\n\r\nfirst\r\n"
        client.ask(b"RETR 1")
        assert client.body() == ONE


def test_dots_are_not_stuffed() -> None:
    with serving(faults.Unstuffed(2)) as server, logged_in(server) as client:
        client.ask(b"RETR 2")
        assert client.body() == TWO


def test_the_dot_is_glued_to_the_message() -> None:
    with serving(faults.DotGlued(1)) as server, logged_in(server) as client:
        client.say(b"RETR 1", b"QUIT")
        assert client.rest() == b"+OK\r\n" + ONE.removesuffix(b"\r\n") + b".\r\n+OK bye\r\n"


def test_retr_deletes() -> None:
    with serving(faults.DeletesOnRetr()) as server:
        with logged_in(server) as client:
            client.ask(b"RETR 1")
            assert client.body() == ONE
        assert unique_ids(server) == [b"uid-00000002", b"uid-00000003"]
        assert [removal.content for removal in server.removed] == [ONE]


def test_a_message_vanishes_within_a_session() -> None:
    with serving(faults.Vanishes(2)) as server:
        with logged_in(server) as client:
            client.ask(b"LIST 2")
            assert client.ask(b"RETR 2").startswith(b"-ERR")
        assert unique_ids(server) == [b"uid-00000001", b"uid-00000003"]
        assert server.removed == []


def test_a_message_changes_from_one_retr_to_the_next() -> None:
    with serving(faults.Changes(1, [ONE, TWO])) as server, logged_in(server) as client:
        bodies = []
        for _ in range(3):
            client.ask(b"RETR 1")
            bodies.append(client.body())
        assert bodies == [ONE, b"Subject: two\r\n\r\n..dot\r\n", b"Subject: two\r\n\r\n..dot\r\n"]


def test_headers_are_added_from_the_second_log_in_on() -> None:
    with serving(faults.AddedHeaders(), messages=[ONE]) as server:
        for expected in (ONE, b"Subject: one\r\nStatus: RO\r\nX-UID: 1\r\n\r\nfirst\r\nsecond\r\n"):
            with logged_in(server) as client:
                assert client.ask(b"LIST 1") == b"+OK 1 %d\r\n" % len(expected)
                client.ask(b"RETR 1")
                assert client.body() == expected


def test_top_shows_another_header() -> None:
    with serving(faults.TopDiffers()) as server, logged_in(server) as client:
        client.ask(b"TOP 1 0")
        assert client.body() == b"X-Top: only\r\nSubject: one\r\n\r\n"
        client.ask(b"RETR 1")
        assert client.body() == ONE


def test_a_fault_can_be_limited_to_some_connections() -> None:
    damage = [
        faults.InSessions(faults.OnlyFirst(1), first=2, last=2),
        faults.InSessions(faults.DropBefore("NOOP"), first=3),
        faults.InSessions(faults.Unsupported("STAT"), last=1),
        faults.InSessions(faults.LoginRefused(), first=5),
        faults.InSessions(faults.PipelineSwallowed(), first=9),
    ]
    with serving(*damage) as server:
        with logged_in(server) as client:
            assert client.ask(b"STAT").startswith(b"-ERR")
            client.say(b"NOOP", b"NOOP")
            assert client.reply() + client.reply() == b"+OK\r\n+OK\r\n"
        assert [len(unique_ids(server)) for _ in range(2)] == [1, 3]
        with logged_in(server) as client:
            assert client.ask(b"STAT").startswith(b"+OK 3")
            assert client.ask(b"NOOP") == b""
        with pytest.raises(PermissionError), logged_in(server):
            pass


def test_faults_compose() -> None:
    damage = [faults.LinesEndInLf(), faults.OneByteAtATime(), faults.RepeatedUniqueIds(3)]
    with serving(*damage) as server:
        assert unique_ids_with_lf(server) == [b"1 same-0", b"2 same-0", b"3 same-0"]


def unique_ids_with_lf(server: Pop3Server) -> list[bytes]:
    with logged_in(server) as client:
        client.say(b"UIDL", b"QUIT")
        return client.rest().split(b"\n")[1:-3]
