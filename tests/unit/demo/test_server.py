"""The demo's server as a strict client sees it: exact to the byte, and DELE is nothing before QUIT."""

from __future__ import annotations

import poplib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import cast

import pytest

from migrator.demo.samples import samples
from migrator.demo.server import Maildrop, serving, stuffed, top

CONTENTS = [b"Subject: one\r\n\r\nfirst\r\n.dot\r\n", b"", b".\r\n", b"Subject: four\r\n\r\na\r\nb\r\nc\r\n"]


@pytest.fixture
def maildrop() -> Maildrop:
    drop = Maildrop("office", "jam and bread")
    drop.fill(CONTENTS)
    return drop


@pytest.fixture
def port(maildrop: Maildrop) -> Iterator[int]:
    with serving(maildrop) as number:
        yield number


@contextmanager
def session(port: int) -> Iterator[poplib.POP3]:
    """Hold a session that hangs up at its end, unless it has said QUIT itself."""
    with closing(poplib.POP3("127.0.0.1", port, timeout=20)) as client:
        client.user("office")
        client.pass_("jam and bread")
        yield client


def retrieved(client: poplib.POP3, number: int) -> bytes:
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


def test_every_sample_arrives_byte_for_byte(port: int, maildrop: Maildrop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 20)  # Python's client takes lines of 2048 octets only
    maildrop.messages.clear()
    maildrop.fill([sample.content for sample in samples()])
    with session(port) as client:
        for number, sample in enumerate(samples(), 1):
            assert retrieved(client, number) == sample.content, sample.label


def test_stat_list_and_uidl_agree(port: int) -> None:
    with session(port) as client:
        assert client.stat() == (4, sum(map(len, CONTENTS)))
        assert client.list()[1] == [b"%d %d" % (number, len(content)) for number, content in enumerate(CONTENTS, 1)]
        names = [line.split()[1] for line in client.uidl()[1]]
        assert len(set(names)) == 4
        assert client.uidl(3).split()[-1] == names[2]


def test_top_gives_the_header_and_so_many_lines(port: int) -> None:
    with session(port) as client:
        assert client.top(4, 0)[1] == [b"Subject: four", b""]
        assert client.top(4, 2)[1] == [b"Subject: four", b"", b"a", b"b"]
        assert client.top(4, 99)[1] == [b"Subject: four", b"", b"a", b"b", b"c"]


def test_deleted_mail_is_gone_after_quit(port: int, maildrop: Maildrop) -> None:
    with session(port) as client:
        client.dele(1)
        client.dele(2)
        assert client.stat() == (2, len(CONTENTS[2]) + len(CONTENTS[3]))
        assert [line.split()[0] for line in client.list()[1]] == [b"3", b"4"]
        assert [line.split()[0] for line in client.uidl()[1]] == [b"3", b"4"]
        with pytest.raises(poplib.error_proto, match="no such message"):
            client.retr(1)
        client.quit()
    assert list(maildrop.messages.values()) == CONTENTS[2:]


def test_hanging_up_deletes_nothing(port: int, maildrop: Maildrop) -> None:
    with session(port) as client:
        client.dele(1)
    assert list(maildrop.messages.values()) == CONTENTS


def test_rset_takes_deletions_back(port: int, maildrop: Maildrop) -> None:
    with session(port) as client:
        client.dele(1)
        client.rset()
        client.quit()
    assert list(maildrop.messages.values()) == CONTENTS


def test_two_sessions_cannot_hold_the_maildrop(port: int) -> None:
    with session(port), closing(poplib.POP3("127.0.0.1", port, timeout=20)) as second:
        second.user("office")
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            second.pass_("jam and bread")


class WatchedLock:
    """A maildrop's lock that looks, at the moment it is released, whether the client has a reply to read already."""

    def __init__(self) -> None:
        self.client: socket.socket | None = None
        self.has_reply: list[bool] = []
        self.is_released = threading.Event()

    def acquire(self, *, blocking: bool) -> bool:
        return not blocking

    def release(self) -> None:
        assert self.client is not None
        self.has_reply.append(bool(select.select([self.client], [], [], 0)[0]))
        self.is_released.set()


