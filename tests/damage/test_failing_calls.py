"""The n-th system call of a small run fails, for every n, in both processes: then a calm run ends well, nothing twice."""

from __future__ import annotations

import errno
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.damage.calls.child import folders
from tests.damage.calls.failing import Orders
from tests.damage.calls.stage import Run, Stage
from tests.mail import letters
from tests.rig import Rig, deleting, mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

LARGE = b"Message-ID: <large@example.org>\r\n\r\n" + b"From a line of a large message\r\n" * 20_000
MESSAGES = [*letters(5), LARGE]
RUNS = [(["mbox"], False), (["maildir"], False), (["mbox", "maildir"], False), (["mbox"], True), (["maildir"], True)]
STRIDE = 9


Play = Callable[[Run], dict[str, object]]


@pytest.fixture(scope="module")
def play() -> Iterator[Play]:
    """Migrate in a process of its own."""
    with Stage(is_apart=False) as here, Stage(is_apart=True) as apart:
        yield lambda run: (apart if run.is_apart else here).play(run)


def stored(folder: Path, kind: str) -> Counter[bytes]:
    if kind == "mbox":
        volumes = sorted((folder / kind).glob("*.mbox"))
        return Counter(message for volume in volumes for message in mboxrd(volume.read_bytes()))
    files = [path for name in ("new", "cur") for path in (folder / kind / name).glob("*")]
    return Counter(re.sub(rb"\n", b"\r\n", path.read_bytes()) for path in files)


def run(
    play: Play, folder: Path, server: Pop3Server, kinds: list[str], orders: Orders, *, is_apart: bool
) -> dict[str, object]:
    """Migrate under these orders; returns the report."""
    orders.write(folder / "calls")
    return play(Run(str(folder), server.port, server.password, kinds, is_apart, str(folder / "calls")))


def calls_of_a_clean_run(play: Play, folder: Path, kinds: list[str], *, is_apart: bool) -> list[str]:
    folder.mkdir()
    log = folder / "calls.txt"
    with Pop3Server(Maildrop(MESSAGES)) as server:
        orders = Orders(str(folder), 0, errno.EIO, count_to=str(log))
        assert run(play, folder, server, kinds, orders, is_apart=is_apart)["status"] == "ok"
    return log.read_text().split()


def fails_and_recovers(play: Play, folder: Path, number: int, error: int, kinds: list[str], *, is_apart: bool) -> None:
    """Fail one call; then nothing is lost, a calm run ends well and has all of it once, and another changes nothing."""
    folder.mkdir()
    where = f"call {number} failed with {errno.errorcode[error]}"
    with Pop3Server(Maildrop(MESSAGES)) as server:
        orders = Orders(str(folder), number, error, count_to=str(folder / "calls.txt"))
        report = run(play, folder, server, kinds, orders, is_apart=is_apart)
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


def chosen(calls: list[str], error: int) -> range:
    """Return the numbers of some calls, others for each error."""
    return range(1 + error % STRIDE, len(calls) + 1, STRIDE)


@pytest.mark.parametrize(("kinds", "is_apart"), RUNS)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_some_calls_that_fail_cost_work_only(
    play: Play, tmp_path: Path, kinds: list[str], is_apart: bool, error: int
) -> None:
    calls = calls_of_a_clean_run(play, tmp_path / "clean", kinds, is_apart=is_apart)
    assert {"write", "fsync", "open"} <= set(calls)
    for number in chosen(calls, error):
        fails_and_recovers(play, tmp_path / str(number), number, error, kinds, is_apart=is_apart)


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "is_apart"), RUNS)
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_all_others_that_fail_cost_work_only(
    play: Play, tmp_path: Path, kinds: list[str], is_apart: bool, error: int
) -> None:
    calls = calls_of_a_clean_run(play, tmp_path / "clean", kinds, is_apart=is_apart)
    for number in sorted(set(range(1, len(calls) + 1)) - set(chosen(calls, error))):
        fails_and_recovers(play, tmp_path / str(number), number, error, kinds, is_apart=is_apart)
