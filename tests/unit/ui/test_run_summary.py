from __future__ import annotations

import pytest

from migrator.errors import Kind
from migrator.model import Digest, UniqueId
from migrator.report import INTERRUPTED, AccountReport, Described, Problem, Status, WouldDelete, WouldDo
from migrator.ui.run_summary import (
    MAX_GROUPS,
    account_line,
    brief_line,
    dry_total_line,
    is_well,
    problem_lines,
    total_line,
    would_delete_lines,
)


def report(status: Status = Status.OK, *problems: Problem) -> AccountReport:
    return AccountReport(
        "alice",
        status,
        listed=1120,
        known=1100,
        copied=19,
        duplicates=1,
        verified=20,
        deleted=20,
        bytes=81234,
        seconds=1.2,
        problems=list(problems),
    )


def test_the_line_of_an_account_adds_up() -> None:
    assert account_line(report()) == (
        "alice: done: 1,120 on the server = 1,100 already safe + 20 new; "
        "20 new = 19 copied + 1 duplicate + 0 skipped + 0 failed + 0 remaining; 20 verified, 20 deleted (81 kB in 1.2 s)"
    )


def test_where_nothing_is_new_there_is_nothing_to_add_up() -> None:
    quiet = AccountReport("alice", listed=3, known=3, deleted=3, verified=3)
    assert account_line(quiet) == (
        "alice: done: 3 on the server = 3 already safe + 0 new; 3 verified, 3 deleted (0.0 s)"
    )


def test_how_it_ended_comes_first() -> None:
    assert account_line(report(Status.PARTIAL)).startswith("alice: NOT EVERYTHING WAS DONE: 1,120 on the server")
    assert account_line(report(Status.FAILED)).startswith("alice: FAILED: 1,120 on the server")
    assert account_line(AccountReport("alice", Status.FAILED)) == "alice: FAILED, nothing was changed"
    interrupted = report(Status.PARTIAL)
    interrupted.interrupted = True
    assert account_line(interrupted).startswith("alice: interrupted: ")


def test_older_messages_copied_to_a_new_destination_are_told_apart() -> None:
    filled = report()
    filled.filled = 7
    assert "; 7 older ones copied to a new destination" in account_line(filled)


def test_a_dry_run_says_what_would_happen() -> None:
    dry = AccountReport("alice", listed=3, remaining=3)
    dry.would_do = WouldDo(3, 0, [WouldDelete(UniqueId(b"u\x00\xe9"), 1500, Digest(bytes(32)))] * (MAX_GROUPS + 2))
    line = account_line(dry)
    assert line.startswith("alice: dry run: 3 on the server = 0 already safe + 3 new;")
    assert "a real run would copy 3 and delete 22" in line
    lines = list(would_delete_lines(dry, {}))
    assert lines[0] == r"  would delete u\x00\xe9 (1.5 kB)"
    assert len(lines) == MAX_GROUPS + 1
    assert "would delete 2 more" in lines[-1]
    assert len(list(would_delete_lines(dry, {}, is_complete=True))) == MAX_GROUPS + 2


def test_equal_problems_stand_together() -> None:
    problems = [
        Problem(Kind.DISK_FULL, "the disk is full; make room", UniqueId(b"u%d" % n), "mbox a") for n in range(9)
    ]
    assert problem_lines(report(Status.PARTIAL, *problems)) == [
        "  [disk-full] messages u0, u1, u2 and 6 more in mbox a: the disk is full; make room"
    ]
    assert "u8" in problem_lines(report(Status.PARTIAL, *problems), is_complete=True)[0]


def test_problems_name_what_they_concern() -> None:
    assert problem_lines(
        report(
            Status.PARTIAL,
            Problem(Kind.AUTH, "the password is wrong"),
            Problem(Kind.REFUSED, "no", UniqueId(b"u1")),
            Problem(Kind.QUOTA, "full\x1b[2J", None, "INBOX"),
        )
    ) == ["  [auth] the password is wrong", "  [refused] message u1: no", r"  [quota] in INBOX: full\x1b[2J"]


def test_many_different_problems_are_cut_short_unless_all_are_wanted() -> None:
    many = report(Status.PARTIAL, *(Problem(Kind.REFUSED, f"no {n}") for n in range(MAX_GROUPS + 5)))
    lines = problem_lines(many)
    assert len(lines) == MAX_GROUPS + 1
    assert "5 more problems" in lines[-1]
    assert len(problem_lines(many, is_complete=True)) == MAX_GROUPS + 5


