"""Whether a message may be deleted at its source: one pure decision, and the only one.

What was seen of it goes in as evidence: what this session read under its number, and where its copies stand. What the
run may do goes in as rules: the owner's wish, the proof asked for, the allowance, whether the clock can be trusted,
whether the run is to end, and whether the account is still this worker's. ``migrator.run.deletion`` sends DELE for what
``decide`` lets go, and nothing else sends it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

from migrator.lazy_dataclasses import dataclass
from migrator.policy import DeleteAfter, LeaveOnServer, SourceProof, is_due


class ReadBy(Enum):
    """How this session has read a message at its source."""

    NOTHING = auto()
    TOP = auto()
    """Its octets and its header block."""
    RETR = auto()
    """All of it."""


class Decision(Enum):
    """What becomes of a message at its source, or why it stays."""

    DELETE = "delete it"
    NOT_READ = "this session has not read it, or only its headers, and that is not enough"
    CHANGED = "the source holds something else than was copied"
    NOT_EVERYWHERE = "a destination does not hold a proven copy"
    STOPPED = "the run is to end at once"
    NOT_OURS = "this worker was silent for too long: another one may work the account by now"
    CLOCK_DOUBTED = "its age cannot be told: the clock has jumped"
    NOT_DUE = "its owner wants it there, or wants it there for longer"
    NOT_ALLOWED = "this run wants to delete more than it may, so it deletes nothing"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a message at the end of its way; many messages of a session share one.

    ``is_as_copied``: what was read, whole or header, is what the copies hold. ``is_everywhere``: each destination's
    copy was written durably, read back and found equal, in this run or, proven before, again in this one; a copy that
    its owner lets go counts. ``was_retrieved_before``: an earlier RETR under this very unique-id gave that very
    content. ``proven_at`` is when all copies were first proven, in seconds since the epoch.
    """

    read_by: ReadBy
    is_as_copied: bool
    is_everywhere: bool
    proven_at: float
    was_retrieved_before: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many messages a run wants to delete, those it has deleted included, and how many a person allows it."""

    wanted: int
    at_most: int | None = None

    @property
    def is_exceeded(self) -> bool:
        """Whether it wants more than it may."""
        return self.at_most is not None and self.wanted > self.at_most


@dataclass(frozen=True, slots=True)
class DeletionRules:
    """What a run may do at the source: the owner's wish, the proof it asks for, and what stands in the way just now."""

    leave_on_server: LeaveOnServer
    source_proof: SourceProof
    allowance: Allowance
    is_clock_trusted: bool = True
    is_stopped: bool = False
    is_owner: bool = True
    """Whether nobody else can be working the account (``migrator.ledger.lease``)."""


def decide(evidence: Evidence, rules: DeletionRules, now: float) -> Decision:
    """Decide about a message (docs/promises.md, "When DELE is sent")."""
    if not _is_read(evidence, rules.source_proof):
        return Decision.NOT_READ
    if not evidence.is_as_copied:
        return Decision.CHANGED
    if not evidence.is_everywhere:
        return Decision.NOT_EVERYWHERE
    if rules.is_stopped:
        return Decision.STOPPED
    if not rules.is_owner:
        return Decision.NOT_OURS
    if isinstance(rules.leave_on_server, DeleteAfter) and not rules.is_clock_trusted:
        return Decision.CLOCK_DOUBTED
    if not is_due(rules.leave_on_server, evidence.proven_at, now):
        return Decision.NOT_DUE
    return Decision.NOT_ALLOWED if rules.allowance.is_exceeded else Decision.DELETE


def _is_read(evidence: Evidence, proof: SourceProof) -> bool:
    match evidence.read_by:
        case ReadBy.RETR:
            return True
        case ReadBy.TOP:
            return proof is SourceProof.HEADERS and evidence.was_retrieved_before
        case ReadBy.NOTHING:
            return False
        case _ as never:
            assert_never(never)
