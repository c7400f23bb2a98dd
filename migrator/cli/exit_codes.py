"""What a command's exit code means to a script: docs/operations.md, "Exit codes", and why it is so in docs/adr/."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

DONE = 0
NOT_ALL_DONE = 1
WRONG_USAGE = 2
INTERRUPTED = 130

VARIABLE = "MAILFERRY_EXIT_CODES"
FINER = "sysexits"
"""The value of the variable with which a script asks for finer codes in place of 1."""

CODES: Mapping[int, tuple[str, tuple[str, ...]]] = {
    65: ("only single messages are wrong", ("too-large", "short", "changed", "ambiguous", "mismatch", "unproven")),
    69: ("a server cannot be reached, or its certificate is not accepted", ("connect", "timeout", "tls")),
    70: ("the program itself is at fault", ("internal",)),
    72: ("an archive is away, or is not as the ledger knows it", ("archive",)),
    73: ("a mailbox is full", ("quota",)),
    74: ("a disk is full", ("disk-full",)),
    75: ("trying again later will do", ("in-use", "login-delay", "temporary", "locked")),
    76: ("a server refuses or breaks the protocol", ("refused", "protocol")),
    77: ("a password or a sign-in is refused", ("auth",)),
}
"""The finer codes, as BSD's sysexits.h has them: what each means, and the kinds of trouble that it stands for."""


def not_done(kinds: Iterable[str], environment: Mapping[str, str] = os.environ) -> int:
    """Return the exit code where something was not done, for these reasons (``migrator.errors.Kind``).

    It is 1, unless finer codes are asked for and all the reasons have one and the same.
    """
    if environment.get(VARIABLE) != FINER:
        return NOT_ALL_DONE
    found = {_code_of(kind) for kind in kinds}
    return found.pop() if len(found) == 1 else NOT_ALL_DONE


def _code_of(kind: str) -> int:
    return next((code for code, (_, kinds) in CODES.items() if kind in kinds), NOT_ALL_DONE)
