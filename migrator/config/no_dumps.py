"""Keep a process that holds passwords out of core dumps, and from those who attach to it.

Where the platform lacks a way, the other one, or none, is taken: this is a second wall, and a run goes on without it.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from functools import cache

_PR_SET_DUMPABLE = 4  # prctl(2)


@cache
def forbid_dumps() -> None:
    """Let this process leave no core dump from here on; once is enough. Programs that it starts inherit the limit."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))  # a limit of 0 does not bind a kernel that pipes its dumps
    if sys.platform == "linux":
        with suppress(ImportError, OSError, AttributeError, MemoryError):  # memory: none may be both written and run
            import ctypes  # not at start: it takes as long as all the rest of this

            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
