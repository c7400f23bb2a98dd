"""Whether a message may be deleted at its source: one pure decision, and the only one.

What was seen of it goes in as evidence: what this session read under its number, and where its copies stand. Everything
that sends DELE sends it for what ``decide`` lets go, and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from migrator.policy import LeaveOnServer, SourceProof, is_due


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
    NOT_DUE = "its owner wants it there, or wants it there for longer"
    NOT_ALLOWED = "this run may delete nothing (more)"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one message at the end of its way.

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
class DeletionPolicy:
    """What a run may do: the owner's wish, the proof asked of the source, and whether this run may delete at all."""

    leave_on_server: LeaveOnServer
    source_proof: SourceProof
    may_delete: bool


def decide(evidence: Evidence, rules: DeletionPolicy, now: float) -> Decision:
    """Decide about one message (docs/promises.md, "When DELE is sent")."""
    if not _is_read(evidence, rules.source_proof):
        return Decision.NOT_READ
    if not evidence.is_as_copied:
        return Decision.CHANGED
    if not evidence.is_everywhere:
        return Decision.NOT_EVERYWHERE
    if not is_due(rules.leave_on_server, evidence.proven_at, now):
        return Decision.NOT_DUE
    return Decision.DELETE if rules.may_delete else Decision.NOT_ALLOWED


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
