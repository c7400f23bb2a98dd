"""Whatever a line carries, and whatever single messages do to it: all the others come home in one run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import Kind
from migrator.ledger import Ledger
from migrator.policy import DeleteWhenVerified, Policy, SourceProof
from migrator.report import AccountReport, Status
from tests.mail import letters
from tests.rig import Rig, deleting, keeping
from tests.servers.pop3 import Fault, Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    AtMessages,
    ChangingUniqueIds,
    DropAfterBytes,
    DropBefore,
    DropInside,
    NoUniqueIds,
    SessionEnds,
    Stall,
    TopGivesAll,
    Unsupported,
    WrongSizes,
)

BY_HEADERS = Policy(DeleteWhenVerified(), SourceProof.HEADERS)


ALONE = [Unsupported("PIPELINING")]
"""One command at a time."""


@pytest.mark.parametrize("policy", [keeping, deleting])
@pytest.mark.parametrize("pace", [[], ALONE], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(("carries", "count"), [(1, 12), (3, 20), (10, 40), (50, 200)])
def test_a_line_that_carries_so_many_messages_a_session_brings_all_home_in_one_run(
    tmp_path: Path, carries: int, count: int, pace: list[Fault], policy: Callable[[Rig], Rig]
) -> None:
    mail = letters(count)
    with Pop3Server(Maildrop(mail), faults=[*pace, SessionEnds(carries)]) as server:
        rig = policy(Rig(tmp_path, server))
        report = rig.migrate()
        assert (report.status, report.copied, report.problems) == (Status.OK, count, [])
        assert sorted(rig.stored()) == sorted(mail)
        assert server.maildrop.left() == ([] if policy is deleting else mail)


@pytest.mark.parametrize("policy", [keeping, deleting])
@pytest.mark.parametrize("pace", [[], ALONE], ids=["pipelined", "one by one"])
def test_a_line_that_carries_so_many_octets_a_session_brings_all_home_in_one_run(
    tmp_path: Path, pace: list[Fault], policy: Callable[[Rig], Rig]
) -> None:
    mail = letters(300, octets=4000)
    with Pop3Server(Maildrop(mail), faults=[*pace, DropAfterBytes(200_000)]) as server:
        rig = policy(Rig(tmp_path, server))
        report = rig.migrate()
        assert (report.status, report.copied, report.problems) == (Status.OK, 300, [])
        assert sorted(rig.stored()) == sorted(mail)
        assert server.maildrop.left() == ([] if policy is deleting else mail)


def test_what_is_known_is_deleted_in_portions_where_the_line_carries_no_more(tmp_path: Path) -> None:
    mail = letters(40)
    maildrop = Maildrop(mail)
    with Pop3Server(maildrop) as server:
        Rig(tmp_path, server).migrate()
    for faults in ([SessionEnds(7)], [SessionEnds(7, at="DELE")], [SessionEnds(7, at="TOP")]):
        with Pop3Server(maildrop, faults=faults) as server:
            rig = deleting(Rig(tmp_path, server))
            report = rig.migrate()
            assert (report.status, report.deleted, maildrop.left()) == (Status.OK, len(mail), [])
        for letter in mail:
            maildrop.add(letter)
        with Pop3Server(maildrop) as server:
            Rig(tmp_path, server).migrate()


@pytest.mark.parametrize("at", ["DELE", "TOP"])
def test_what_is_proven_by_headers_is_deleted_in_portions_too(tmp_path: Path, at: str) -> None:
    mail = letters(40)
    with Pop3Server(Maildrop(mail), allows_top_proof=True) as server:
        Rig(tmp_path, server).migrate()
        maildrop = server.maildrop
    with Pop3Server(maildrop, faults=[SessionEnds(7, at=at)], allows_top_proof=True) as server:
        rig = Rig(tmp_path, server, policy=BY_HEADERS)
        report = rig.migrate()
        assert (report.status, report.deleted, maildrop.left()) == (Status.OK, len(mail), [])


@pytest.mark.parametrize("policy", [keeping, deleting])
@pytest.mark.parametrize("keys", [[1], [1, 2, 3, 4, 5], [5, 9, 10, 11, 16, 20]])
def test_messages_that_break_the_line_accuse_no_other_and_hold_up_none(
    tmp_path: Path, keys: list[int], policy: Callable[[Rig], Rig]
) -> None:
    mail = letters(20)
    with Pop3Server(Maildrop(mail), faults=[AtMessages("RETR", keys, DropInside("RETR", after=40))]) as server:
        rig = policy(Rig(tmp_path, server))
        report = rig.migrate()
        assert (report.status, report.copied, report.failed) == (Status.PARTIAL, 20 - len(keys), len(keys))
        assert {problem.unique_id for problem in report.problems} == {b"uid-%08d" % key for key in keys}
        assert {problem.kind for problem in report.problems} == {Kind.CONNECT}
        assert len(server.logins) <= 4 + 3 * len(keys)


def test_where_half_of_all_messages_break_the_line_the_others_come(tmp_path: Path) -> None:
    faults = [AtMessages("RETR", range(1, 11), DropInside("RETR", after=40))]
    with Pop3Server(Maildrop(letters(20)), faults=faults) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.copied) == (Status.PARTIAL, 10)
        assert server.maildrop.unique_ids() == [b"uid-%08d" % key for key in range(1, 11)]


def test_a_message_set_aside_by_an_earlier_run_costs_the_next_no_deletion(tmp_path: Path) -> None:
    maildrop = Maildrop(letters(9))
    with Pop3Server(maildrop, faults=[AtMessages("RETR", [4], DropInside("RETR", after=40))]) as server:
        rig = deleting(Rig(tmp_path, server))
        assert rig.migrate().deleted == 8
        for letter in letters(20)[9:]:
            maildrop.add(letter)
        retrieved, logins = server.counts()["RETR"], len(server.logins)
        report = rig.migrate()
        assert (report.status, report.copied, report.deleted, report.failed) == (Status.PARTIAL, 11, 11, 1)
        assert server.counts()["RETR"] - retrieved == 12
        assert len(server.logins) - logins == 2


def test_a_suspect_that_comes_at_last_does_not_look_like_mail_that_was_hidden(tmp_path: Path) -> None:
    maildrop = Maildrop(letters(9))
    with Pop3Server(maildrop, faults=[AtMessages("RETR", [4], DropInside("RETR", after=40))]) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().failed == 1
    with Pop3Server(maildrop) as server:
        rig.server = server
        assert rig.migrate().copied == 1
        with closing(Ledger.open(rig.state)) as ledger:
            assert not ledger.server_facts("127.0.0.1", server.port).get("habits", {}).get("shows_part")


@pytest.mark.parametrize("fault", [DropBefore("TOP"), Stall("TOP"), Stall("TOP", after=60), TopGivesAll()])
@pytest.mark.parametrize("ids", [ChangingUniqueIds(), NoUniqueIds()])
@pytest.mark.parametrize("keys", [[3], [2, 3, 5]])
def test_a_top_that_breaks_the_line_keeps_no_mail_from_coming(
    tmp_path: Path, fault: Fault, ids: Fault, keys: list[int]
) -> None:
    mail = letters(5)
    mail[2] = letters(1, octets=10_000_000)[0].replace(b"<1@", b"<3@")
    maildrop = Maildrop(mail)
    with Pop3Server(maildrop, allows_top_proof=True) as server:
        rig = Rig(tmp_path, server)
        assert rig.migrate().copied == 5
    maildrop.add(b"Subject: new\r\n\r\nnew\r\n")
    with Pop3Server(maildrop, faults=[ids, AtMessages("TOP", keys, fault)], allows_top_proof=True) as server:
        rig.server, rig.timeout = server, 1.0
        dry = rig.migrate(is_dry=True)
        assert (dry.status, dry.problems) == (Status.OK, [])
        report = rig.migrate()
        assert (report.status, report.problems) == (Status.OK, [])
        assert sorted(rig.stored()) == sorted([*mail, b"Subject: new\r\n\r\nnew\r\n"])


@pytest.mark.parametrize("fault", [DropBefore("TOP"), Stall("TOP"), TopGivesAll()])
def test_a_top_that_breaks_the_line_keeps_nothing_from_being_deleted(tmp_path: Path, fault: Fault) -> None:
    mail = letters(5)
    mail[2] = letters(1, octets=200_000)[0].replace(b"<1@", b"<3@")
    with Pop3Server(Maildrop(mail), faults=[AtMessages("TOP", [3], fault)], allows_top_proof=True) as server:
        rig = Rig(tmp_path, server, timeout=1.0)
        rig.migrate()
        rig.policy = BY_HEADERS
        report = rig.migrate()
        assert (report.status, report.deleted, server.maildrop.left()) == (Status.OK, 5, [])


def test_a_server_whose_top_gives_whole_messages_is_not_asked_again_in_the_next_run(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(letters(5, octets=10_000)), faults=[TopGivesAll()], allows_top_proof=True) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        rig.policy = replace(BY_HEADERS, limit=None)
        assert rig.migrate().deleted == 5
        asked = server.counts()["TOP"]
        server.maildrop.add(letters(6)[5])
        rig.policy = Policy()
        rig.migrate()
        rig.policy = BY_HEADERS
        assert rig.migrate().deleted == 1
        assert server.counts()["TOP"] == asked


def test_a_message_that_breaks_the_line_is_named_although_headers_are_asked_for_before_it(tmp_path: Path) -> None:
    maildrop = Maildrop(letters(9))
    with Pop3Server(
        maildrop, faults=[AtMessages("RETR", [9], DropInside("RETR", after=40))], allows_top_proof=True
    ) as server:
        rig = Rig(tmp_path, server)
        rig.migrate()
        rig.policy = replace(BY_HEADERS, limit=None)
        maildrop.add(letters(10)[9])
        report = rig.migrate()
        assert (report.status, report.failed, report.deleted) == (Status.PARTIAL, 1, 9)
        assert {problem.unique_id for problem in report.problems} == {b"uid-00000009"}
        assert server.counts()["TOP"] > 0


def test_an_odd_reply_to_dele_says_nothing_of_pipelining(tmp_path: Path) -> None:
    faults = [AtMessages("DELE", [2], Answers("DELE", words=""))]
    with Pop3Server(Maildrop(letters(5)), faults=faults) as server:
        rig = deleting(Rig(tmp_path, server))
        rig.migrate()
        with closing(Ledger.open(rig.state)) as ledger:
            assert not ledger.server_facts("127.0.0.1", server.port)["session"]["lock_step"]


@pytest.mark.parametrize("carries", [8, 9, 10, 11, 13])
def test_a_line_that_breaks_after_so_many_replies_of_any_kind_deletes_all(tmp_path: Path, carries: int) -> None:
    with Pop3Server(Maildrop(letters(12)), faults=[SessionEnds(carries, at="RETR DELE STAT")]) as server:
        report = deleting(Rig(tmp_path, server)).migrate()
        assert (report.status, report.copied, report.deleted) == (Status.OK, 12, 12)


def deletes_all_but(report: AccountReport, key: int) -> bool:
    named = {problem.unique_id for problem in report.problems}
    return report.deleted == 4 and named == {b"uid-%08d" % key} and report.status is Status.PARTIAL


@pytest.mark.parametrize("key", [1, 2, 5])
def test_a_dele_that_breaks_the_line_is_reported_alone_and_may_be_laid_to_rest(tmp_path: Path, key: int) -> None:
    with Pop3Server(Maildrop(letters(5)), faults=[AtMessages("DELE", [key], DropBefore("DELE"))]) as server:
        rig = deleting(Rig(tmp_path, server))
        assert deletes_all_but(rig.migrate(), key)
        assert "quarantine --accept" in rig.migrate().problems[0].message
        with closing(Ledger.open(rig.state)) as ledger:
            [aside] = ledger.history.set_aside([rig.user])
            ledger.history.accept(aside.row, 0.0)
        deletions = server.counts()["DELE"]
        report = rig.migrate()
        assert (report.status, report.problems) == (Status.OK, [])
        assert server.counts()["DELE"] == deletions
        assert len(server.maildrop.left()) == 1


def test_sessions_that_achieve_nothing_end_a_run_after_three(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(letters(50)), faults=[DropBefore("RETR")]) as server:
        report = Rig(tmp_path, server).migrate()
        assert (report.status, report.copied, report.failed) == (Status.PARTIAL, 0, 0)
        assert len(server.logins) == 3
        assert [problem.unique_id for problem in report.problems] == [None]


@pytest.mark.parametrize("pace", [[], ALONE], ids=["pipelined", "one by one"])
@pytest.mark.parametrize("place", [0, 3, 11])
@pytest.mark.parametrize("line", [b"+OK to me", b"-ERR is what it said", b"+OK 17 apples and 3 pears"])
def test_a_message_that_begins_like_a_reply_comes_home_where_sizes_are_rounded(
    tmp_path: Path, place: int, line: bytes, pace: list[Fault]
) -> None:
    mail = letters(12)
    odd = line + b"\r\n" + mail[place]
    mail[place] = odd
    with Pop3Server(Maildrop(mail), faults=[*pace, WrongSizes(rounded_to=1000)]) as server:
        rig = keeping(Rig(tmp_path, server))
        assert [rig.migrate().status, rig.migrate().status][-1] is Status.OK
        assert sorted(rig.stored()) == sorted(mail)


def test_a_message_that_begins_like_this_servers_own_replies_is_set_aside(tmp_path: Path) -> None:
    """Nobody can tell it from a reply that came twice."""
    mail = letters(12)
    with Pop3Server(Maildrop(mail), faults=[WrongSizes(rounded_to=1000)]) as server:
        rig = keeping(Rig(tmp_path, server))
        rig.migrate()
        with closing(Ledger.open(rig.state)) as ledger:
            form = ledger.server_facts("127.0.0.1", server.port)["session"]["status_form"]
        server.maildrop.add(b"+OK " + form.replace("0", "17").encode() + b"\r\n" + letters(13)[12])
        report = [rig.migrate() for _ in range(2)][-1]
        assert (report.status, report.failed) == (Status.PARTIAL, 1)
        assert sorted(rig.stored()) == sorted(mail)