def test_the_total_counts_accounts_by_how_they_ended() -> None:
    reports = [report(), report(Status.PARTIAL), AccountReport("b", Status.FAILED)]
    assert total_line(reports) == "3 accounts: 1 done, 1 could not be finished, 1 failed; 38 copied, 40 deleted in all"
    assert total_line([report(Status.PARTIAL)] * 3).startswith("3 accounts: 3 could not be finished; ")
    assert total_line([report()]) == "1 account: 1 done; 19 copied, 20 deleted in all"


def test_a_dry_run_shows_what_is_known_of_a_message() -> None:
    digest = Digest(bytes(32))
    dry = AccountReport("alice", listed=1, would_do=WouldDo(0, 0, [WouldDelete(UniqueId(b"u1"), 1500, digest)]))
    noon = 1_700_000_000
    cases = {
        Described(noon, "Ann <ann@x.org>", "Minutes"): "2023-11-14, Ann <ann@x.org>, Minutes",
        Described(None, "", ""): "nobody, no subject",
        Described(noon, "a" * 99, "\x1b[2J"): f"2023-11-14, {'a' * 39}…, \\x1b[2J",
    }
    for known, words in cases.items():
        assert list(would_delete_lines(dry, {digest: known})) == [f"  would delete u1: {words} (1.5 kB)"]


def test_a_dry_run_ends_with_what_a_real_one_would_do() -> None:
    ann = AccountReport("ann", would_do=WouldDo(5000, 115_000_000))
    some = [WouldDelete(UniqueId(b"u"), 1, None)] * 800
    bob = AccountReport("bob", would_do=WouldDo(100, 1_000_000, some))
    words = "dry run, nothing was changed: would copy 5,100 (116 MB), delete 800"
    assert dry_total_line([ann, bob]) == words
    failed = AccountReport("eve", Status.FAILED)
    assert dry_total_line([ann, bob, failed]) == f"{words}; 1 account could not be looked at"
    nothing = AccountReport("eve", would_do=WouldDo(0, 0))
    assert dry_total_line([nothing]) == "dry run, nothing was changed: would copy 0, delete 0"


def test_who_is_well_among_many_has_one_short_line() -> None:
    assert brief_line(report()) == "alice: done: 19 copied, 1 duplicate, 20 deleted (81 kB in 1.2 s)"
    assert brief_line(AccountReport("a", listed=3, known=3)) == "a: done: nothing new, 3 on the server (0.0 s)"
    dry = AccountReport("a", would_do=WouldDo(3, 10))
    assert brief_line(dry) == "a: dry run: would copy 3, delete 0"


@pytest.mark.parametrize(
    ("one", "is_so"),
    [
        (AccountReport("a"), True),
        (AccountReport("a", Status.PARTIAL), False),
        (AccountReport("a", notes=["a copy was taken out"]), False),
        (AccountReport("a", interrupted=True), False),
    ],
)
def test_who_is_well_wants_no_look(one: AccountReport, is_so: bool) -> None:
    assert is_well(one) is is_so


def test_where_nothing_was_to_be_done_the_trouble_is_what_there_is_to_say() -> None:
    missing = Problem(Kind.ARCHIVE, "is not there", finding="archive-missing")
    bob = AccountReport("bob", Status.PARTIAL, problems=[missing])
    assert account_line(bob) == "bob: nothing new, but its archive is missing"
    bob = AccountReport("bob", Status.PARTIAL, listed=1200, known=1200, problems=[Problem(Kind.QUOTA, "full")])
    words = "bob: nothing new (1,200 on the server, all safe), but there is no room left in its mailbox"
    assert account_line(bob) == words


def test_who_was_stopped_before_anything_is_told_once() -> None:
    stopped = AccountReport(
        "alice", Status.PARTIAL, interrupted=True, problems=[Problem(Kind.TEMPORARY, f"{INTERRUPTED}; run again")]
    )
    assert account_line(stopped) == "alice: interrupted before anything was changed; run again to go on"
    assert problem_lines(stopped) == []
    stopped.listed = 3
    assert problem_lines(stopped) != []
