"""Findings about archives in object stores: the bucket is not there, the clock is not that of the store."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.command_line import MESSAGES, account, source
from tests.cures.bench import Bench
from tests.rig import mboxrd
from tests.servers.hostile_store import Fault, hostile
from tests.servers.object_store import KEYS, Bucket
from tests.servers.pop3 import Pop3Server


def store(bucket: Bucket, prefix: str) -> str:
    return (
        f'[[accounts.destinations]]\ntype = "s3"\nbucket = "{bucket.name}"\nprefix = "{prefix}"\n'
        f'endpoint = "{bucket.endpoint}"\naccess_key_id = {{ env = "KEY_ID" }}\nsecret_access_key = {{ env = "KEY" }}\n'
    )


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    for name, value in {"KEY_ID": KEYS.access_key_id, "KEY": KEYS.secret_access_key}.items():
        monkeypatch.setenv(name, value)
        bench.site.environment[name] = value


def holds_all_once(bucket: Bucket) -> None:
    contents = bucket.objects().values()
    assert Counter(message for content in contents for message in mboxrd(content)) == Counter(MESSAGES)


def test_bucket_missing(bench: Bench, server: Pop3Server, bucket: Bucket) -> None:
    """One bucket behind two accounts is one finding; nothing makes it but a person."""
    wrong = Bucket(bucket.endpoint, "nobody-has-made-it")
    bench.writes(
        account("alice", source(server.port), store(wrong, "a")), account("bob", source(server.port), store(wrong, "b"))
    )
    assert bench.migrate().code == 1
    found = bench.finds("bucket-missing", accounts=("alice", "bob"), says=wrong.name, beside=("same-maildrop",))
    bench.no_machine_can(found)
    wrong.client.create_bucket(Bucket=wrong.name)
    assert bench.migrate("alice").code == 0
    holds_all_once(wrong)
    bench.migrates()
    assert [one["id"] for one in bench.found_by("doctor")] == ["same-maildrop", "no-versions"]


@pytest.mark.parametrize("cure", ["put back", "repair"])
def test_bucket_missing_of_which_nothing_is_left(bench: Bench, server: Pop3Server, bucket: Bucket, cure: str) -> None:
    bench.writes(account("alice", source(server.port), store(bucket, "mail")))
    bench.migrates()
    kept = bucket.objects()
    for key in kept:
        bucket.delete(key)
    bench.finds("bucket-missing", says="12 messages are known", by_looking=False, beside=("no-versions",))
    assert bench.migrate().code == 1
    bench.no_machine_can(bench.finds("bucket-missing", says="12 messages are known", beside=("no-versions",)))
    if cure == "put back":
        for key, content in kept.items():
            bucket.put(key, content)
        bench.is_well()
    else:
        assert bench.ferry("repair").code == 0
    bench.migrates()
    bench.is_well()
    holds_all_once(bucket)


def test_clock_skew(bench: Bench, server: Pop3Server, bucket: Bucket) -> None:
    with hostile(bucket.endpoint, Fault(status=403, code="RequestTimeTooSkewed", of_objects=False)) as door:
        bench.writes(account("alice", source(server.port), store(bucket.at(door.endpoint), "mail")))
        assert bench.migrate().code == 1
        found = bench.finds("clock-skew", destination=bucket.name, says="clock")
        bench.no_machine_can(found)
        assert "timedatectl set-ntp true" in found["cure"]["text"]
        door.faults.clear()  # the clock was set
        bench.migrates()
        bench.is_well()
    holds_all_once(bucket)


def test_refused_by_a_store(bench: Bench, server: Pop3Server, bucket: Bucket) -> None:
    with hostile(bucket.endpoint, Fault(status=403, code="AccessDenied", of_objects=False)) as door:
        bench.writes(account("alice", source(server.port), store(bucket.at(door.endpoint), "mail")))
        assert bench.migrate().code == 1
        found = bench.finds("refused", destination=bucket.name)
        assert "s3:PutObject" in found["cure"]["text"]
        door.faults.clear()
        bench.is_well("doctor")
        bench.migrates()
        bench.is_well()
    holds_all_once(bucket)


def test_no_versions(bench: Bench, server: Pop3Server, bucket: Bucket) -> None:
    bench.writes(account("alice", source(server.port), store(bucket, "mail")))
    bench.migrates()
    assert [one["id"] for one in bench.found_by("doctor")] == ["no-versions"]
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    assert bench.found_by("doctor") == []
    bench.is_well()
