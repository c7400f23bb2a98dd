"""Who owns an account, or a mailbox that several accounts write to, over all machines that share one ledger.

A kernel lock dies with its process and is seen by one machine only. A lease runs out, and has an epoch: who takes
it over counts it up, so that a worker which was away and comes back is known to be of the past, by the ledger in every
transaction (``fence``), and by itself before every effect outside the database (``insist``).
"""

from __future__ import annotations

from typing import Protocol

from migrator.errors import FerryError, Kind

EFFECT_SECONDS = 10.0
"""What a lease must be good for yet when something is begun that cannot be taken back."""


class LeaseLostError(FerryError):
    """This process owned something for too long without a sign of life, and another one may own it by now."""

    def __init__(self, doing: str = "") -> None:
        before = f" before {doing}" if doing else ""
        message = f"this worker was silent for too long{before}: another one may work the account by now"
        super().__init__(Kind.LOCKED, message, cure="nothing is lost: the one who has the account goes on with it")


class Lease(Protocol):
    """The right to work something."""

    def holds(self, for_seconds: float) -> bool:
        """Say whether nobody else can have taken it over within that many seconds from now."""

    def as_known_now(self) -> Lease:
        """Return what is known of it now, for another process of this machine: it can be pickled."""


class KernelLocks:
    """The rights of a process whose locks the kernel keeps: they hold as long as it lives."""

    def holds(self, for_seconds: float) -> bool:
        """Say that they do."""
        del for_seconds
        return True

    def as_known_now(self) -> KernelLocks:
        """Return the same."""
        return self


def insist(lease: Lease, doing: str) -> None:
    """Raise ``LeaseLostError`` unless what is about to be done can still be done as the only one.

    What is left is a process that freezes between this and the system call that follows (docs/promises.md).
    """
    if not lease.holds(EFFECT_SECONDS):
        raise LeaseLostError(doing)
