from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from migrator.errors import FerryError, Kind
from migrator.run.account_lock import account_lock

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
