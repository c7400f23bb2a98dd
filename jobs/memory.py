"""How threads that work accounts side by side share what malloc takes from the system.

glibc gives each thread an arena of its own, and an arena keeps what it once had: runs that went on side by side, each
with its batches of mail, held three times what one of them needs. Python's threads hardly ever ask at one time.
"""

from __future__ import annotations

from contextlib import suppress

ARENAS = 2
_M_ARENA_MAX = -8  # mallopt(3)


def share_arenas() -> None:
    """Let all threads that begin from now on take their memory from few arenas; does nothing without glibc."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)
