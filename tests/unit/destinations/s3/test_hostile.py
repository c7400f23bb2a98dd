"""A store that fails, lies or is slow: nothing is lost, nothing is stored twice, and what is said is true."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from migrator.backoff import STORE
from migrator.copying.copier import Copier, CopyResult
from migrator.destinations.s3 import store as store_module
from migrator.destinations.s3.destination import S3Destination
from migrator.errors import AwayError, FerryError, Kind
from migrator.ledger import Ledger
from migrator.message.body import Message
from migrator.model import CopyState
from tests.contract.support import NOW, Memory, content_of, read, recover, store
from tests.mail import Pieces, message_of, simple
from tests.servers.hostile_store import (
    Fault,
    HostileStore,
    LosesAnswer,
    NoCondition,
    NoRanges,
    Stalls,
    StoresWrongBytes,
    Truncates,
    WrongBytes,
    hostile,
)
from tests.servers.object_store import Bucket

Opens = Callable[..., S3Destination]
BATCH = [simple(number) for number in range(5)]


@pytest.fixture
def opens(bucket: Bucket, tmp_path: Path) -> Iterator[Opens]:
    """Open the archive as a new run does, directly or through a door."""
    opened: list[S3Destination] = []

    def at(door: HostileStore | None = None, *, timeout: float = 5.0) -> S3Destination:
        endpoint = door.endpoint if door else bucket.endpoint
        settings = replace(bucket.settings, endpoint=endpoint, timeout=timeout)
        opened.append(S3Destination(settings, state_dir=tmp_path / "state", clock=lambda: NOW))
        return opened[-1]

    yield at
    for one in opened:
        one.close()


def stored_messages(bucket: Bucket) -> Counter[bytes]:
    """Return the first lines of the records that stand in the bucket, counted."""
    return Counter(
        record.partition(b"\n\n")[0].partition(b"\n")[2]
        for content in bucket.objects().values()
        for record in content.split(b"\nFrom ")
    )


def fails(call: Callable[[], object]) -> FerryError:
    with pytest.raises(FerryError) as caught:
        call()
    return caught.value


def test_an_answer_to_a_put_that_is_lost_costs_a_look(bucket: Bucket, opens: Opens) -> None:
    memory = Memory()
    with hostile(bucket.endpoint, LosesAnswer("PUT", times=1)) as door:
        destination = opens(door)
        recover(destination, memory)
        stored = store(destination, memory, BATCH)
        assert read(destination, stored) == [content_of(one.body) for one in BATCH]
    assert len(bucket.objects()) == 1


def test_where_all_answers_are_lost_the_next_run_finds_the_batch(bucket: Bucket, opens: Opens) -> None:
    memory = Memory()
    with hostile(bucket.endpoint, LosesAnswer("PUT"), Fault("GET", code="SlowDown", status=503, after=0)) as door:
        destination = opens(door)
        recover(destination, memory)
        assert fails(lambda: store(destination, memory, BATCH)).kind in (Kind.CONNECT, Kind.TEMPORARY, Kind.PROTOCOL)
    later = opens()
    recover(later, memory)
    assert set(memory.copies) == {one.digest for one in BATCH}
    assert len(bucket.objects()) == 1


def test_the_same_batch_put_twice_is_one_object(bucket: Bucket, opens: Opens) -> None:
    first, second = Memory(), Memory()
    one, other = opens(), opens()
    recover(one, first)
    recover(other, second)
    assert store(one, first, BATCH) == store(other, second, BATCH)
    assert len(bucket.objects()) == 1


@pytest.mark.parametrize("status", [501, 400])
def test_a_store_that_does_not_know_the_condition_is_asked_whether_the_name_is_free(
    bucket: Bucket, opens: Opens, status: int
) -> None:
    memory = Memory()
    with hostile(bucket.endpoint, NoCondition("PUT", status=status, code="NotImplemented")) as door:
        destination = opens(door)
        recover(destination, memory)
        first = store(destination, memory, BATCH)
        store(destination, memory, [simple(77)])
        assert read(destination, first) == [content_of(one.body) for one in BATCH]
        assert (door.count("PUT"), door.count("HEAD")) == (3, 2)  # the second batch is not sent with it any more
    assert len(bucket.objects()) == 2


def test_such_a_store_does_not_put_over_what_is_there(bucket: Bucket, opens: Opens) -> None:
    memory = Memory()
    store(opens(), memory, BATCH)
    before = bucket.objects()
    with hostile(bucket.endpoint, NoCondition("PUT", status=501, code="NotImplemented")) as door:
        store(opens(door), Memory(), BATCH)
        assert door.count("PUT") == 1
    assert bucket.objects() == before


def test_other_bytes_under_a_batchs_name_are_left_and_it_gets_a_number(bucket: Bucket, opens: Opens) -> None:
    store(opens(), Memory(), BATCH)
    [key] = bucket.objects()
    bucket.put(key, b"From x Mon Nov 23 12:00:05 2026\nSubject: other\n\nx\n\n")
    destination, memory = opens(), Memory()
    stored = store(destination, memory, BATCH)
    assert read(destination, stored) == [content_of(one.body) for one in BATCH]
    assert sorted(bucket.objects()) == sorted([key, key.replace(".mbox", "-2.mbox")])
    assert b"Subject: other" in bucket.objects()[key]


@pytest.mark.parametrize("fault", [Truncates("GET", times=2), Fault("GET", times=2), Fault("GET", times=2, status=503)])
def test_a_read_that_breaks_is_tried_again(bucket: Bucket, opens: Opens, fault: Fault) -> None:
    memory = Memory()
    stored = store(opens(), memory, BATCH)
    fault.met = 0
    with hostile(bucket.endpoint, fault) as door:
        assert read(opens(door), stored) == [content_of(one.body) for one in BATCH]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Truncates("GET"), Kind.TEMPORARY),
        (Fault("GET"), Kind.TEMPORARY),
        (Fault("GET", status=503, code="SlowDown"), Kind.TEMPORARY),
        (Fault("GET", status=403, code="AccessDenied"), Kind.REFUSED),
        (Fault("GET", status=403, code="InvalidAccessKeyId"), Kind.AUTH),
        (LosesAnswer("GET"), Kind.CONNECT),
    ],
    ids=["cut", "500", "slow down", "denied", "keys", "hung up"],
)
def test_a_store_that_does_not_answer_says_nothing_of_its_copies(
    bucket: Bucket, opens: Opens, tmp_path: Path, fault: Fault, kind: Kind
) -> None:
    fault.met = 0
    with closing(Ledger.open(tmp_path / "state")) as ledger, hostile(bucket.endpoint, fault) as door:
        destination = opens(door)
        copies = ledger.copies(destination.identity, destination.kind)
        copier = Copier(destination, copies, clock=lambda: 1.0)
        error = fails(lambda: copier.copy(BATCH))
        assert error.kind is kind
        assert {one.state for one in copies.all_copies()} == {CopyState.STORED}
        door.faults.clear()
        assert copier.copy(BATCH) == [CopyResult.DUPLICATE] * len(BATCH)
        assert {one.state for one in copies.all_copies()} == {CopyState.VERIFIED}
    assert len(bucket.objects()) == 1


def test_wrong_bytes_are_never_taken_for_a_copy(bucket: Bucket, opens: Opens, tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path / "state")) as ledger, hostile(bucket.endpoint, WrongBytes("GET")) as door:
        destination = opens(door)
        copies = ledger.copies(destination.identity, destination.kind)
        outcomes = Copier(destination, copies, clock=lambda: 1.0).copy([simple(1)])
        [outcome] = outcomes
        assert isinstance(outcome, FerryError)
        assert outcome.kind is Kind.MISMATCH
        assert [one.state for one in copies.all_copies()] == [CopyState.DAMAGED]


def test_what_a_store_keeps_wrongly_is_found_and_mended_beside_it(bucket: Bucket, opens: Opens, tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        with hostile(bucket.endpoint, StoresWrongBytes("PUT", times=1)) as door:
            destination = opens(door)
            copies = ledger.copies(destination.identity, destination.kind)
            [outcome] = Copier(destination, copies, clock=lambda: 1.0).copy([simple(1)])
            assert isinstance(outcome, FerryError)
            [again] = Copier(opens(door), copies, clock=lambda: 1.0, replaces_damaged=True).copy([simple(1)])
            assert again is CopyResult.COPIED
        assert [one.state for one in copies.all_copies()] == [CopyState.VERIFIED]
    assert len(bucket.objects()) == 2


def test_a_store_that_knows_no_ranges_is_read_all_the_same(bucket: Bucket, opens: Opens) -> None:
    memory = Memory()
    stored = store(opens(), memory, BATCH)
    with hostile(bucket.endpoint, NoRanges("GET")) as door:
        backwards = replace(stored, outcomes=tuple(reversed(stored.outcomes)))
        assert read(opens(door), backwards) == [content_of(one.body) for one in reversed(BATCH)]


def test_a_refusal_in_the_middle_of_a_run_leaves_what_was_done(bucket: Bucket, opens: Opens, tmp_path: Path) -> None:
    denied = Fault("PUT", after=1, status=403, code="AccessDenied")
    with closing(Ledger.open(tmp_path / "state")) as ledger, hostile(bucket.endpoint, denied) as door:
        destination = opens(door)
        copies = ledger.copies(destination.identity, destination.kind)
        copier = Copier(destination, copies, clock=lambda: 1.0)
        assert copier.copy(BATCH) == [CopyResult.COPIED] * len(BATCH)
        error = fails(lambda: copier.copy([simple(50)]))
        assert (error.kind, error.finding) == (Kind.REFUSED, "refused")
        assert "s3:PutObject" in error.cure
        assert "in the test" in error.server_words
        door.faults.clear()
        assert copier.copy([*BATCH, simple(50)]) == [*[CopyResult.DUPLICATE] * len(BATCH), CopyResult.COPIED]
    assert len(bucket.objects()) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "finding"),
    [
        (Fault(status=403, code="RequestTimeTooSkewed", of_objects=False), Kind.REFUSED, "clock-skew"),
        (Fault(status=404, code="NoSuchBucket", of_objects=False), Kind.ARCHIVE, "bucket-missing"),
        (Fault(status=403, code="SignatureDoesNotMatch", of_objects=False), Kind.AUTH, "auth-refused"),
        (Fault(status=403, code="AccessDenied", of_objects=False), Kind.REFUSED, "refused"),
        (Fault(status=301, code="PermanentRedirect", of_objects=False), Kind.REFUSED, "refused"),
        (Fault(status=507, code="XMinioStorageFull", of_objects=False), Kind.QUOTA, ""),
    ],
)
def test_what_a_store_says_becomes_what_a_person_must_know(
    bucket: Bucket, opens: Opens, fault: Fault, kind: Kind, finding: str
) -> None:
    fault.met = 0
    with hostile(bucket.endpoint, fault) as door:
        for call in (opens(door).probe, lambda: recover(opens(door), Memory())):
            error = fails(call)
            assert (error.kind, error.finding) == (kind, finding)
            assert error.cure
            assert (error.endpoint is None) is (kind is Kind.ARCHIVE)


def test_a_dead_store_is_unreachable(opens: Opens, bucket: Bucket) -> None:
    with hostile(bucket.endpoint) as door:
        pass
    error = fails(opens(door).probe)
    assert (error.kind, error.finding) == (Kind.CONNECT, "host-unreachable")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_a_store_behind_tls_is_trusted_by_its_own_authority_alone(
    bucket: Bucket, tmp_path: Path, authority: trustme.CA
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with hostile(bucket.endpoint, tls=context) as door:
        settings = replace(bucket.settings, endpoint=door.endpoint)
        for ca in (ca_file, None):
            with closing(
                S3Destination(replace(settings, ca_file=ca), state_dir=tmp_path, clock=lambda: NOW)
            ) as destination:
                if ca:
                    assert read(destination, store(destination, Memory(), BATCH)) == [content_of(m.body) for m in BATCH]
                    continue
                error = fails(destination.probe)
                assert (error.kind, error.finding) == (Kind.TLS, "certificate")
                assert str(error.endpoint) in door.endpoint


def test_a_silent_store_is_given_up_after_a_few_tries(opens: Opens, bucket: Bucket) -> None:
    with hostile(bucket.endpoint, Stalls(of_objects=False)) as door:
        error = fails(opens(door, timeout=0.2).probe)
        assert len(door.asked) == 1 + len(STORE)
    assert error.kind is Kind.TIMEOUT


def test_a_bucket_of_which_nothing_is_there_is_away(bucket: Bucket, opens: Opens) -> None:
    memory = Memory()
    store(opens(), memory, BATCH)
    for key in bucket.objects():
        bucket.delete(key)
    later = opens()
    with pytest.raises(AwayError):
        recover(later, memory)
    assert bucket.objects() == {}


def test_reading_from_an_emptied_store_says_so_of_the_whole(bucket: Bucket, opens: Opens) -> None:
    stored = store(opens(), Memory(), BATCH)
    for key in bucket.objects():
        bucket.delete(key)
    with pytest.raises(AwayError):
        read(opens(), stored)


def test_an_object_that_is_gone_beside_others_is_told_once(bucket: Bucket, opens: Opens) -> None:
    memory, destination = Memory(), opens()
    recover(destination, memory)
    first = store(destination, memory, BATCH)
    store(destination, memory, [simple(9)])
    bucket.delete(f"mail/alice/{first.volumes[0].name}")
    recover(opens(), memory)
    assert [one.record.name for one in memory.changed] == [first.volumes[0].name]
    recover(opens(), memory)
    assert len(memory.changed) == 1


def test_an_object_that_came_back_is_right_again_without_being_read(bucket: Bucket, opens: Opens) -> None:
    memory, destination = Memory(), opens()
    recover(destination, memory)
    name = store(destination, memory, BATCH).volumes[0].name
    store(destination, memory, [simple(9)])
    content = bucket.objects()[f"mail/alice/{name}"]
    bucket.delete(f"mail/alice/{name}")
    recover(opens(), memory)
    bucket.put(f"mail/alice/{name}", content)
    with hostile(bucket.endpoint) as door:
        recover(opens(door), memory)
        assert door.count("GET") == 0
    assert memory.volumes[name].changed_stamp == ""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Moto, like S3, takes no part but the last below 5 MiB."""
    size = 5 << 20
    monkeypatch.setattr(store_module, "PART_OCTETS", size)
    return size


