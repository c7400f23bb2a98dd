from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from jobs.lock import worker_lock
from jobs.monitoring.health import Health, HealthVerdict, write
from jobs.schedule.account_state import AccountState
from jobs.schedule.queue import TOPIC
from migrator.ledger import Ledger
from migrator.ui.text import size
from tests.command_line import MESSAGES, Ferry, archived_account
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Fault, Pop3Server
from tests.servers.pop3_session import Session, Shown


def test_before_the_first_run_nothing_is_made(ferry: Ferry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "open-sesame")
    (tmp_path / "config.toml").write_text(archived_account("alice", 1110))
    done = ferry("status")
    assert done.code == 0
    assert done.out.startswith("alice: no run so far; this starts one: mailferry migrate alice\n")
    assert "SOON  alice: no run so far\n" in done.out
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
    assert "BROKEN  alice: cannot connect to 127.0.0.1" in text
    assert "12 messages on the server as of 20" in text
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
    assert ferry("status").out.startswith("alice: nothing on the server; 12 deleted so far\n")
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
    assert not any("next run" in line for line in lines)  # nobody would make it
    assert "no worker is running on this state_dir" in lines
    write(Health(HealthVerdict.OK, (), "1 account: 1 well; working now: 0"), tmp_path / "state", time.time())
    assert "mailferry run ended without being stopped" in ferry("status").out.splitlines()
    with worker_lock(tmp_path / "state"):
        lines = ferry("status").out.splitlines()
        assert "mailferry run is up: 1 account: 1 well; working now: 0" in lines
        assert any(line.startswith("  next run by mailferry run: in 15 min (") for line in lines)
    assert url


def test_quiet_says_nothing_of_who_is_well(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate", "-q").code == 0
    done = ferry("status", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    server.stop()
    assert ferry("migrate", "-q").code == 1
    assert ferry("status", "-q").out.startswith("alice: 12 messages on the server")
    assert url


class ShowsTwoAndThenRefuses(Fault):
    """Shows two messages at a time, as Gmail does hundreds, and refuses the third log-in."""

    log_ins = 0

    def refusal(self, session: Session) -> bytes | None:
        self.log_ins += 1
        return b"[LOGIN-DELAY] wait 300 seconds" if self.log_ins > 2 else None

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return messages[:2]


def test_a_server_that_shows_parts_is_not_empty_once_a_part_is_gone(
    ferry: Ferry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Pop3Server(Maildrop(MESSAGES), faults=[ShowsTwoAndThenRefuses()]) as server:
        monkeypatch.setenv("PASSWORD", server.password)
        text = archived_account("alice", server.port)
        (tmp_path / "config.toml").write_text(
            text.replace("[accounts.source]", "[accounts.source]\nleave_on_server = false")
        )
        assert ferry("migrate").code == 1
        assert len(server.maildrop.left()) == 8
    assert ferry("status").out.startswith("alice: nothing left of what the server showed; 4 deleted so far\n")


def test_what_is_over_is_told_as_what_a_run_met(ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 0
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    assert ferry("migrate").code == 1
    away = ferry("status").out
    assert "it met" not in away  # the finding says it
    assert f"in mbox {tmp_path}/archive/alice, which is not there\n" in away
    assert ", proven, in" not in away
    (tmp_path / "unmounted").rename(tmp_path / "archive")
    text = ferry("status").out
    assert "    it met: [archive] the archive " in text
    assert "BROKEN" not in text
    assert url
