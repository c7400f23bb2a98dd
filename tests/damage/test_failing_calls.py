"""The n-th system call of a small run fails, for every n, in both processes: then a calm run ends well, nothing twice."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.command_line import ROOT
from tests.damage.calls.child import folders
from tests.damage.calls.failing import Orders
from tests.mail import letters
from tests.rig import Rig, deleting, mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

LARGE = b"Message-ID: <large@example.org>\r\n\r\n" + b"From a line of a large message\r\n" * 20_000
MESSAGES = [*letters(5), LARGE]
RUNS = [(["mbox"], False), (["maildir"], False), (["mbox", "maildir"], False), (["mbox"], True), (["maildir"], True)]
STRIDE = 9


def run(
    folder: Path, server: Pop3Server, kinds: list[str], orders: Orders | None, *, is_apart: bool
) -> dict[str, object]:
    """Migrate in a process of its own that obeys the orders; returns its report."""
    paths = [str(ROOT)]
    if orders:
        orders.write(folder / "calls")
        paths.insert(0, str(folder / "calls"))
    told = json.dumps([str(folder), server.port, server.password, kinds, is_apart])
    done = subprocess.run(
        [sys.executable, "-m", "tests.damage.calls.child", told],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def stored(folder: Path, kind: str) -> Counter[bytes]:
    if kind == "mbox":
        volumes = sorted((folder / kind).glob("*.mbox"))
        return Counter(message for volume in volumes for message in mboxrd(volume.read_bytes()))
    files = [path for name in ("new", "cur") for path in (folder / kind / name).glob("*")]
    return Counter(re.sub(rb"\n", b"\r\n", path.read_bytes()) for path in files)


def calls_of_a_clean_run(folder: Path, kinds: list[str], *, is_apart: bool) -> list[str]:
    folder.mkdir()
    log = folder / "calls.txt"
    with Pop3Server(Maildrop(MESSAGES)) as server:
        orders = Orders(str(folder), 0, errno.EIO, is_porter=is_apart, count_to=str(log))
        assert run(folder, server, kinds, orders, is_apart=is_apart)["status"] == "ok"
    return log.read_text().split()


def fails_and_recovers(folder: Path, number: int, error: int, kinds: list[str], *, is_apart: bool) -> None:
    """Fail one call; then nothing is lost, a calm run ends well and has all of it once, and another changes nothing."""
    folder.mkdir()
    where = f"call {number} failed with {errno.errorcode[error]}"
    with Pop3Server(Maildrop(MESSAGES)) as server:
        orders = Orders(str(folder), number, error, is_porter=is_apart, count_to=str(folder / "calls.txt"))
        report = run(folder, server, kinds, orders, is_apart=is_apart)
        left = Counter(server.maildrop.left())
        for kind in kinds:
            assert not Counter(MESSAGES) - (left | stored(folder, kind)), f"lost after {where}: {report}"
        assert "internal" not in str(report["errors"]), (where, report)
        rig = deleting(Rig(folder, server, destinations=partial(folders, kinds)))
        calm = rig.migrate()
        assert calm.status == "ok", (where, report, calm.problems)
        assert server.maildrop.left() == []
        for kind in kinds:
            assert stored(folder, kind) == Counter(MESSAGES), f"lost or doubled in {kind} after {where}"
        again = rig.migrate()
        assert (again.status, again.copied, again.deleted) == ("ok", 0, 0), where


@pytest.mark.parametrize(("kinds", "is_apart"), RUNS)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_some_calls_that_fail_cost_work_only(tmp_path: Path, kinds: list[str], is_apart: bool, error: int) -> None:
    calls = calls_of_a_clean_run(tmp_path / "clean", kinds, is_apart=is_apart)
    assert {"write", "fsync", "open"} <= set(calls)
    for number in range(1 + error % STRIDE, len(calls) + 1, STRIDE):
        fails_and_recovers(tmp_path / str(number), number, error, kinds, is_apart=is_apart)


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "is_apart"), RUNS)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_every_call_that_fails_costs_work_only(tmp_path: Path, kinds: list[str], is_apart: bool, error: int) -> None:
    calls = calls_of_a_clean_run(tmp_path / "clean", kinds, is_apart=is_apart)
    for number in range(1, len(calls) + 1):
        fails_and_recovers(tmp_path / str(number), number, error, kinds, is_apart=is_apart)
