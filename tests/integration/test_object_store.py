"""An archive in an object store, by the command line: every command that reads an archive reads this one."""

from __future__ import annotations

import mailbox
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from tests.command_line import MESSAGES, Ferry, Site, account, mbox, source
from tests.mail import letter
from tests.rig import mboxrd
from tests.servers.hostile_store import Fault, hostile
from tests.servers.object_store import KEYS, Bucket
from tests.servers.pop3 import Pop3Server


def store_table(bucket: Bucket, prefix: str = "mail/alice") -> str:
    return (
        f'[[accounts.destinations]]\ntype = "s3"\nbucket = "{bucket.name}"\nprefix = "{prefix}"\n'
        f'endpoint = "{bucket.endpoint}"\naccess_key_id = {{ env = "KEY_ID" }}\nsecret_access_key = {{ file = "key" }}\n'
    )


def stored(bucket: Bucket) -> list[bytes]:
    return [message for content in bucket.objects().values() for message in mboxrd(content)]


@pytest.fixture
def site(tmp_path: Path, bucket: Bucket, server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A configuration with an archive in the bucket and nothing else."""
    monkeypatch.setenv("PASSWORD", server.password)
    monkeypatch.setenv("KEY_ID", KEYS.access_key_id)
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(f"{KEYS.secret_access_key}\n")
    site = Site(tmp_path)
    site.writes(account("alice", source(server.port), store_table(bucket)))
    return site


def test_every_command_that_reads_an_archive_reads_this_one(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    checked = ferry("check", "--json")
    [end] = checked.document["accounts"][0]["destinations"]
    assert (checked.code, end["status"], end["objects"], end["keeps_versions"]) == (0, "ok", 0, False)
    assert "0 objects, 0 bytes in all, keeps no versions" in ferry("check").out
    done = ferry("migrate", "--json")
    assert (done.code, done.report["copied"], done.report["verified"]) == (0, len(MESSAGES), len(MESSAGES))
    assert Counter(stored(bucket)) == Counter(MESSAGES)
    assert all(key.startswith("mail/alice/") and key.endswith(".mbox") for key in bucket.objects())
    assert ferry("migrate", "--json").report["known"] == len(MESSAGES)
    [status] = ferry("status", "--json").document["accounts"]
    assert status["name"] == "alice"
    verified = ferry("verify", "--json")
    assert (verified.code, verified.document["ok"]) == (0, len(MESSAGES))
    found = ferry("search", "*", "--json").document
    assert found["total"] == len(MESSAGES)
    shown = ferry("show", found["hits"][0]["id"])
    assert shown.code == 0
    assert ferry("export", "--to", "out", "--format", "mbox").code == 0
    exported = (site.folder / "out" / "alice.mbox").read_bytes()
    assert Counter(mboxrd(exported)) == Counter(MESSAGES)
    doctor = ferry("doctor", "--json")
    assert (doctor.code, doctor.document["findings"]) == (
        0,
        [one for one in doctor.document["findings"] if one["severity"] == "hint"],
    )


def test_what_was_deleted_at_the_source_has_a_receipt_with_its_place(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    site.writes(account("alice", source(server.port, leave_on_server=False), store_table(bucket)))
    assert ferry("migrate", "--json").report["deleted"] == len(MESSAGES)
    receipts = ferry("receipts", "--json").document["receipts"]
    assert len(receipts) == len(MESSAGES)
    [copy] = receipts[0]["copies"]
    assert copy["destination"].startswith(f"s3 {bucket.name}/mail/alice")
    [key] = bucket.objects()
    assert copy["where"].startswith(key.removeprefix("mail/alice/"))


def test_an_object_that_was_deleted_is_named_and_repaired(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    ferry("migrate")
    server.maildrop.add(letter(40))
    ferry("migrate")
    first = max(bucket.objects(), key=lambda key: len(bucket.objects()[key]))
    bucket.delete(first)
    verified = ferry("verify", "--json")
    assert verified.code == 1
    assert len(verified.document["damaged"]) == len(MESSAGES)
    ferry("migrate")
    [finding] = [one for one in ferry("status", "--json").document["findings"] if one["severity"] == "broken"]
    assert finding["id"] == "archive-changed"
    assert finding["cure"]["command"] == ["mailferry", "repair", "alice"]
    repaired = ferry("repair", "--json")
    assert (repaired.code, len(repaired.document["repaired"])) == (0, len(MESSAGES))
    assert ferry("verify", "--json").document["ok"] == len(MESSAGES) + 1
    assert [one for one in ferry("status", "--json").document["findings"] if one["severity"] == "broken"] == []
    assert sorted(stored(bucket)) == sorted([*MESSAGES, letter(40)])


def test_an_emptied_bucket_is_stored_again_only_by_repair(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    ferry("migrate")
    for key in bucket.objects():
        bucket.delete(key)
    server.maildrop.add(letter(40))
    refused = ferry("migrate", "--json")
    assert refused.code == 1
    assert {one["kind"] for one in refused.report["errors"]} == {"archive"}
    assert bucket.objects() == {}
    assert ferry("repair", "--json").code == 0
    assert ferry("migrate").code == 0
    assert sorted(stored(bucket)) == sorted([*MESSAGES, letter(40)])


def test_a_lost_ledger_is_built_again_and_nothing_is_stored_twice(site: Site, ferry: Ferry, bucket: Bucket) -> None:
    ferry("migrate")
    before = bucket.objects()
    for file in site.state.glob("ledger*"):
        file.unlink()
    rebuilt = ferry("rebuild-ledger", "--json")
    assert (rebuilt.code, rebuilt.document["ok"]) == (0, len(MESSAGES))
    for file in site.state.glob("ledger*"):
        file.unlink()
    assert ferry("migrate", "--json").report["duplicates"] == len(MESSAGES)
    assert bucket.objects() == before


def test_an_object_that_somebody_put_there_is_part_of_the_archive(site: Site, ferry: Ferry, bucket: Bucket) -> None:
    ferry("migrate")
    bucket.put("mail/alice/older.mbox", b"From x Mon Nov 23 12:00:05 2026\nSubject: marmalade\n\nx\n\n")
    bucket.put("mail/alice/notes.txt", b"no mail")
    bucket.put("mail/alice/picture.mbox", b"\x89PNG no mail either")
    assert ferry("migrate").code == 0
    assert ferry("search", "marmalade", "--json").document["total"] == 1
    assert ferry("verify", "--json").document["ok"] == len(MESSAGES) + 1


def test_a_prefix_that_was_moved_is_known_under_its_new_name(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    ferry("migrate")
    for key, content in bucket.objects().items():
        bucket.put(key.replace("mail/alice/", "old/"), content)
        bucket.delete(key)
    moved = ferry("moved", f"s3://{bucket.name}/mail/alice", f"s3://{bucket.name}/old", "--json")
    assert moved.code == 0, moved
    assert moved.document["moved"][0]["copies"] == len(MESSAGES)
    assert len(moved.document["to_edit"]) == 1
    site.writes(account("alice", source(server.port), store_table(bucket, "old")))
    assert ferry("migrate", "--json").report["known"] == len(MESSAGES)
    assert ferry("verify", "--json").document["ok"] == len(MESSAGES)
    assert len(bucket.objects()) == 1


def test_a_second_destination_is_filled_from_the_store(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server
) -> None:
    site.writes(account("alice", source(server.port, leave_on_server=False), store_table(bucket)))
    ferry("migrate")
    site.writes(account("alice", source(server.port, leave_on_server=False), store_table(bucket), mbox()))
    assert ferry("migrate").code == 0
    assert sorted(site.stored()) == sorted(MESSAGES)


def test_with_a_ledger_in_postgresql(
    site: Site, ferry: Ferry, bucket: Bucket, server: Pop3Server, database: str
) -> None:
    """Two accounts share the prefix: what both have is stored once."""
    ledger = f'ledger = "{database}"\n'
    tables = (account(name, source(server.port), store_table(bucket)) for name in ("alice", "bob"))
    site.writes(ledger, *tables)
    assert ferry("migrate").code == 0
    assert sorted(stored(bucket)) == sorted(MESSAGES)
    server.maildrop.add(letter(40))
    assert ferry("migrate").code == 0
    first = max(bucket.objects(), key=lambda key: len(bucket.objects()[key]))
    bucket.delete(first)
    assert ferry("verify", "--json").code == 1
    assert ferry("repair").code == 0
    assert ferry("verify", "--json").document["ok"] == len(MESSAGES) + 1
    assert sorted(stored(bucket)) == sorted([*MESSAGES, letter(40)])
    assert ferry("rebuild-ledger").code == 0
    assert ferry("verify", "--json").code == 0


def test_by_urls_alone_with_what_the_sdk_finds(
    tmp_path: Path, ferry: Ferry, url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret_access_key)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    to = f"s3://{bucket.name}/by/url?endpoint={bucket.endpoint}"
    words = ["migrate", "--from", url, "--from-password-env", "PASSWORD", "--to", to, "--state-dir", "state"]
    assert ferry(*words).code == 0
    assert sorted(stored(bucket)) == sorted(MESSAGES)
    assert ferry(*words, "--json").report["known"] == len(MESSAGES)
    verified = ferry("verify", "--state-dir", "state", "--json")
    assert (verified.code, verified.document["ok"]) == (0, len(MESSAGES))
    assert "AKIA" not in (tmp_path / "state" / "config.toml").read_text()


def test_any_mbox_reader_opens_an_object_which_is_named_by_its_bytes(site: Site, ferry: Ferry, bucket: Bucket) -> None:
    ferry("migrate")
    [(key, content)] = bucket.objects().items()
    assert key == f"mail/alice/{sha256(content).hexdigest()}.mbox"
    (site.folder / "downloaded.mbox").write_bytes(content)
    box = mailbox.mbox(site.folder / "downloaded.mbox", create=False)
    try:
        assert len(box) == len(MESSAGES)
    finally:
        box.close()


def test_keys_never_show(site: Site, bucket: Bucket, server: Pop3Server) -> None:
    """Not at the finest level of the log, nor where the store repeats them."""
    site.environment |= {"PASSWORD": server.password, "KEY_ID": KEYS.access_key_id}
    echo = f"{KEYS.access_key_id} {KEYS.secret_access_key}"
    with hostile(bucket.endpoint, Fault("PUT", status=403, code="AccessDenied")) as door:
        door.faults[0].words = echo
        site.writes(account("alice", source(server.port), store_table(bucket.at(door.endpoint))))
        for words in (["-vv", "migrate"], ["migrate", "--json"], ["status", "--json"], ["doctor"]):
            done = site.call(*words)
            said = done.out + done.err
            assert KEYS.secret_access_key not in said
            assert "Signature" not in said
    everything = b"".join(path.read_bytes() for path in site.state.rglob("*") if path.is_file())
    assert KEYS.secret_access_key.encode() not in everything


def test_a_missing_extra_is_one_sentence_with_its_cure(
    site: Site, ferry: Ferry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrator.config.store_table.find_spec", lambda _name: None)
    done = ferry("migrate")
    assert done.code == 2
    assert "pip install 'mailferry[s3]'" in done.err


def test_the_sdk_is_not_imported_without_a_store(site: Site, server: Pop3Server) -> None:
    site.environment |= {"PASSWORD": server.password}
    site.writes(account("alice", source(server.port), mbox()))
    look = "import sys; from migrator.cli.main import main; main(['migrate']); print('boto3' in sys.modules)"
    done = site.run([sys.executable, "-c", look])
    assert done.out.strip().endswith("False"), done
