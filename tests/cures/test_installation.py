"""Findings about the installation: configuration, files that others can read, clock, schedule, who is told."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from jobs.look import facts_on_disk
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC
from migrator.config import load
from migrator.config.vault import vault_of
from migrator.findings.facts import Invocation
from migrator.findings.find import find
from migrator.ledger import Ledger
from migrator.operations.look import look, opened_ledger
from tests.command_line import MESSAGES, account, alice, mbox, source
from tests.cures.bench import Bench
from tests.servers.pop3 import Pop3Server
from tests.servers.smtp import SmtpServer

DAY = 86_400.0


def holds_all_once(bench: Bench) -> None:
    assert Counter(bench.site.stored()) == Counter(MESSAGES)


def smtp(port: int) -> str:
    return (
        f'[notify.smtp]\nhost = "localhost"\nport = {port}\ntls = "none"\n'
        'sender = "ferry@example.org"\nto = ["ann@example.org"]\n'
    )


def test_never_run(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.runs(bench.finds("never-run"))
    bench.is_well()
    holds_all_once(bench)


def test_never_run_where_the_configuration_was_named(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    (bench.folder / "config.toml").rename(bench.folder / "my ferry.toml")
    bench.options = ("-c", "my ferry.toml")
    found = bench.finds("never-run")
    assert found["cure"]["command"] == ["mailferry", "-c", "my ferry.toml", "migrate", "alice"]
    bench.runs(found)
    bench.is_well()
    holds_all_once(bench)


def test_never_verified(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    bench.ledger("update messages set copied_at = copied_at - ?", 90 * DAY)
    bench.runs(bench.finds("never-verified", says="never read again in full"))
    bench.is_well()
    holds_all_once(bench)


def test_stale(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    bench.ledger("update runs set started_at = started_at - ?, ended_at = ended_at - ?", 3 * DAY, 3 * DAY)
    ledger = Ledger.open(bench.site.state)
    ledger.state_store.put(TOPIC, "alice", AccountState(first_seen=time.time() - 9 * DAY).as_fact())
    ledger.close()
    bench.runs(bench.finds("stale", says="no run has ended well since "))
    bench.is_well()
    holds_all_once(bench)


def test_clock_jump(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    bench.ledger("update runs set started_at = started_at + ?", 3 * DAY)
    bench.runs(bench.finds("clock-jump", says="which is in the future"))
    bench.is_well()
    holds_all_once(bench)


def test_clock_jump_that_a_run_has_noticed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port, leave_on_server="30 days"))
    bench.migrates()
    bench.ledger("update maildrops set last_run_at = last_run_at - ?", 900 * DAY)
    bench.migrate()
    bench.runs(bench.finds("clock-jump", says="the clock has jumped"))
    bench.is_well()
    holds_all_once(bench)
    assert server.maildrop.left() == MESSAGES


def test_paused(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    assert bench.ferry("pause", "alice").code == 0
    found = bench.finds("paused")
    assert bench.ferry("doctor").code == 0
    bench.runs(found)
    assert bench.found_by("doctor") == bench.found_by("status") == []


@pytest.mark.parametrize("name", ["password", "state", "state/ledger.sqlite3"])
def test_secret_exposed(bench: Bench, server: Pop3Server, name: str) -> None:
    password = bench.folder / "password"
    password.touch(mode=0o600)
    password.write_text(server.password)
    bench.writes(alice(server.port, password='{ file = "password" }'))
    bench.migrates()
    exposed = bench.folder / name
    exposed.chmod(0o755 if exposed.is_dir() else 0o644)
    bench.runs(bench.finds("secret-exposed", accounts=(), says="can be read by others"))
    bench.is_well()
    bench.migrates()
    holds_all_once(bench)


def test_config_exposed(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port, password=json.dumps(server.password)))
    bench.migrates()
    (bench.folder / "config.toml").chmod(0o644)
    bench.runs(bench.finds("config-exposed", accounts=()))
    bench.is_well()
    holds_all_once(bench)


def test_same_maildrop(bench: Bench, server: Pop3Server) -> None:
    tables = [account(name, source(server.port), mbox(f"archive/{name}")) for name in ("alice", "copy")]
    bench.writes(*tables)
    bench.migrates()
    bench.no_machine_can(bench.finds("same-maildrop", accounts=("alice", "copy"), says="alice and copy fetch from"))
    bench.writes(account("alice", source(server.port), mbox("archive/alice"), mbox("archive/copy")))
    bench.migrates()
    bench.is_well()
    holds_all_once(bench)
    assert Counter(bench.site.stored("archive/copy")) == Counter(MESSAGES)


def test_listen_taken(bench: Bench, server: Pop3Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        bench.writes(f'[metrics]\nlisten = "127.0.0.1:{port}"\n', alice(server.port))
        bench.migrates()
        bench.no_machine_can(bench.finds("listen-taken", accounts=(), by_looking=False, says=str(port)))
    bench.is_well()


def test_package_missing(bench: Bench, server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    page = '[web]\nlisten = "127.0.0.1:0"\n[web.oidc]\nissuer = "https://id.example.org"\nclient_id = "page"\n'
    bench.writes(page, alice(server.port))
    bench.migrates()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "joserfc", None)
        says = "[web.oidc] needs one more package: pip install 'mailferry[oidc]'"
        bench.no_machine_can(bench.finds("package-missing", accounts=(), by_looking=False, says=says))
    bench.is_well()


def test_notify_dead(bench: Bench, server: Pop3Server) -> None:
    with SmtpServer() as mail:
        bench.writes(smtp(mail.port), alice(server.port))
        bench.migrates()
    bench.no_machine_can(bench.finds("notify-dead", accounts=(), by_looking=False))
    with SmtpServer() as again:
        bench.writes(smtp(again.port), alice(server.port))
        bench.is_well()
        assert bench.ferry("notify", "--test").code == 0
        assert len(again.taken) == 1


def test_nobody_told(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    [found] = [one for one in bench.ferry("doctor", "--json").document["findings"] if one["id"] == "nobody-told"]
    assert (found["severity"], found["accounts"]) == ("hint", [])
    bench.no_machine_can(found)
    with SmtpServer() as mail:
        bench.writes(smtp(mail.port), alice(server.port))
        assert "nobody-told" not in {one["id"] for one in bench.ferry("doctor", "--json").document["findings"]}


def test_vault_key_nearby(bench: Bench, server: Pop3Server) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    vault = vault_of(load(bench.folder / "config.toml"))
    vault.keep("alice/source-1", "open sesame", 1.0, "ann")
    found = bench.finds("vault-key-nearby", accounts=(), says=str(bench.folder / "vault.key"))
    bench.no_machine_can(found)
    elsewhere = bench.folder.parent / "elsewhere.key"
    (bench.folder / "vault.key").rename(elsewhere)
    bench.writes(f'[web]\nlisten = "127.0.0.1:8025"\nvault_key = "{elsewhere}"\n', alice(server.port))
    assert bench.found_by("doctor") == []
    assert vault_of(load(bench.folder / "config.toml")).reveal("alice/source-1") == "open sesame"


def test_state_on_network(bench: Bench, server: Pop3Server) -> None:
    """A network file system cannot be mounted for a test: what is mounted where is told, and all else is real."""
    bench.writes(alice(server.port))
    bench.migrates()
    config, now, called = load(bench.folder / "config.toml"), time.time(), Invocation()
    with opened_ledger(config) as opened:
        facts = look(config, opened, now, called, text=f"nas:/vol {bench.site.state} nfs4 rw 0 0\n")
    [found] = [one for one in find(facts) if one.id == "state-on-network"]
    assert (found.cure.command, found.cure.settings) == (None, ())
    assert "(nfs4)" in found.text
    shutil.move(bench.site.state, bench.folder / "local")
    path = bench.folder / "config.toml"
    path.write_text('state_dir = "local"\n' + path.read_text())
    config = load(path)
    with opened_ledger(config) as opened:
        assert "state-on-network" not in {one.id for one in find(facts_on_disk(config, opened, now, called))}
    bench.is_well()
    bench.migrates()
    holds_all_once(bench)


def test_a_healthy_installation_shows_hints_only(bench: Bench, server: Pop3Server, tmp_path: Path) -> None:
    bench.writes(alice(server.port))
    bench.migrates()
    assert bench.found_by("doctor") == bench.found_by("status") == []
    assert bench.ferry("doctor").code == 0
    assert tmp_path.exists()
