from __future__ import annotations

from collections.abc import Iterator

import pytest

from migrator.message.body import PiecedBody
from migrator.message.digest import digest_of
from migrator.pop3.assembly import MEMORY_LIMIT
from migrator.pop3.retrieve import Retrieved
from migrator.pop3.server_profile import ServerProfile
from tests.unit.pop3.scripted import Maildrop, MemorySpool, Room, contents, opened, retrieving, sample, wanted

LOCK_STEP = ServerProfile(lock_step=True)
MANY = [sample(number, 300 + number % 70) for number in range(1, 21)]

ODD = [
    b"",
    b"\r\n",
    b"Subject: header only\r\n",
    b"Subject: x\r\n\r\n",
    b"no header at all\r\n",
    b"Subject: \xff\0\r\n\r\n\0\x80\xff\r\n",
    b"a: b\r\n\r\nbare\rcr and\r\r\ncrcrlf\r\n",
    b"a: b\r\n\r\n.\r\n..\r\n...\r\n",
    b"a: b\r\n\r\n" + b"x" * 2_000_000 + b"\r\n",
    b"a: b\r\n\r\n" + b"." * 300_000 + b"\r\n" + b".\r\n" * 50_000,
    b"From me\r\n>From you\r\n",
]


@pytest.mark.parametrize("slice_size", [4096, 65_537, 1 << 22])
@pytest.mark.parametrize("profile", [ServerProfile(), LOCK_STEP])
def test_odd_messages_are_exact(slice_size: int, profile: ServerProfile) -> None:
    one = opened(Maildrop(ODD), profile, slice_size=slice_size)
    told = list(retrieving(one, ODD))
    assert contents(told) == ODD
    messages = [event.message for event in told if isinstance(event, Retrieved)]
    assert [message.digest for message in messages] == [digest_of(content) for content in ODD]
    assert [message.octets for message in messages] == [len(content) for content in ODD]


def test_a_bare_lf_ends_a_line_and_becomes_crlf() -> None:
    wire = b"Subject: x\n\nbare\nlf\rcr\r\n"
    for filler in (b"", b"y" * 70_000 + b"\n", b"z\n" * 200_000):
        one = opened(
            Maildrop([wire + filler], says={"RETR": [b"+OK\r\n" + wire + filler + b"\r\n.\r\n"]}), slice_size=5000
        )
        told = list(retrieving(one, [wire + filler]))
        expected = (wire + filler + b"\r\n").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        assert contents(told) == [expected]


def test_a_server_that_ends_its_lines_in_bare_lf_is_understood() -> None:
    drop = Maildrop(MANY)

    def script(line: bytes) -> Iterator[bytes]:
        for said in drop(line):
            assert isinstance(said, bytes)
            yield said.replace(b"\r\n", b"\n")

    one = opened(script, greeting=b"+OK\n")
    assert contents(list(retrieving(one, MANY))) == MANY


def test_a_large_message_goes_through_the_spool_and_a_small_one_does_not() -> None:
    large, small = sample(1, MEMORY_LIMIT * 3), sample(2, MEMORY_LIMIT // 2)
    spools: list[MemorySpool] = []

    def spool() -> MemorySpool:
        spools.append(MemorySpool())
        return spools[-1]

    one = opened(Maildrop([large, small]), slice_size=30_000)
    told = [
        event for event in one.session.retrieve(wanted([large, small]), Room(), spool) if isinstance(event, Retrieved)
    ]
    assert [event.message.digest for event in told] == [digest_of(large), digest_of(small)]
    assert [event.wire_octets for event in told] == [len(large), len(small)]
    assert told[0].message.message_id == b"<1@example.org>"
    assert len(spools) == 1
    assert isinstance(told[1].message.body, PiecedBody)
