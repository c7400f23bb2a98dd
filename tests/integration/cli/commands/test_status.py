from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from jobs.monitoring.health import Health, HealthVerdict, write
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC
from migrator.ledger import Ledger
from migrator.ui.text import size
from tests.command_line import Ferry, archived_account
from tests.servers.pop3 import Pop3Server


def test_before_the_first_run_nothing_is_made(ferry: Ferry, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", 1110))
    done = ferry("status")
    assert (done.code, done.out) == (0, "alice: no run so far; this starts one: mailferry migrate alice\n")
    [alice] = ferry("status", "--json").document["accounts"]
    assert (alice["name"], alice["safe"], alice["last_run"], alice["next_run"]) == ("alice", 0, None, None)
    assert not (tmp_path / "state").exists()


def test_after_a_run_the_numbers_stand_there(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate", "--limit", "5").code == 0
    [alice] = ferry("status", "--json").document["accounts"]
    assert (alice["on_server"], alice["safe"], alice["waiting"], alice["failed"]) == (12, 5, 7, 0)
    assert alice["last_run"]["status"] == "ok"
    assert alice["last_success"] == alice["last_run"]["ended"]
    assert alice["next_run"] > alice["last_run"]["started"]
    text = ferry("status", "alice").out
    assert text.startswith("alice: 12 messages on the server = 5 safe (")
    assert "+ 7 waiting + 0 failed; 0 deleted so far\n  archived: 5 messages (" in text
    assert "the oldest message that is not safe was first seen" in text
    assert url


def test_what_went_wrong_is_shown(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(archived_account("alice", server.port) + '[accounts.schedule]\ncron = "0 3 * * *"\n')
    assert ferry("migrate").code == 0
    server.stop()
    config.write_text(archived_account("alice", server.port, password='"hunter2"'))
    assert ferry("migrate").code == 1
    text = ferry("status").out
    assert ": FAILED\n  last run that ended well " in text
    assert "    [connect] " in text
    assert "hunter2" not in text
    assert url


def test_a_schedule_by_cron_has_a_next_run(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    text = archived_account("alice", server.port) + '[accounts.schedule]\ncron = "0 3 * * *"\n'
    (tmp_path / "config.toml").write_text(text)
    assert ferry("migrate").code == 0
    [alice] = ferry("status", "--json").document["accounts"]
    assert alice["next_run"] > alice["last_run"]["ended"]
    assert url


def test_what_is_archived_is_told_when_the_server_is_empty(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    text = archived_account("alice", server.port).replace(
        "[accounts.source]", "[accounts.source]\nleave_on_server = false"
    )
    (tmp_path / "config.toml").write_text(text)
    assert ferry("migrate").code == 0
    [alice] = ferry("status", "--json").document["accounts"]
    assert alice["safe"] == 0
    [held] = alice["archived"]
    assert held["messages"] == 12
    assert ferry("status").out.startswith("alice: the server is empty; 12 deleted so far\n")
    assert f"  archived: 12 messages ({size(held['bytes'])}), proven, in mbox " in ferry("status").out
    assert url


def test_of_many_accounts_the_quiet_ones_get_one_line(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    names = ["alice", *(f"user{number}" for number in range(12))]
    (tmp_path / "config.toml").write_text("".join(archived_account(name, server.port) for name in names))
    assert ferry("migrate", "alice").code == 0
    lines = ferry("status").out.splitlines()
    assert lines[0].startswith("alice: 12 on the server, all safe; last run ")
    assert "user0: no run so far; this starts one: mailferry migrate user0" in lines
    assert "13 accounts: 1 is well, 12 want a look (-v says more of all)" in lines
    assert len(ferry("status", "-v").out.splitlines()) > len(lines)
    assert url


def test_whoever_has_a_worker_is_told_how_it_is_and_when_it_runs_next(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 0
    assert "mailferry run" not in ferry("status").out
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        state = AccountState(first_seen=time.time(), next_due=time.time() + 930)
        ledger.state_store.put(TOPIC, "alice", state.as_fact())
    lines = ferry("status").out.splitlines()
    assert any(line.startswith("  next run by mailferry run: in 15 min (") for line in lines)
    assert "mailferry run: no worker is running on this state_dir" in lines
    write(Health(HealthVerdict.OK, (), "0 of 1 accounts, 0 errors"), tmp_path / "state", time.time())
    assert "mailferry run is up (working now: 0 of 1 accounts, 0 errors)" in ferry("status").out.splitlines()
    assert url
