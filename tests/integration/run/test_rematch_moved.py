from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from migrator.report import AccountReport
from tests.rig import Rig
from tests.servers.pop3 import Fault, Maildrop, Pop3Server
from tests.servers.pop3_faults import (
    Answers,
    DropBefore,
)


def letter(number: int, body: bytes = b"text") -> bytes:
    return b"Message-ID: <%d@example.org>\r\nSubject: %d\r\n\r\n%b\r\n" % (number, number, body)


def moved(root: Path, before: list[bytes], after: list[bytes], *faults: Fault) -> tuple[AccountReport, Counter[str]]:
    """Copy a maildrop, let another server show it under other unique-ids; returns what that run did."""
    with Pop3Server(Maildrop(before)) as server:
        rig = Rig(root, server)
        assert rig.migrate().status == "ok"
    maildrop = Maildrop()
    for number, content in enumerate(after):
        maildrop.add(content, b"other-%d" % number)
    with Pop3Server(maildrop, faults=faults) as server:
        rig.server = server
        return rig.migrate(), server.counts()


MANY = [letter(number) for number in range(100, 120)]


@pytest.mark.parametrize(("missing", "known"), [(2, 18), (3, 0)])
def test_of_a_large_maildrop_one_message_in_ten_may_be_missing(tmp_path: Path, missing: int, known: int) -> None:
    report, said = moved(tmp_path, MANY, MANY[missing:])
    assert (report.known, said["RETR"]) == (known, 0 if known else len(MANY) - missing)
    assert report.status == "ok"


def test_a_maildrop_of_which_little_is_left_is_retrieved_although_that_little_looks_the_same(tmp_path: Path) -> None:
    others = [one.replace(b"Subject", b"Comment") for one in MANY]  # of the same octets
    report, said = moved(tmp_path, MANY, [*MANY[:5], *others[5:]])
    assert (report.known, report.duplicates, report.copied, said["RETR"]) == (0, 5, 15, 20)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MANY[:4], MANY[:4]),
        (MANY[:6], [*MANY[:1], *(letter(number, b"of another size") for number in range(10))]),
    ],
)
def test_where_too_few_can_be_known_again_no_header_is_asked_for(
    tmp_path: Path, before: list[bytes], after: list[bytes]
) -> None:
    report, said = moved(tmp_path, before, after)
    assert (report.known, said["TOP"], said["RETR"]) == (0, 0, len(after))


def test_headers_without_a_message_id_are_not_known_again(tmp_path: Path) -> None:
    nameless = [b"Subject: %d\r\n\r\ntext\r\n" % number for number in range(10, 20)]
    report, said = moved(tmp_path, nameless, nameless)
    assert (report.known, report.duplicates, said["RETR"]) == (0, 10, 10)
    mixed = [*nameless[:1], *MANY]
    report, said = moved(tmp_path / "mixed", mixed, mixed)
    assert (report.known, report.duplicates, said["RETR"]) == (20, 1, 1)


def test_one_header_that_is_refused_costs_its_message_only(tmp_path: Path) -> None:
    report, said = moved(tmp_path, MANY, MANY, Answers("TOP", 3, words="-ERR no"))
    assert (report.status, report.known, report.duplicates, said["RETR"]) == ("ok", 19, 1, 1)


def test_twins_are_retrieved_while_the_others_are_recognised(tmp_path: Path) -> None:
    twins = [letter(1, b"one"), letter(1, b"two")]
    report, said = moved(tmp_path, [*MANY, *twins], [*MANY, *twins])
    assert (report.known, report.duplicates, said["RETR"]) == (20, 2, 2)


def test_of_more_like_it_than_are_known_all_are_retrieved(tmp_path: Path) -> None:
    report, said = moved(tmp_path, [*MANY, letter(1, b"one")], [*MANY, letter(1, b"two"), letter(1, b"one")])
    assert (report.known, report.duplicates, report.copied, said["RETR"]) == (20, 1, 1, 2)


def test_of_fewer_than_are_known_each_is_recognised_once(tmp_path: Path) -> None:
    same = [letter(1)] * 2
    report, said = moved(tmp_path, [*MANY, *same], [*MANY, letter(1)])
    assert (report.known, said["RETR"]) == (21, 0)


def test_a_line_that_breaks_over_headers_is_no_refusal(tmp_path: Path) -> None:
    report, said = moved(tmp_path, MANY, MANY, DropBefore("TOP"))
    assert (report.status, report.problems, report.duplicates) == ("ok", [], 20)
    assert said["TOP"] == 2
