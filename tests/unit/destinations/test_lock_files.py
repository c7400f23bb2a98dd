"""Lock files are private whatever the umask, by whichever way they are made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from jobs.lock import worker_lock
from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.run.account_lock import account_lock
from migrator.search.update import exclusively


@pytest.fixture(params=[0, 0o022, 0o277])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def of_imap(state_dir: Path) -> AbstractContextManager[None]:
    settings = ImapSettings("imap.example.org", 993, "ann")
    return ImapDestination(settings, lambda: "sesame", state_dir=state_dir).exclusive()


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize(
    "lock",
    [worker_lock, of_imap, lambda folder: account_lock(folder, "ann"), lambda folder: exclusively(folder, patience=0)],
)
def test_a_lock_file_is_private(lock: object, tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir(0o700)
    folder.chmod(0o700)
    with lock(tmp_path):  # type: ignore[operator]  # each of the ways
        made = [path for path in folder.iterdir() if path.suffix == ".lock"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