def test_the_maildrop_is_free_before_quit_is_answered(port: int, maildrop: Maildrop) -> None:
    lock = WatchedLock()
    maildrop.in_use = cast("threading.Lock", lock)
    with session(port) as client:
        lock.client = client.sock
        client.sock.sendall(b"QUIT\r\n")
        assert lock.is_released.wait(20)
        assert lock.has_reply == [False]


@pytest.mark.parametrize(("user", "password"), [("office", "jam"), ("nobody", "jam and bread"), ("office", "j\xe4m")])
def test_a_wrong_name_or_password_is_refused(port: int, user: str, password: str) -> None:
    with closing(poplib.POP3("127.0.0.1", port, timeout=20)) as client:
        client.encoding = "latin-1"
        client.user(user)
        with pytest.raises(poplib.error_proto, match="AUTH"):
            client.pass_(password)


def test_nothing_is_told_before_login(port: int) -> None:
    with closing(poplib.POP3("127.0.0.1", port, timeout=20)) as client:
        assert {"UIDL", "TOP", "PIPELINING"} <= client.capa().keys()
        with pytest.raises(poplib.error_proto, match="not for now"):
            client.stat()


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.retr(5),
        lambda client: client.retr(0),
        lambda client: client.dele("x"),
        lambda client: client.top(1, "x"),
        lambda client: client.list(10**12),
    ],
)
def test_a_bad_argument_is_refused_and_the_session_goes_on(port: int, ask: Callable[[poplib.POP3], object]) -> None:
    with session(port) as client:
        with pytest.raises(poplib.error_proto):
            ask(client)
        assert client.noop() == b"+OK"


def test_pipelined_commands_are_all_answered_in_order(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line, line.makefile("rb") as replies:
        line.sendall(
            b"USER office\r\nPASS jam and bread\r\nRETR 3\r\nNONSENSE\r\nDELE 9\r\nretr 1\r\nLIST 3\r\nNOOP\r\nQUIT\r\n"
        )
        said = replies.read().split(b"\r\n")
    assert [words[:4] for words in said[:3]] == [b"+OK "] * 3
    assert said[3:6] == [b"+OK 3 octets", b"..", b"."]
    assert [words[:4] for words in said[6:9]] == [b"-ERR", b"-ERR", b"+OK "]
    assert said[-5:] == [b".", b"+OK 3 3", b"+OK", b"+OK 0 messages deleted", b""]


def test_a_command_without_end_ends_the_session(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line, line.makefile("rb") as replies:
        line.sendall(b"X" * 513)
        assert [words[:4] for words in replies.read().splitlines()] == [b"+OK ", b"-ERR"]


def test_nothing_listens_afterwards(maildrop: Maildrop) -> None:
    with serving(maildrop) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)


def test_restored_mail_gets_new_unique_ids(maildrop: Maildrop) -> None:
    first = set(maildrop.messages)
    maildrop.messages.clear()
    maildrop.fill(CONTENTS, epoch=2)
    assert not first & set(maildrop.messages)


@pytest.mark.parametrize(
    ("content", "sent"),
    [
        (b"", b""),
        (b".\r\n", b"..\r\n"),
        (b"a\r\n.b\r\n..\r\n", b"a\r\n..b\r\n...\r\n"),
        (b"a\r.b\r\n", b"a\r.b\r\n"),
    ],
)
def test_a_dot_goes_before_lines_that_begin_with_one(content: bytes, sent: bytes) -> None:
    assert stuffed(content) == sent


@pytest.mark.parametrize(
    ("content", "beginning"),
    [
        (b"", b""),
        (b"\r\n", b"\r\n"),
        (b"\r\nbody\r\n\r\nmore\r\n", b"\r\n"),
        (b"A: b\r\n", b"A: b\r\n"),
        (b"A: b\r\n\r\n", b"A: b\r\n\r\n"),
        (b"A: b\r\n\r\nbody\r\n", b"A: b\r\n\r\n"),
    ],
)
def test_top_0_is_the_header_block_with_its_empty_line(content: bytes, beginning: bytes) -> None:
    assert top(content, 0) == beginning
