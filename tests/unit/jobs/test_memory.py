"""What threads leave behind is used by the next one, not kept for each."""

from __future__ import annotations

import platform
import subprocess
import sys
from textwrap import dedent

import pytest

_WORK = dedent("""
    import sys, threading
    from pathlib import Path
    from jobs.memory import share_arenas
    if sys.argv[1] == "shared":
        share_arenas()
    over, kept = threading.Event(), []

    def work(done):
        pieces = [b"x" * 100_000 for _ in range(300)]  # 30 MB, in pieces that malloc keeps to itself
        kept.append(pieces.pop())  # what lies on top holds the rest
        del pieces
        done.set()
        over.wait()  # a thread that has ended would leave its arena to the next

    for _ in range(8):
        done = threading.Event()
        threading.Thread(target=work, args=[done]).start()
        done.wait()
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) // 1000 for line in lines if line.startswith("VmRSS:")))
    over.set()
""")


def resident(how: str) -> int:
    """Return megabytes of a process whose eight threads have each had thirty for a while."""
    run = subprocess.run([sys.executable, "-c", _WORK, how], check=True, capture_output=True, timeout=60)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has an arena for each thread")
def test_threads_side_by_side_take_what_the_others_have_left() -> None:
    assert 2 * resident("shared") < resident("each its own")
