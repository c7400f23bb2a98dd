"""The n-th system call of an export fails, for every n: nothing half has a whole one's name, and a calm one ends it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage.calls.failing import Orders
from tests.damage.calls.stage import ROOT
from tests.mail import letters
from tests.rig import mboxrd
from tests.unit.archive.office import Office

MESSAGES = letters(3)
ERRORS = [errno.EIO, errno.ENOSPC, errno.EINVAL]
STEPS = [pytest.param(4, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
FORMS = ["mbox", "maildir", "eml", "zip"]


class Exports:
    """The process that exports, as the tests see it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.damage.calls.exports"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def call(self, config: Path, out: Path, form: str, orders: Path | None = None) -> tuple[int, str]:
        """Export; returns the exit code, and what was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = ["-c", str(config), "export", "--to", str(out), "--format", "eml" if form == "zip" else form]
        said = config.with_name("said")
        self._process.stdin.write(json.dumps([words, str(orders) if orders else None, str(said)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), said.read_text()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def exports() -> Iterator[Exports]:
    process = Exports()
    yield process
    process.close()


def exported(out: Path, form: str) -> list[bytes]:
    """Read every whole message of an export."""
    match form:
        case "mbox":
            return sorted(message for path in out.glob("*.mbox") for message in mboxrd(path.read_bytes()))
        case "maildir":
            return sorted(re.sub(rb"\n", b"\r\n", path.read_bytes()) for path in out.glob("new/*"))
        case "eml":
            return sorted(path.read_bytes() for path in out.glob("[!.]*.eml"))
        case _ if not out.exists():
            return []
        case _:
            with zipfile.ZipFile(out) as archive:
                return sorted(archive.read(name) for name in archive.namelist() if name.endswith(".eml"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_fails_costs_work_only(exports: Exports, tmp_path: Path, form: str, step: int) -> None:
    office = Office(tmp_path)
    office.copy(MESSAGES)
    place, orders, log = tmp_path / "place", tmp_path / "orders", tmp_path / "calls.txt"
    out = place / ("out.zip" if form == "zip" else "out")
    for number in range(1, 1_000, step):
        error = ERRORS[number // step % len(ERRORS)]
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        log.unlink(missing_ok=True)
        Orders(str(place), number, error, count_to=str(log)).write(orders)
        code, said = exports.call(office.config_path, out, form, orders)
        where = f"call {number} of {log.read_text().split()}"
        assert set(exported(out, form)) <= set(MESSAGES), where
        assert code in (0, 1), where
        assert "internal error" not in said, (where, said)
        assert exports.call(office.config_path, out, form)[0] == 0, where
        assert exported(out, form) == sorted(MESSAGES), where
        assert not list(place.rglob("*.partial")), where
        if len(log.read_text().split()) < number:
            return
    pytest.fail("an export without an end")
