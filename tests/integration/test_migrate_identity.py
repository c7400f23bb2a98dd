"""From outside: what is the same message, and what only looks like it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Site, account, alice, mbox, source
from tests.mail import letter, letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.servers.pop3_faults import (
    ChangingUniqueIds,
    EmptyUniqueIds,
    NoUniqueIds,
    RepeatedUniqueIds,
    SeenEmpty,
    Unsupported,
)


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(letters(6))) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": "open-sesame"})


def test_new_unique_ids_throughout_cost_no_retr(site: Site) -> None:
    with Pop3Server(Maildrop(letters(6)), faults=[ChangingUniqueIds()]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 6
        done = site.migrate()
        assert (done.code, done.report["known"], done.report["new"]) == (0, 6, 0)
        assert server.counts()["RETR"] == 6
        assert site.stored() == letters(6)


@pytest.mark.parametrize("change", ["host", "username", "port"])
def test_another_host_or_username_is_the_same_account(server: Pop3Server, site: Site, change: str) -> None:
    site.writes(alice(server.port))
    assert site.migrate().report["copied"] == 6
    with Pop3Server(server.maildrop, faults=[ChangingUniqueIds()]) as moved:
        keys: dict[str, object] = {"host": {"host": "localhost"}, "username": {"username": "alice@new"}, "port": {}}[
            change
        ]  # type: ignore[assignment]  # keys of TOML
        site.writes(alice(moved.port, **keys))
        dry = site.migrate("--dry-run")
        assert (dry.code, dry.report["known"], dry.report["new"]) == (0, 6, 0)
        done = site.migrate()
        assert (done.code, done.report["known"], done.report["new"]) == (0, 6, 0)
        assert moved.counts()["RETR"] == 0
        moved.maildrop.add(letter(7))
        site.writes(alice(moved.port, leave_on_server=False, **keys))
        done = site.migrate()
        assert (done.code, done.report["known"], done.report["copied"], done.report["deleted"]) == (0, 6, 1, 7)
        assert site.stored() == letters(7)


def test_what_headers_cannot_tell_is_retrieved_and_is_a_duplicate(site: Site) -> None:
    bare = [b"Subject: same\r\n\r\nbody %d\r\n" % n for n in range(3)]
    with Pop3Server(Maildrop(bare), faults=[ChangingUniqueIds()]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 3
        report = site.migrate().report
        assert (report["known"], report["copied"], report["duplicates"], report["verified"]) == (0, 0, 3, 3)
        assert site.stored() == bare


def test_without_top_changed_unique_ids_mean_retrieving_and_no_second_copy(site: Site) -> None:
    with Pop3Server(Maildrop(letters(4)), faults=[ChangingUniqueIds(), Unsupported("TOP")]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 4
        done = site.migrate()
        assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 0, 4)
        assert site.stored() == letters(4)


@pytest.mark.parametrize("fault", [NoUniqueIds(), EmptyUniqueIds()])
def test_a_server_without_unique_ids_is_kept_without_doubling(site: Site, fault: NoUniqueIds | EmptyUniqueIds) -> None:
    with Pop3Server(Maildrop(letters(4)), faults=[fault]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 4
        server.maildrop.remove(server.maildrop.stored()[0])
        server.maildrop.add(letter(5))
        done = site.migrate()
        assert (done.code, done.report["copied"]) == (0, 1)
        assert site.stored() == letters(5)
        site.writes(alice(server.port, leave_on_server=False))
        assert site.migrate().report["deleted"] == 4
        assert server.maildrop.left() == []


def test_a_unique_id_used_again_is_new_mail(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port, leave_on_server=False))
    assert site.migrate().report["deleted"] == 6
    server.maildrop.add(letter(8), b"uid-00000001")  # the octets are those of letter 1, too
    done = site.migrate()
    assert (done.code, done.report["copied"], done.report["deleted"]) == (0, 1, 1)
    assert site.stored() == [*letters(6), letter(8)]


def test_a_known_unique_id_with_other_octets_is_new_mail(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().report["copied"] == 6
    server.maildrop.replace(server.maildrop.stored()[2], letter(33, octets=300))
    done = site.migrate()
    assert (done.code, done.report["known"], done.report["copied"]) == (0, 5, 1)
    assert site.stored() == [*letters(6), letter(33, octets=300)]


def test_another_content_under_one_unique_id_is_kept_and_archived(server: Pop3Server, site: Site) -> None:
    site.writes(alice(server.port))
    assert site.migrate().report["copied"] == 6
    other = letter(3).replace(b"word 3", b"w0rd 3")
    server.maildrop.replace(server.maildrop.stored()[2], other)
    site.writes(alice(server.port, leave_on_server=False))
    done = site.migrate()
    assert (done.code, done.report["status"], done.report["deleted"]) == (1, "partial", 5)
    [error] = done.report["errors"]
    assert (error["kind"], error["uidl"]) == ("changed", "uid-00000003")
    assert server.maildrop.left() == [other]
    assert site.stored() == [*letters(6), other]
    assert site.call("verify").code == 0


def test_changed_headers_under_one_unique_id_are_no_proof(server: Pop3Server, site: Site) -> None:
    server.allows_top_proof = True
    site.writes(alice(server.port))
    assert site.migrate().report["copied"] == 6
    other = letter(3).replace(b"letter 3", b"l3tter 3")
    server.maildrop.replace(server.maildrop.stored()[2], other)
    site.writes(alice(server.port, leave_on_server=False, proof_before_delete="headers"))
    done = site.migrate()
    assert (done.code, done.report["deleted"], server.maildrop.left()) == (1, 5, [other])
    [error] = done.report["errors"]
    assert (error["kind"], error["uidl"]) == ("changed", "uid-00000003")


def test_repeated_unique_ids_lose_and_double_nothing(site: Site) -> None:
    with Pop3Server(Maildrop(letters(7)), faults=[RepeatedUniqueIds(3)]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 7
        assert site.migrate().report["known"] == 7
        assert server.counts()["RETR"] == 7
        server.maildrop.add(letter(8))
        assert site.migrate().report["copied"] == 1
        assert site.stored() == letters(8)
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate()
        assert (done.code, done.report["deleted"]) == (0, 8), done.report


def twins() -> list[bytes]:
    """Two messages that differ in their bodies only, and not in length."""
    head = b"Message-ID: <twin@example.org>\r\nSubject: twins\r\n\r\n"
    return [head + b"one\r\n", head + b"two\r\n"]


def test_headers_do_not_tell_twins_of_one_unique_id_apart(site: Site) -> None:
    maildrop = Maildrop()
    for twin in twins():
        maildrop.add(twin, b"the-same")
    with Pop3Server(maildrop) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 2
        site.writes(alice(server.port, leave_on_server=False, proof_before_delete="headers"))
        done = site.migrate()
        assert (done.code, done.report["status"], done.report["deleted"]) == (1, "partial", 0)
        assert {(error["kind"], error["uidl"]) for error in done.report["errors"]} == {("ambiguous", "the-same")}
        assert maildrop.left() == twins()
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate()
        assert (done.code, done.report["deleted"], maildrop.left()) == (0, 2, [])
        assert Counter(site.stored()) == Counter(twins())


def test_equal_messages_are_stored_once_and_all_deleted(site: Site) -> None:
    maildrop = Maildrop([letter(1)] * 3)
    with Pop3Server(maildrop) as server:
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate()
        assert (done.code, done.report["copied"], done.report["duplicates"]) == (0, 1, 2)
        assert (done.report["verified"], done.report["deleted"], site.stored()) == (3, 3, [letter(1)])


def test_a_maildrop_seen_empty_once_forgets_nothing(site: Site) -> None:
    with Pop3Server(Maildrop(letters(5)), faults=[SeenEmpty(3)]) as server:
        site.writes(alice(server.port))
        assert site.migrate().report["copied"] == 5
        logins = len(server.logins)
        reports = [site.migrate().report for _ in range(3)]
        assert sum(report["copied"] + report["duplicates"] for report in reports) == 0
        assert reports[-1]["known"] == 5
        assert server.counts()["RETR"] == 5
        assert site.stored() == letters(5)
        assert len(server.logins) > logins
        site.writes(alice(server.port, leave_on_server=False))
        assert site.migrate().report["deleted"] == 5


def test_two_accounts_of_one_archive_share_its_copies(site: Site) -> None:
    maildrops = {"alice": Maildrop(letters(6)), "bob": Maildrop(letters(6, first=4))}
    with Pop3Server(maildrops) as server:
        people = [
            account(name, source(server.port, user=name, leave_on_server=False), mbox("archive/all"))
            for name in maildrops
        ]
        site.writes(*people)
        done = site.migrate()
        assert done.code == 0
        assert sum(report["copied"] for report in done.reports) == 9
        assert sum(report["duplicates"] for report in done.reports) == 3
        assert sum(report["deleted"] for report in done.reports) == 12
        assert Counter(site.stored("archive/all")) == Counter(letters(9))


def test_two_accounts_of_two_archives_each_have_their_own_copy(site: Site) -> None:
    maildrops = {"alice": Maildrop(letters(5)), "bob": Maildrop(letters(5))}
    with Pop3Server(maildrops) as server:
        people = [account(name, source(server.port, user=name), mbox(f"archive/{name}")) for name in maildrops]
        site.writes(*people)
        assert [report["copied"] for report in site.migrate().reports] == [5, 5]
        assert site.stored("archive/alice") == site.stored("archive/bob") == letters(5)
