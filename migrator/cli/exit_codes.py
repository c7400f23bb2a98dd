"""What a command's exit code means to a script."""

from __future__ import annotations

DONE = 0
NOT_ALL_DONE = 1
WRONG_USAGE = 2
INTERRUPTED = 130
