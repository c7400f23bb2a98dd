"""One module per command: ``run(arguments, screen)`` does it and returns the exit code.

Each is imported when it is asked for, so that no command pays for another's libraries. A command raises
``ConfigError`` before it has touched anything, and ``FerryError`` for what concerns no single account.
"""

from __future__ import annotations

DONE = 0
NOT_ALL_DONE = 1
WRONG_USAGE = 2
INTERRUPTED = 130
