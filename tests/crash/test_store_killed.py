"""Killed at every step on the way into an object store, and at every request: nothing is lost, nothing is there twice."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from migrator.copying.offload import ChildCopierPool
from migrator.destinations.s3.destination import STEPS
from tests.crash import storing
from tests.mail import growing_letters
from tests.rig import Rig, mboxrd
from tests.servers.hostile_store import Kills, hostile
from tests.servers.object_store import Bucket, ObjectStoreServer
from tests.servers.pop3 import Maildrop, Pop3Server

MESSAGES = growing_letters(6, by=1)  # two batches


def stored(bucket: Bucket) -> list[bytes]:
    return [message for content in bucket.objects().values() for message in mboxrd(content)]


def resume_and_compare(
    rig: Rig, bucket: Bucket, left: list[bytes], where: str, messages: list[bytes] = MESSAGES
) -> None:
    """Resume after a kill: everything is in the bucket once and nothing at the source; a third run changes nothing."""
    assert not Counter(messages) - (Counter(stored(bucket)) + Counter(left)), f"lost at {where}"
    report = rig.migrate()
    assert report.status == "ok", (where, report.problems)
    assert sorted(stored(bucket)) == sorted(messages), f"lost or doubled after {where}"
    objects = bucket.objects()
    again = rig.migrate()
    assert (again.status, again.copied, again.deleted) == ("ok", 0, 0), where
    assert bucket.objects() == objects, f"changed once more after {where}"
    assert bucket.uploads() == [], where


def steps_of_a_clean_run(folder: Path, bucket: Bucket) -> list[tuple[str, int]]:
    seen: Counter[str] = Counter()
    steps: list[tuple[str, int]] = []

    def step(name: str) -> None:
        seen[name] += 1
        steps.append((name, seen[name]))

    with Pop3Server(Maildrop(MESSAGES)) as server:
        assert storing.rig_into(bucket, Rig(folder, server, step=step)).migrate().deleted == len(MESSAGES)
    return steps


@pytest.mark.slow
def test_a_kill_at_any_step_into_a_store_loses_and_doubles_nothing(
    tmp_path: Path, object_store: ObjectStoreServer
) -> None:
    steps = steps_of_a_clean_run(tmp_path / "clean", object_store.bucket())
    assert {name for name, _ in steps} & set(STEPS) == {"s3.object-built", "s3.object-stored"}
    of_storing = [one for one in steps if one[0].startswith(("s3.", "copies."))]
    for place, (name, count) in enumerate(of_storing):
        bucket, folder = object_store.bucket(), tmp_path / str(place)
        with Pop3Server(Maildrop(MESSAGES)) as server:
            orders = storing.Orders(
                str(folder), server.port, server.password, bucket.endpoint, bucket.name, step=name, count=count
            )
            assert storing.run(orders) == -signal.SIGKILL, (name, count)
            rig = storing.rig_into(bucket, Rig(folder, server))
            resume_and_compare(rig, bucket, server.maildrop.left(), f"{name} ({count})")
            assert server.maildrop.left() == [], (name, count)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("method", "after"), [("PUT", 0), ("PUT", 1), ("GET", 0), ("GET", 1)])
def test_a_kill_at_a_request_to_the_store_loses_and_doubles_nothing(
    tmp_path: Path, bucket: Bucket, method: str, after: int, when: str
) -> None:
    fault = Kills(method, times=1, after=after, when=when)
    with Pop3Server(Maildrop(MESSAGES)) as server, hostile(bucket.endpoint, fault) as door:
        orders = storing.Orders(str(tmp_path), server.port, server.password, door.endpoint, bucket.name)
        assert storing.run(orders, lambda pid: setattr(fault, "pid", pid)) == -signal.SIGKILL
        rig = storing.rig_into(bucket.at(door.endpoint), Rig(tmp_path, server))
        resume_and_compare(rig, bucket, server.maildrop.left(), f"{when} {method}")
        assert server.maildrop.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(("step", "count"), [("s3.parts-begun", 1), ("s3.part-stored", 1), ("s3.part-stored", 3)])
def test_a_kill_between_the_parts_of_a_large_object_leaves_nothing_behind(
    tmp_path: Path, bucket: Bucket, step: str, count: int
) -> None:
    large = [b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 140_000]  # moto takes no part below 5 MiB
    with Pop3Server(Maildrop(large)) as server:
        orders = storing.Orders(
            str(tmp_path),
            server.port,
            server.password,
            bucket.endpoint,
            bucket.name,
            step=step,
            count=count,
            part_octets=5 << 20,
        )
        assert storing.run(orders) == -signal.SIGKILL
        assert len(bucket.uploads()) == 1
        resume_and_compare(storing.rig_into(bucket, Rig(tmp_path, server)), bucket, server.maildrop.left(), step, large)
        assert server.maildrop.left() == []


def test_no_child_process_is_given_a_store(tmp_path: Path, bucket: Bucket) -> None:
    """It would need the keys, and has none."""
    with Pop3Server(Maildrop(MESSAGES)) as server:
        rig = storing.rig_into(bucket, Rig(tmp_path, server, child_copiers=ChildCopierPool(worth_it=1)))
        assert rig.migrate().deleted == len(MESSAGES)
    assert sorted(stored(bucket)) == sorted(MESSAGES)
