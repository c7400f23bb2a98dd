from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from benchmarks.measure import Command, RunFailedError, calls_in, run, run_until, with_slow_disk

SUMMARY = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.63    4.049998         202     20001           fsync
  0.37    0.014996           5      2738         3 fdatasync
  0.00    0.000000           0         2           msync
------ ----------- ----------- --------- --------- ----------------
100.00    4.064994         178     22741         3 total
"""


def python(script: str) -> Command:
    return Command([sys.executable, "-c", script])


def test_what_a_program_took_is_measured(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.2: pass\nmuch = 30_000_000 * 'x'\nprint('done')"
    took = run(python(busy), tmp_path / "log", 60)
    assert took.wall >= took.cpu >= 0.2
    assert took.user > 0
    assert took.peak > 30_000_000
    assert (tmp_path / "log").read_text() == "done\n"


def test_a_program_that_fails_has_no_figure(tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match=r"python\S* ended with 3 after") as failed:
        run(python("import sys; print('no mail'); sys.exit(3)"), tmp_path / "log", 60)
    assert "no mail" in failed.value.said
    assert "/" not in str(failed.value)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="was ended after 0 s"):
        run(python("import time; time.sleep(60)"), tmp_path / "log", 0.2)


def test_a_first_answer_ends_the_program(tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    script = f"import os, time; open({str(answer)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    took = run_until(python(script), tmp_path / "log", lambda: answer.exists() and answer.stat().st_size > 0, 60)
    assert took.wall < 30
    assert is_gone(int(answer.read_text()))


def test_a_program_that_ends_without_an_answer_has_failed(tmp_path: Path) -> None:
    with pytest.raises(RunFailedError, match="gave no first answer"):
        run_until(python("print('nothing there')"), tmp_path / "log", lambda: False, 60)


def test_ctrl_c_ends_what_is_measured(tmp_path: Path) -> None:
    started = tmp_path / "started"
    script = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupted)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(python(script), tmp_path / "log", 60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert is_gone(int(started.read_text()))


def test_fsyncs_are_counted_in_what_strace_says() -> None:
    assert calls_in(SUMMARY) == 22_739
    assert calls_in("") == 0


def test_a_slow_disk_holds_back_fsyncs_and_nothing_else() -> None:
    command = with_slow_disk(Command(["mpop", "-q"], {"A": "b"}), 10)
    assert command.argv[-2:] == ["mpop", "-q"]
    assert "inject=fsync,fdatasync:delay_exit=10000" in command.argv
    assert command.environment == {"A": "b"}


def is_gone(pid: int) -> bool:
    """It was killed; its parent may have to notice."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        path = Path(f"/proc/{pid}/stat")
        if not path.exists() or path.read_text().rpartition(")")[2].split()[0] in {"Z", "X"}:
            return True
    return False
