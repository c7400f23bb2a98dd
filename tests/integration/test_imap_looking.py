"""A mailbox of which the ledger knows less than is in it, or something else: nothing is stored a second time."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from migrator.copying.copier import Copier, CopyResult, Outcome
from migrator.destinations.imap import ImapDestination
from migrator.errors import FerryError, GoneError, Kind
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.model import CopyState, Proof, StoredCopy
from migrator.policy import WhenCopyIsGone
from tests.integration.imap_support import Bench, bodies_of
from tests.mail import message_of, simple
from tests.servers import imap_faults as faults
from tests.servers.dovecot import Dovecot
from tests.servers.imap_proxy import ImapFault, ImapProxy

HUNDRED = [simple(number) for number in range(100)]
COPIED, DUPLICATE, TAKEN_OUT = CopyResult.COPIED, CopyResult.DUPLICATE, CopyResult.TAKEN_OUT


@pytest.fixture
def bench(dovecot: Dovecot, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(dovecot, tmp_path / "state")
    yield bench
    bench.close()


def carry(bench: Bench, messages: Sequence[Message], destination: ImapDestination | None = None) -> list[Outcome]:
    """Bring messages as a run of its own does."""
    place = destination or bench.open()
    with closing(Ledger.open(bench.state_dir)) as ledger, closing(place):
        return Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0).copy(messages)


def copies_in(bench: Bench, place: ImapDestination | None = None) -> list[StoredCopy]:
    """What the ledger knows of a mailbox."""
    destination = place or bench.open()
    with closing(Ledger.open(bench.state_dir)) as ledger:
        return list(ledger.copies(destination.identity, destination.kind).all_copies())


def states(bench: Bench, place: ImapDestination | None = None) -> list[CopyState]:
    return [copy.state for copy in copies_in(bench, place)]


def verify_again(bench: Bench, messages: Sequence[Message], destination: ImapDestination) -> list[FerryError | None]:
    """Read copies again, as a run does before it deletes at the source."""
    with closing(Ledger.open(bench.state_dir)) as ledger, closing(destination):
        copier = Copier(destination, ledger.copies(destination.identity, destination.kind), clock=lambda: 8.0)
        proven = copier.verify_again([one.digest for one in messages])
        return [proven[one.digest] for one in messages]


# A ledger that knows less than is there.


def test_after_the_ledger_is_lost_the_mailbox_is_recognised(bench: Bench) -> None:
    assert set(carry(bench, HUNDRED)) == {COPIED}
    shutil.rmtree(bench.state_dir)
    assert carry(bench, [*HUNDRED, simple(200)]) == [DUPLICATE] * 100 + [COPIED]
    assert len(bench.contents()) == 101
    assert set(states(bench)) == {CopyState.VERIFIED}


def test_with_an_older_ledger_what_came_since_is_recognised(bench: Bench, tmp_path: Path) -> None:
    carry(bench, HUNDRED[:40])
    shutil.copytree(bench.state_dir, tmp_path / "backup")
    carry(bench, HUNDRED[40:])
    bench.state_dir = tmp_path / "backup"
    assert carry(bench, HUNDRED) == [DUPLICATE] * 100
    assert len(bench.contents()) == 100


def test_two_machines_with_a_copied_state_folder_store_nothing_twice(bench: Bench, tmp_path: Path) -> None:
    carry(bench, HUNDRED[:10])
    shutil.copytree(bench.state_dir, tmp_path / "other")
    for start in range(10, 50, 10):
        carry(bench, HUNDRED[:start])
        bench.state_dir, other = tmp_path / "other", bench.state_dir
        carry(bench, HUNDRED[: start + 5])
        bench.state_dir = other
    carry(bench, HUNDRED)
    assert sorted(bench.contents()) == sorted(bodies_of(HUNDRED))


def test_whatever_it_is_called_it_is_the_same_mailbox(bench: Bench) -> None:
    carry(bench, HUNDRED[:5])
    with ImapProxy(bench.server.imap_port) as proxy:
        for host, folder in [("LOCALHOST", "inbox"), ("localhost", "Inbox"), ("127.0.0.1", "INBOX/")]:
            place = bench.open(proxy.port, host=host, folder=folder)
            assert carry(bench, HUNDRED[:6], place)[:5] == [DUPLICATE] * 5
    assert len(bench.contents()) == 6
    assert bench.open(host="LocalHost", folder="inbox/").identity == bench.open(4, host="localhost").identity


def test_a_folder_with_a_delimiter_at_its_end_is_known_again(bench: Bench) -> None:
    for _ in range(2):
        carry(bench, HUNDRED[:3], bench.open(folder="Old/Letters/"))
    assert len(bench.contents("Old.Letters")) == 3


def test_mail_of_other_people_is_no_copy_and_stays_unread(bench: Bench) -> None:
    strangers = [simple(number) for number in range(200, 230)]
    bench.server.mailbox("ann").append(bodies_of(strangers))
    with ImapProxy(bench.server.imap_port) as proxy:
        assert carry(bench, HUNDRED, bench.open(proxy.port)) == [COPIED] * 100
        [listing, reading] = [command.line for command in proxy.commands if command.verb == "UID FETCH"]
    assert b"UID FETCH 1:* (UID RFC822.SIZE" in listing
    assert b"UID FETCH 31:130 (UID BODY.PEEK[])" in reading
    assert len(bench.contents()) == 130


# What looks alike.

HEAD = b"Message-ID: <same@example.org>\r\nSubject: same\r\n\r\n"
TWINS = [message_of(HEAD + body) for body in (b"one\r\n", b"two\r\n", b"six\r\n")]
NAMELESS = [message_of(b"Subject: none\r\n\r\nbody %d\r\n" % number) for number in range(9)]


def test_twins_are_told_apart_by_their_bytes(bench: Bench) -> None:
    bench.server.mailbox("ann").append(bodies_of(TWINS[:2]))
    assert carry(bench, TWINS) == [DUPLICATE, DUPLICATE, COPIED]
    assert bench.contents() == bodies_of(TWINS)


def test_one_letter_there_stands_for_one_message(bench: Bench) -> None:
    """What differs in carriage returns only may be the other's copy, but never both at once."""
    two = [message_of(HEAD + b"a\r\r\nb\r\n"), message_of(HEAD + b"a\r\nb\r\n")]
    bench.server.mailbox("ann").append(bodies_of(two[1:]))
    assert carry(bench, two, bench.open(proof=Proof.CANONICAL)) == [COPIED, DUPLICATE]
    assert len(bench.contents()) == 2


