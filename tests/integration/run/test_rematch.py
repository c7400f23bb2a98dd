from __future__ import annotations

from pathlib import Path

from tests.rig import Rig
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_faults import ChangingUniqueIds, InSessions, NumbersAsUniqueIds, Unsupported


def letter(number: int, body: bytes = b"text") -> bytes:
    return b"Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\n%b\r\n" % (number, number, body)


def test_a_maildrop_is_recognised_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    maildrop = Maildrop([letter(1), letter(2), letter(3)])
    with Pop3Server(maildrop) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        maildrop.add(letter(4, b"of another size"))
        rig.migrate()
        assert server.counts()["TOP"] == 0
        first = maildrop.stored()[0]
        maildrop.remove(first)
        maildrop.add(first.content, b"renumbered")
        report = rig.migrate()
        assert (report.known, report.duplicates, server.counts()["TOP"]) == (3, 1, 0)


def test_a_twin_of_a_message_that_vanished_is_new_mail(tmp_path: Path) -> None:
    maildrop = Maildrop([letter(n, b"one") for n in range(1, 6)])
    with Pop3Server(maildrop) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        for stored in maildrop.stored():
            maildrop.remove(stored)
            rig.migrate()
            maildrop.add(stored.content.replace(b"one", b"two"))
            report = rig.migrate()
            assert (report.status, report.copied) == ("ok", 1)
        assert len(rig.stored()) == 10


def test_equal_headers_over_other_bodies_are_not_recognised(tmp_path: Path) -> None:
    twins = [letter(1, b"one"), letter(1, b"two")]
    with Pop3Server(Maildrop(twins), faults=[ChangingUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 2
        report = rig.migrate()
        assert (report.known, report.duplicates) == (0, 2)
        assert sorted(rig.stored()) == sorted(twins)


def test_of_more_like_it_than_are_known_none_is_recognised(tmp_path: Path) -> None:
    maildrop = Maildrop([letter(1, b"one")])
    with Pop3Server(maildrop, faults=[ChangingUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 1
        maildrop.add(letter(1, b"two"))
        assert rig.migrate().copied == 1
        assert rig.stored() == [letter(1, b"one"), letter(1, b"two")]


def test_unique_ids_that_are_message_numbers_tell_nothing_new(tmp_path: Path) -> None:
    maildrop = Maildrop([letter(n, b"o" * n) for n in range(1, 7)])
    with Pop3Server(maildrop, faults=[NumbersAsUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        maildrop.remove(maildrop.stored()[0])
        maildrop.add(letter(1, b"x"))
        assert rig.migrate().copied == 1
        assert server.counts()["TOP"] == 0


def test_equal_messages_are_each_recognised_once(tmp_path: Path) -> None:
    with Pop3Server(Maildrop([letter(1)] * 5), faults=[ChangingUniqueIds()]) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        before = server.counts()["RETR"]
        assert rig.migrate().known == 5
        assert server.counts()["RETR"] == before


def test_a_server_that_loses_top_costs_retrieving_and_nothing_else(tmp_path: Path) -> None:
    faults = [ChangingUniqueIds(), InSessions(Unsupported("TOP"), first=3)]
    with Pop3Server(Maildrop([letter(n) for n in range(5)]), faults=faults) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 5
        report = rig.migrate()
        assert (report.status, report.duplicates) == ("ok", 5)
        assert len(rig.stored()) == 5
