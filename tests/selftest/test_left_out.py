"""A run of the tests says what it left out, and in strict mode leaves nothing out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_runs():
    pass

def test_needs_more():
    pytest.skip("no such server")

def test_needs_more_too():
    pytest.skip("no such server")

@pytest.mark.xfail(strict=True)
def test_is_expected_to_fail():
    assert False
"""
MODULE = """
import pytest

pytest.skip("no such library", allow_module_level=True)
"""


HOOKS = ("pytest_make_collect_report", "pytest_runtest_makereport", "pytest_terminal_summary")


def run(folder: Path, mode: str, **modules: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(f"from tests.conftest import {', '.join(HOOKS)}\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(folder)],
        env={**os.environ, "MAILFERRY_TESTS": mode},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_left_out_is_said_with_its_reason(tmp_path: Path) -> None:
    result = run(tmp_path, "", test_some=TESTS, test_module=MODULE)
    assert result.returncode == 0
    assert "left out: 2 tests: no such server\n" in result.stdout
    assert "left out: 1 test: no such library\n" in result.stdout
    assert "1 passed, 3 skipped, 1 xfailed" in result.stdout


def test_strict_mode_fails_each_test_that_is_left_out(tmp_path: Path) -> None:
    result = run(tmp_path, "strict", test_some=TESTS)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "2 failed, 1 passed, 1 xfailed" in result.stdout
    assert "MAILFERRY_TESTS=strict allows none: no such server" in result.stdout


def test_strict_mode_fails_where_a_module_is_left_out(tmp_path: Path) -> None:
    result = run(tmp_path, "strict", test_module=MODULE)
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "MAILFERRY_TESTS=strict allows none: no such library" in result.stdout