def test_messages_without_message_id_are_recognised_by_size_and_bytes(bench: Bench) -> None:
    carry(bench, NAMELESS[:6])
    shutil.rmtree(bench.state_dir)
    assert carry(bench, NAMELESS) == [DUPLICATE] * 6 + [COPIED] * 3
    assert len(bench.contents()) == 9


ALTERED = [
    message_of(b"Message-ID: <cr@example.org>\r\n\r\nbody\r\r\nmore\r\r\n"),
    message_of(b"Message-ID: <nul@example.org>\r\n\r\nbo\0dy\r\n"),
    message_of(b"Subject: nameless\r\n\r\nbody\r\r\nmore\r\r\n"),
]


def test_what_the_server_altered_is_recognised_and_is_not_stored_again(bench: Bench) -> None:
    carry(bench, ALTERED, bench.open(proof=Proof.CANONICAL))
    for proof, expected in [(Proof.CANONICAL, DUPLICATE), (Proof.EXACT, Kind.UNPROVEN)]:
        shutil.rmtree(bench.state_dir)
        outcomes = carry(bench, ALTERED, bench.open(proof=proof))
        assert [one.kind if isinstance(one, FerryError) else one for one in outcomes] == [expected] * 3
    assert set(states(bench)) == {CopyState.UNPROVEN}
    assert len(bench.contents()) == 3


def test_an_unproven_copy_is_stored_once_whatever_is_asked(bench: Bench) -> None:
    for _ in range(3):
        outcomes = carry(bench, ALTERED, bench.open(gone=WhenCopyIsGone.RESTORE))
        assert {one.kind for one in outcomes if isinstance(one, FerryError)} == {Kind.UNPROVEN}
    assert len(bench.contents()) == 3
    assert carry(bench, ALTERED, bench.open(proof=Proof.CANONICAL)) == [DUPLICATE] * 3


