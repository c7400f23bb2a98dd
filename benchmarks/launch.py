"""Start a program, wait for it, and print what it took: the small process between the benchmark and the program.

The kernel counts what the parent holds at a fork into the child's peak of memory, so the parent must be small: this
runs as a script, without site packages. Its arguments are the program's; seconds, user and system seconds, kilobytes
and the program's exit code go to the file descriptor named in LAUNCH_REPORT.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Measure one run."""
    report = int(os.environ.pop("LAUNCH_REPORT"))
    os.set_inheritable(report, False)  # noqa: FBT003  # the system's own way
    began = time.monotonic()
    process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    _, status, used = os.wait4(process, 0)
    wall = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    os.write(report, b"%f %f %f %d %d" % (wall, used.ru_utime, used.ru_stime, used.ru_maxrss, code))


if __name__ == "__main__":
    main()
