from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.errors import FerryError, Kind
from migrator.run.account_lock import AccountLockedError, account_lock, account_locks

HOLD = (
    "import sys; from pathlib import Path; from migrator.run.account_lock import account_lock\n"
    "with account_lock(Path(sys.argv[1]), 'alice'): print('held', flush=True); sys.stdin.read()"
)


def test_an_account_is_worked_once_at_a_time(tmp_path: Path) -> None:
    with account_lock(tmp_path, "alice"):
        with pytest.raises(FerryError) as caught, account_lock(tmp_path, "alice"):
            pass
        assert caught.value.kind is Kind.LOCKED
        assert "alice" in str(caught.value)
        with account_lock(tmp_path, "bob"):
            pass
    with account_lock(tmp_path, "alice"):
        pass


def test_names_that_are_odd_in_a_file_system_are_different_locks(tmp_path: Path) -> None:
    with account_lock(tmp_path, "a@b.c"), account_lock(tmp_path, "a_b.c"), account_lock(tmp_path, ".."):
        pass
    assert all(path.parent == tmp_path / "locks" for path in (tmp_path / "locks").iterdir())


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(FerryError), account_lock(tmp_path, "alice"):
            pass
        process.kill()
        process.wait()
    with account_lock(tmp_path, "alice"):
        pass


def test_who_has_all_accounts_has_each_of_them(tmp_path: Path) -> None:
    with account_locks(tmp_path, ["alice", "bob"]):
        for name in ("alice", "bob", "not in the configuration yet"):
            with pytest.raises(AccountLockedError), account_lock(tmp_path, name):
                pass
        with pytest.raises(FerryError) as caught, account_locks(tmp_path, ["alice"]):
            pass
        assert caught.value.kind is Kind.LOCKED
    with account_lock(tmp_path, "alice"), account_lock(tmp_path, "bob"):
        pass


@pytest.mark.parametrize("name", ["bob", "removed from the configuration"])
def test_nobody_has_all_accounts_while_one_is_worked(tmp_path: Path, name: str) -> None:
    with account_lock(tmp_path, name):
        with pytest.raises(FerryError) as caught, account_locks(tmp_path, ["alice", "bob"]):
            pass
        assert caught.value.kind is Kind.LOCKED
        assert ("bob" in str(caught.value)) == (name == "bob")
        with account_lock(tmp_path, "alice"):
            pass


def test_all_accounts_take_no_more_open_files_than_one(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in os.scandir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, limits[1]))
    try:
        with account_locks(tmp_path, (f"account {number}" for number in range(400))):
            os.close(os.open(tmp_path, os.O_RDONLY))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