def large_batch(size: int) -> Sequence[Message]:
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * (size // 16)
    return [simple(1), message_of(content, Pieces(content)), simple(2)]


def test_a_large_batch_goes_in_parts_and_comes_back(bucket: Bucket, opens: Opens, small_parts: int) -> None:
    memory, batch = Memory(), large_batch(2 * small_parts)
    destination = opens()
    recover(destination, memory)
    stored = store(destination, memory, batch)
    assert read(destination, stored) == [content_of(one.body) for one in batch]
    assert recover(opens(), memory) == []
    again = store(opens(), Memory(), batch)
    assert again.volumes[0].name == stored.volumes[0].name
    assert (len(bucket.objects()), bucket.uploads()) == (1, [])


def test_parts_that_were_never_joined_are_given_up_by_the_next_run(
    bucket: Bucket, opens: Opens, small_parts: int
) -> None:
    memory, batch = Memory(), large_batch(2 * small_parts)
    with hostile(bucket.endpoint, Fault("DELETE"), Fault("PUT", after=1, status=403, code="AccessDenied")) as door:
        destination = opens(door)
        recover(destination, memory)
        assert fails(lambda: store(destination, memory, batch)).kind is Kind.REFUSED
    assert len(bucket.uploads()) == 1
    later = opens()
    recover(later, memory)
    assert bucket.uploads() == []
    assert read(later, store(later, memory, batch)) == [content_of(one.body) for one in batch]