def test_a_server_that_builds_messages_anew_shows_a_copy_of_any_size(bench: Bench) -> None:
    head = b"Message-ID: <%d@example.org>\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\nFrom: a@example.org\r\nSubject: s\r\n"
    plain = [message_of(head % number + b"\r\nbody %d\r\n" % number) for number in range(3)]
    encoded = b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    built = [head % n + b"X-Much: more\r\n" + encoded + b64encode(b"body %d\r\n" % n) + b"\r\n" for n in range(3)]
    bench.server.mailbox("ann").append(built[:2])
    assert carry(bench, plain, bench.open(proof=Proof.SEMANTIC)) == [DUPLICATE, DUPLICATE, COPIED]
    assert {copy.proof for copy in copies_in(bench)} == {Proof.SEMANTIC, Proof.EXACT}
    assert carry(bench, plain, bench.open(proof=Proof.SEMANTIC)) == [DUPLICATE] * 3


# What looking costs.


def listings(proxy: ImapProxy) -> list[bytes]:
    """The sets of UIDs of which sizes and Message-IDs were asked for."""
    return [command.line.split()[3] for command in proxy.commands if b"MESSAGE-ID" in command.line]


def test_a_large_upload_costs_one_fetch_per_batch_and_looks_at_the_folder_once(bench: Bench) -> None:
    many = [simple(number) for number in range(1_000)]
    with ImapProxy(bench.server.imap_port) as proxy:
        carry(bench, many, bench.open(proxy.port))
        counts = proxy.counts()
        # Two batches, of 600 and 400, in commands of 100 messages each.
        assert (counts["EXAMINE"], counts["APPEND"], counts["UID FETCH"]) == (1, 10, 2)
        carry(bench, [*many[:100], simple(2_000)], bench.open(proxy.port))
        # The batch that was there, then one more; nothing that stands there is listed again.
        assert (proxy.counts() - counts)["UID FETCH"] == 2
        assert listings(proxy) == []


def test_what_somebody_else_stores_between_two_batches_is_seen_at_the_next_but_one(bench: Bench) -> None:
    place = bench.open()
    with closing(Ledger.open(bench.state_dir)) as ledger:
        copier = Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0)
        assert copier.copy(HUNDRED[:3]) == [COPIED] * 3
        bench.server.mailbox("ann").append(bodies_of(HUNDRED[10:12]))
        assert copier.copy(HUNDRED[3:6]) == [COPIED] * 3  # what it got does not stand right behind the last batch
        assert copier.copy(HUNDRED[9:12]) == [COPIED, DUPLICATE, DUPLICATE]
    place.close()
    assert sorted(bench.contents()) == sorted(bodies_of(HUNDRED[:6] + HUNDRED[9:12]))


def test_the_mailbox_is_listed_once_and_then_only_what_is_new(bench: Bench) -> None:
    bench.server.mailbox("ann").append(bodies_of([simple(number) for number in range(300, 500)]))
    with ImapProxy(bench.server.imap_port) as proxy:
        carry(bench, HUNDRED[:10], bench.open(proxy.port))
        bench.server.mailbox("ann").append(bodies_of([simple(600)]))
        carry(bench, HUNDRED[10:20], bench.open(proxy.port))
        carry(bench, HUNDRED[20:30], bench.open(proxy.port))
        assert listings(proxy) == [b"1:*", b"211:*"]


@pytest.mark.parametrize(
    "fault",
    [
        faults.DropAtLine(rb"UID 3 RFC822.SIZE \d+ BODY"),
        faults.Answers("UID FETCH", words="NO [SERVERBUG] oops", times=1),
    ],
)
def test_a_listing_that_breaks_is_made_up_for_by_sizes(bench: Bench, fault: ImapFault) -> None:
    carry(bench, HUNDRED[:6])
    shutil.rmtree(bench.state_dir)
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy:
        assert carry(bench, HUNDRED[:6], bench.open(proxy.port)) == [DUPLICATE] * 6
        assert any(b"(UID RFC822.SIZE)" in command.line for command in proxy.commands)
    assert len(bench.contents()) == 6


# Copies that a person took out.


def test_a_copy_taken_out_is_gone_and_stays_at_its_source(bench: Bench) -> None:
    carry(bench, HUNDRED[:5])
    bench.expunge("2")
    assert carry(bench, HUNDRED[:5]) == [DUPLICATE, TAKEN_OUT, DUPLICATE, DUPLICATE, DUPLICATE]
    assert carry(bench, HUNDRED[:5])[1] is TAKEN_OUT
    [error] = verify_again(bench, HUNDRED[1:2], bench.open())
    assert isinstance(error, GoneError)
    assert states(bench)[1] is CopyState.GONE
    assert len(bench.contents()) == 4


