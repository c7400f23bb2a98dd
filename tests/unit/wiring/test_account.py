from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from migrator.config import load
from migrator.net.tls import TlsMode
from migrator.policy import DeleteAfter, SourceProof, WhenCopyIsGone
from migrator.wiring.account import RunLimits, connections_allowed, destination_of, identity_of, job_of, terms_of

CONFIG = """
state_dir = "state"
[[accounts]]
name = "alice"
[accounts.source]
host = "pop.example.org"
tls = "starttls"
username = "alice@example.org"
password = "hunter2"
auth = "plain"
leave_on_server = "30 days"
proof_before_delete = "headers"
max_message_size = "50 MB"
timeout = "45 seconds"
[[accounts.destinations]]
type = "mbox"
path = "a"
[[accounts.destinations]]
type = "maildir"
path = "b"
when_copy_is_gone = "accept"
[[accounts.destinations]]
type = "imap"
host = "imap.example.org"
username = "alice"
password = "hunter3"
folder = "Old"
when_copy_is_gone = "restore"
"""


def test_every_key_of_an_account_reaches_its_job_and_nothing_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    config = load(path)
    [account] = config.accounts
    job = job_of(account, config.state_dir, RunLimits(messages=5, deletions=7))
    source, policy = job.source, job.policy
    assert (job.name, job.password(), job.state_dir) == ("alice", "hunter2", tmp_path / "state")
    assert (source.host, source.port, source.username, source.auth) == (
        "pop.example.org",
        110,
        "alice@example.org",
        "plain",
    )
    assert (source.tls.mode, source.timeout, source.allow_plaintext) == (TlsMode.STARTTLS, 45.0, False)
    assert policy.leave_on_server == DeleteAfter(timedelta(days=30))
    assert (policy.source_proof, policy.max_octets) == (SourceProof.HEADERS, 50_000_000)
    assert (policy.limit, policy.max_delete) == (5, 7)
    assert [place.kind for place in job.destinations] == ["mbox", "maildir", "imap"]
    gone = [place.when_copy_is_gone for place in job.destinations]
    assert gone == [WhenCopyIsGone.KEEP, WhenCopyIsGone.ACCEPT, WhenCopyIsGone.RESTORE]
    assert job.destinations[-1].setting_place.startswith("under [[accounts.destinations]] of alice (")
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    assert "hunter" not in repr(job)


def test_what_a_person_allows_a_server_is_the_least_of_what_is_written(tmp_path: Path) -> None:
    second = CONFIG.replace('state_dir = "state"', "").replace('name = "alice"', 'name = "bob"')
    first = CONFIG.replace('timeout = "45 seconds"', "max_connections = 3").replace(
        'folder = "Old"', "max_connections = 1"
    )
    path = tmp_path / "config.toml"
    path.write_text(first + second.replace('timeout = "45 seconds"', "max_connections = 2"))
    path.chmod(0o600)
    assert connections_allowed(load(path).accounts) == {"pop.example.org:110": 2, "imap.example.org:993": 1}


def test_destinations_are_known_by_their_place_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    identities = []
    for _ in range(2):
        [account] = load(path).accounts
        identities.append([place.identity for place in job_of(account, tmp_path).destinations])
    assert identities[0] == identities[1]
    assert len(set(identities[0])) == 3
    assert str(tmp_path / "a") in identities[0][0]


def test_an_identity_is_known_without_what_reads_and_writes(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    (tmp_path / "real").mkdir()
    (tmp_path / "a").symlink_to("real")
    config = load(path)
    places = config.accounts[0].destinations
    identities = [identity_of(place, config.state_dir) for place in places]
    assert identities == [destination_of(place, config.state_dir).identity for place in places]
    assert identities[0] == f"mbox:{tmp_path.resolve()}/real"
    for place in places:
        made, terms = destination_of(place, config.state_dir), terms_of(place, config.state_dir)
        assert (terms.identity, terms.kind) == (made.identity, made.kind)
        assert (terms.required_proof, terms.when_copy_is_gone) == (made.required_proof, made.when_copy_is_gone)
