"""What an object store may cost: memory, requests, time, and where requests go."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from migrator.destinations import Stored
from migrator.destinations.s3 import store as store_module
from migrator.destinations.s3.building import build
from migrator.destinations.s3.destination import S3Destination
from migrator.destinations.s3.settings import Keys
from migrator.destinations.s3.store import ObjectStore
from migrator.errors import FerryError, Kind, StoppedError
from migrator.files import no_step
from migrator.message.body import MemoryBody, Message
from migrator.model import Digest, HeaderDigest
from tests.contract.support import NOW, Memory, recover, store
from tests.mail import simple
from tests.servers.hostile_store import Fault, hostile
from tests.servers.object_store import KEYS, Bucket

PIECE = b"x" * 62 + b"\r\n"


@dataclass(frozen=True)
class Growing:
    """A message that is never held as a whole, of that many megabytes."""

    megabytes: int

    @property
    def octets(self) -> int:
        return self.megabytes << 20

    def chunks(self) -> Iterator[bytes]:
        block = PIECE * ((1 << 20) // len(PIECE))
        return (block for _ in range(self.megabytes))


def test_a_large_batch_is_never_in_memory(tmp_path: Path) -> None:
    body = Growing(60)
    message = Message(Digest(b"d" * 32), HeaderDigest(b"h" * 32), b"", body.octets, body)
    tracemalloc.start()
    try:
        built = build([message], tmp_path, NOW)
        _, peak = tracemalloc.get_traced_memory()
        built.close()
    finally:
        tracemalloc.stop()
    assert built.octets > 50 << 20
    assert peak < 30 << 20
    assert list(tmp_path.iterdir()) == []  # the file has no name


def test_a_batch_has_one_name_all_day(tmp_path: Path) -> None:
    undated = replace_headers(simple(1), b"Subject: no date\r\n\r\nx\r\n")
    later = NOW.replace(hour=23)
    one, other = build([undated], tmp_path, NOW), build([undated], tmp_path, later)
    assert one.name == other.name
    one.close()
    other.close()


def replace_headers(message: Message, content: bytes) -> Message:
    return message._replace(body=MemoryBody(content), octets=len(content))


def test_a_run_with_nothing_new_asks_for_one_list(bucket: Bucket, tmp_path: Path) -> None:
    memory = Memory()
    with hostile(bucket.endpoint) as door:
        settings = replace(bucket.settings, endpoint=door.endpoint)
        destination = S3Destination(settings, state_dir=tmp_path, clock=lambda: NOW)
        recover(destination, memory)
        store(destination, memory, [simple(1)])
        assert [one.method for one in door.asked] == ["GET", "PUT"]
        recover(destination, memory)  # the same run, before its next batch
        assert len(door.asked) == 2
        later = S3Destination(settings, state_dir=tmp_path, clock=lambda: NOW)
        recover(later, memory)
        assert [one.method for one in door.asked] == ["GET", "PUT", "GET"]
        destination.close()
        later.close()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_what_takes_too_long_is_not_tried_again(bucket: Bucket) -> None:
    clock = Clock()

    class Slow(Fault):
        def instead(self, asked: object, pass_on: object) -> object:  # type: ignore[override]
            clock.now += store_module.PATIENCE
            return super().instead(asked, pass_on)  # type: ignore[arg-type]

    with hostile(bucket.endpoint, Slow(of_objects=False)) as door:
        settings = replace(bucket.settings, endpoint=door.endpoint)
        asking = ObjectStore(settings, step=no_step, clock=clock, sleep=clock.sleep)
        with pytest.raises(FerryError) as caught:
            asking.bucket()
        asking.close()
        assert len(door.asked) == 1
    assert caught.value.kind is Kind.TEMPORARY


def test_nothing_is_asked_a_breath_after_a_stop(bucket: Bucket) -> None:
    class Stop:
        def is_set(self) -> bool:
            return True

    clock = Clock()
    with hostile(bucket.endpoint) as door:
        settings = replace(bucket.settings, endpoint=door.endpoint)
        asking = ObjectStore(settings, step=no_step, clock=clock, sleep=clock.sleep)
        asking.heed(Stop())
        asking.bucket()  # what is under way is finished
        clock.now += 2
        with pytest.raises(StoppedError):
            asking.bucket()
        asking.close()
        assert len(door.asked) == 1


def test_the_metadata_service_is_asked_only_where_the_sdk_is_to_look(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with hostile("http://127.0.0.1:1", Fault(status=404, code="NotFound", of_objects=False)) as service:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.endpoint)
        signed = ObjectStore(bucket.settings, step=no_step)
        signed.bucket()
        signed.close()
        assert service.asked == []
        unsigned = ObjectStore(replace(bucket.settings, keys=None), step=no_step)
        with pytest.raises(FerryError) as caught:
            unsigned.bucket()
        unsigned.close()
        assert service.asked
    assert (caught.value.kind, caught.value.finding) == (Kind.AUTH, "secret-missing")


def test_no_variable_of_the_sdk_sends_mail_elsewhere(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile("http://127.0.0.1:1", Fault(of_objects=False)) as elsewhere:
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            monkeypatch.setenv(name, elsewhere.endpoint)
        asking = ObjectStore(bucket.settings, step=no_step)
        asking.bucket()
        asking.close()
        assert elsewhere.asked == []


def test_who_lost_its_lease_puts_nothing(bucket: Bucket, tmp_path: Path) -> None:
    def lost() -> None:
        raise FerryError(Kind.LOCKED, "another worker has taken over")

    destination = S3Destination(bucket.settings, state_dir=tmp_path, clock=lambda: NOW)
    destination.guard(lost)
    with pytest.raises(FerryError, match="taken over"):
        store(destination, Memory(), [simple(1)])
    destination.close()
    assert bucket.objects() == {}


def test_who_loses_its_lease_between_parts_joins_nothing(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PART_OCTETS", 5 << 20)
    passed: list[int] = []

    def lost_at_last() -> None:
        passed.append(1)
        if len(passed) == 4:  # two whole parts, the rest, and now they would be joined
            raise FerryError(Kind.LOCKED, "another worker has taken over")

    body = Growing(11)
    message = Message(Digest(b"d" * 32), HeaderDigest(b"h" * 32), b"", body.octets, body)
    destination = S3Destination(bucket.settings, state_dir=tmp_path, clock=lambda: NOW)
    destination.guard(lost_at_last)
    with pytest.raises(FerryError, match="taken over"):
        store(destination, Memory(), [message])
    destination.close()
    assert (bucket.objects(), bucket.uploads()) == ({}, [])


def test_two_writers_at_the_same_moment_make_one_object(bucket: Bucket, tmp_path: Path) -> None:
    """As a worker that was thought dead and its successor, each with a lock of its own machine."""
    start = threading.Barrier(4)

    def stores(number: int) -> Stored:
        destination = S3Destination(bucket.settings, state_dir=tmp_path / str(number), clock=lambda: NOW)
        recover(destination, memory := Memory())
        start.wait()
        try:
            return store(destination, memory, [simple(1), simple(2)])
        finally:
            destination.close()

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(stores, range(4)))
    assert len(set(stored)) == 1
    assert len(bucket.objects()) == 1


def test_keys_have_no_repr() -> None:
    assert repr(KEYS) == str(KEYS) == "Keys(***)"
    assert Keys(*KEYS) == KEYS