def test_a_copy_taken_out_is_stored_again_or_accepted_where_that_is_wished(bench: Bench) -> None:
    carry(bench, HUNDRED[:5])
    bench.expunge("2")
    assert carry(bench, HUNDRED[:5], bench.open(gone=WhenCopyIsGone.ACCEPT)) == [DUPLICATE] * 5
    assert verify_again(bench, HUNDRED[:5], bench.open(gone=WhenCopyIsGone.ACCEPT)) == [None] * 5
    assert len(bench.contents()) == 4
    for expected in (COPIED, DUPLICATE):
        assert carry(bench, HUNDRED[:5], bench.open(gone=WhenCopyIsGone.RESTORE))[1] is expected
    assert sorted(bench.contents()) == sorted(bodies_of(HUNDRED[:5]))


def test_a_copy_that_a_person_filed_and_brought_back_is_a_copy_again(bench: Bench) -> None:
    carry(bench, HUNDRED[:3])
    bench.expunge("2")
    assert carry(bench, HUNDRED[:3])[1] is TAKEN_OUT
    bench.server.mailbox("ann").append(bodies_of(HUNDRED[1:2]))
    assert carry(bench, HUNDRED[:3]) == [DUPLICATE] * 3
    assert len(bench.contents()) == 3


@pytest.mark.parametrize("folder", ["INBOX", "Old"])
def test_an_emptied_mailbox_stops_the_run_and_changes_nothing(bench: Bench, folder: str) -> None:
    carry(bench, HUNDRED[:30], bench.open(folder=folder))
    bench.expunge("1:25", folder)
    for _ in range(2):
        with pytest.raises(FerryError, match="25 of the 30") as raised:
            carry(bench, HUNDRED[:40], bench.open(folder=folder))
        assert (raised.value.kind, "when_copy_is_gone" in raised.value.cure) == (Kind.ARCHIVE, True)
        with pytest.raises(FerryError, match="was emptied"):
            verify_again(bench, HUNDRED[:3], bench.open(folder=folder))
        assert set(states(bench, bench.open(folder=folder))) <= {CopyState.VERIFIED, CopyState.STORED}
    for expected in (COPIED, DUPLICATE):
        place = bench.open(folder=folder, gone=WhenCopyIsGone.RESTORE)
        assert carry(bench, HUNDRED[:30], place)[:25] == [expected] * 25
    assert len(bench.contents(folder)) == 40


def test_a_mailbox_that_is_not_there_is_not_made_anew_in_silence(bench: Bench) -> None:
    carry(bench, HUNDRED[:3], bench.open(folder="Old"))
    with bench.as_another_client() as session:
        session.rename("Old", "Filed")
    for messages in (HUNDRED[:3], HUNDRED[3:6]):
        with pytest.raises(FerryError, match="is not there") as raised:
            carry(bench, messages, bench.open(folder="Old"))
        assert raised.value.kind is Kind.ARCHIVE
    with pytest.raises(FerryError, match="is not there"):
        verify_again(bench, HUNDRED[:3], bench.open(folder="Old"))
    assert bench.contents("Old") == []
    place = bench.open(folder="Old", gone=WhenCopyIsGone.RESTORE)
    assert carry(bench, HUNDRED[:6], place) == [COPIED] * 6
    assert bench.contents("Old") == bodies_of(HUNDRED[:6])


def test_a_mailbox_deleted_while_it_is_open_is_missed_at_the_next_batch(bench: Bench) -> None:
    place = bench.open(folder="Old")
    with closing(Ledger.open(bench.state_dir)) as ledger:
        copier = Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0)
        assert copier.copy(HUNDRED[:3]) == [COPIED] * 3
        with bench.as_another_client() as session:
            session.delete("Old")
        # A moment after its own batch it does not look, and Dovecot answers APPEND as if something were broken.
        assert all(isinstance(one, FerryError) for one in copier.copy(HUNDRED[3:5]))
        with pytest.raises(FerryError, match="is not there"):
            copier.copy(HUNDRED[5:7])
        with pytest.raises(FerryError, match="is not there"):
            copier.verify_again([HUNDRED[0].digest])


def test_a_mailbox_taken_away_in_the_middle_of_a_run_is_not_made_anew(bench: Bench) -> None:
    carry(bench, HUNDRED[:3])
    fault = faults.Answers("APPEND", words="NO [TRYCREATE] no such mailbox")
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy:
        [outcome] = carry(bench, [simple(7)], bench.open(proxy.port))
        assert proxy.counts()["CREATE"] == 0
    assert isinstance(outcome, FerryError)
    assert outcome.kind is Kind.ARCHIVE


