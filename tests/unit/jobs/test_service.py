"""The service in this process, with runs that a test plays: what it tells systemd, and how it takes a reload."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jobs.schedule.stop import Stop
from jobs.service import Service, ServiceOptions
from jobs.systemd import Supervisor
from migrator.config import Account, Config, load
from migrator.errors import ConfigError
from migrator.ledger import Ledger
from migrator.operations.account_list import pause
from migrator.report import AccountReport, Status, StoppedBy

PATIENCE = 60.0
TEXT = """\
state_dir = "{state}"
[[accounts]]
name = "{name}"
[accounts.source]
host = "127.0.0.1"
port = 1
tls = "none"
username = "ann"
password = "x"
[[accounts.destinations]]
type = "mbox"
path = "archive"
"""


def written(folder: Path, name: str = "ann", state: str = "state") -> Path:
    path = folder / "config.toml"
    path.write_text(TEXT.format(name=name, state=state))
    path.chmod(0o600)
    return path


@dataclass
class Systemd:
    """Hears what the service says, and answers as a test wants; called from the service's own loop."""

    answer: Callable[[list[str]], None]
    lines: list[str] = field(default_factory=list)

    def supervisor(self) -> Supervisor:
        return Supervisor("here", 0.15, self._hear)

    def _hear(self, _address: str, message: bytes) -> None:
        self.lines += message.decode().splitlines()
        self.answer(self.lines)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def reload() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def test_a_hanging_run_starves_the_watchdog_and_the_service_still_ends(tmp_path: Path) -> None:
    may_end = threading.Event()

    def run(account: Account, _stop: threading.Event) -> AccountReport:
        assert may_end.wait(PATIENCE)
        return AccountReport(account.name)

    def answer(lines: list[str]) -> None:
        if len(lines) > 8 and all(line.endswith("working now: 1") for line in lines[-5:]) and not may_end.is_set():
            may_end.set()
            stop()

    systemd = Systemd(answer)
    path = written(tmp_path)
    parts = ServiceOptions(lambda: load(path), run, systemd.supervisor(), stuck_seconds=0.3)
    assert Service(load(path), parts).run()
    assert "WATCHDOG=1" in systemd.lines  # as long as the run was young
    assert systemd.lines[-2:] == ["STOPPING=1", "STATUS=ending"]


def worked(systemd: Systemd, path: Path, names: list[str]) -> None:
    def run(account: Account, _stop: threading.Event) -> AccountReport:
        names.append(account.name)
        return AccountReport(account.name)

    assert Service(load(path), ServiceOptions(lambda: load(path), run, systemd.supervisor())).run()


def test_a_pause_ends_the_run_that_goes_on_and_the_service_goes_on(tmp_path: Path) -> None:
    path, ended = written(tmp_path), []

    def run(account: Account, halt: Stop) -> AccountReport:
        with closing(Ledger.open(tmp_path / "state")) as ledger:
            pause([account], ledger, 1.0)
        assert halt.wait(PATIENCE)
        ended.append(halt.by)
        return AccountReport(account.name, Status.PARTIAL, interrupted=True)

    def answer(lines: list[str]) -> None:
        if ended and lines[-1].endswith("working now: 0"):
            stop()

    assert Service(load(path), ServiceOptions(lambda: load(path), run, Systemd(answer).supervisor())).run()
    assert ended == [StoppedBy.PERSON]


def test_a_reload_brings_accounts_and_takes_them_away(tmp_path: Path) -> None:
    names: list[str] = []
    path = written(tmp_path)

    def answer(lines: list[str]) -> None:
        if "bob" in names:
            stop()
        elif "ann" in names and "RELOADING=1" not in lines:
            written(tmp_path, "bob")
            reload()

    worked(Systemd(answer), path, names)
    assert names == ["ann", "bob"]


@pytest.mark.parametrize("change", [{"state": "elsewhere"}, {"name": "bad name!"}])
def test_what_cannot_be_taken_over_changes_nothing(tmp_path: Path, change: dict[str, str]) -> None:
    names: list[str] = []
    path = written(tmp_path)

    def answer(lines: list[str]) -> None:
        if "RELOADING=1" in lines and lines[-1].startswith("STATUS="):
            stop()
        elif names and "RELOADING=1" not in lines:
            written(tmp_path, **change)
            reload()

    systemd = Systemd(answer)
    service_names: list[str] = []

    def run(account: Account, _stop: threading.Event) -> AccountReport:
        names.append(account.name)
        return AccountReport(account.name)

    def load_and_note() -> Config:
        service_names.append("read")
        return load(path)

    service = Service(load(path), ServiceOptions(load_and_note, run, systemd.supervisor()))
    assert service.run()
    assert service_names
    assert [account.name for account in service.config.accounts] == ["ann"]
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_service_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    path = written(tmp_path)
    refused: list[ConfigError] = []

    def answer(_lines: list[str]) -> None:
        if not refused:
            with pytest.raises(ConfigError) as caught:
                Service(load(path), ServiceOptions(lambda: load(path))).run()
            refused.append(caught.value)
            stop()

    worked(Systemd(answer), path, [])
    assert "another mailferry run" in str(refused[0])


def test_a_look_that_does_not_end_holds_up_neither_the_watchdog_nor_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def look(config: Config, *_: object) -> None:
        while True:
            looked.extend(account.name for account in config.accounts)

    monkeypatch.setattr("jobs.lookout.SECONDS", 0.05)
    monkeypatch.setattr("jobs.monitor.facts_on_disk", look)

    def answer(lines: list[str]) -> None:
        if looked and lines.count("WATCHDOG=1") > lines_before[0] + 3:
            stop()
        elif not looked:
            lines_before[0] = lines.count("WATCHDOG=1")

    lines_before = [0]
    path = written(tmp_path)
    parts = ServiceOptions(
        lambda: load(path), lambda account, _stop: AccountReport(account.name), Systemd(answer).supervisor()
    )
    assert Service(load(path), parts).run()
    assert set(looked) == {"ann"}