# Another UIDVALIDITY.


def test_after_a_new_uid_validity_every_copy_is_found_again_and_none_stored_twice(bench: Bench) -> None:
    carry(bench, HUNDRED + TWINS + NAMELESS, bench.open(folder="Old"))
    before = {copy.digest: copy for copy in copies_in(bench, bench.open(folder="Old"))}
    bench.make_anew("Old")
    assert verify_again(bench, HUNDRED, bench.open(folder="Old")) == [None] * 100
    after = {copy.digest: copy for copy in copies_in(bench, bench.open(folder="Old"))}
    assert before.keys() == after.keys()
    assert all(before[digest].locator != after[digest].locator for digest in after)
    assert set(carry(bench, HUNDRED + TWINS + NAMELESS, bench.open(folder="Old"))) == {DUPLICATE}
    assert len(bench.contents("Old")) == 112


def test_what_is_not_found_again_is_gone(bench: Bench) -> None:
    carry(bench, HUNDRED[:20], bench.open(folder="Old"))
    bench.make_anew("Old", bodies_of(HUNDRED[3:20]))
    for _ in range(2):
        assert carry(bench, HUNDRED[:20], bench.open(folder="Old")) == [TAKEN_OUT] * 3 + [DUPLICATE] * 17
    assert len(bench.contents("Old")) == 17
    place = bench.open(folder="Old", gone=WhenCopyIsGone.RESTORE)
    assert carry(bench, HUNDRED[:20], place) == [COPIED] * 3 + [DUPLICATE] * 17
    assert len(bench.contents("Old")) == 20


def test_a_mailbox_made_anew_and_left_empty_is_an_emptied_one(bench: Bench) -> None:
    carry(bench, HUNDRED[:20], bench.open(folder="Old"))
    bench.make_anew("Old", [])
    place = bench.open(folder="Old")
    with closing(Ledger.open(bench.state_dir)) as ledger:
        copier = Copier(place, ledger.copies(place.identity, place.kind), clock=lambda: 7.0)
        for messages in (HUNDRED[:20], HUNDRED[20:30]):
            with pytest.raises(FerryError, match="20 of the 20"):
                copier.copy(messages)
    assert bench.contents("Old") == []
    place = bench.open(folder="Old", gone=WhenCopyIsGone.RESTORE)
    assert carry(bench, HUNDRED[:20], place) == [COPIED] * 20
    bench.make_anew("Old", [])
    place = bench.open(folder="Old", gone=WhenCopyIsGone.RESTORE)
    assert carry(bench, HUNDRED[:20], place) == [COPIED] * 20


def test_altered_copies_are_found_again_without_their_originals(bench: Bench) -> None:
    carry(bench, ALTERED, bench.open(folder="Old", proof=Proof.CANONICAL))
    bench.make_anew("Old")
    place = bench.open(folder="Old", proof=Proof.CANONICAL)
    errors = verify_again(bench, ALTERED, place)
    assert {error.kind for error in errors if error} == {Kind.UNPROVEN}  # only the original can tell
    after = copies_in(bench, place)
    assert {(copy.state, copy.proof) for copy in after} == {(CopyState.VERIFIED, Proof.CANONICAL)}
    assert carry(bench, ALTERED, bench.open(folder="Old", proof=Proof.CANONICAL)) == [DUPLICATE] * 3
    assert len(bench.contents("Old")) == 3


def test_a_search_that_is_cut_short_goes_on_where_it_was(bench: Bench) -> None:
    many = [simple(number) for number in range(500)]
    carry(bench, many, bench.open(folder="Old"))
    bench.make_anew("Old")
    fault = faults.DropBefore("UID FETCH", skip=4)
    with ImapProxy(bench.server.imap_port, faults=[fault]) as proxy, pytest.raises(FerryError):
        verify_again(bench, many[:1], bench.open(proxy.port, folder="Old"))
    known = {copy.locator for copy in copies_in(bench, bench.open(folder="Old")) if copy.locator}
    assert len({locator.uid_validity for locator in known}) == 2  # type: ignore[union-attr]  # of a mailbox
    assert verify_again(bench, many, bench.open(folder="Old")) == [None] * 500
    assert len(bench.contents("Old")) == 500
