"""What to do with each message of a listing: pure decisions, one table.

The ledger's knowledge and the owner's policy go in, a plan comes out. A plan for a million messages stays small: it
holds numbers in arrays, not objects.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple, assert_never

from migrator.backoff import MESSAGE
from migrator.errors import Kind
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import KnownMessage, MessageNumber, MessageRow
from migrator.policy import Policy
from migrator.run.suspects import BREAKING


class Step(Enum):
    """What one message needs."""

    KEEP = "proven everywhere, and to stay at the source"
    DELETE = "proven everywhere, and due to be deleted once the source proves that it still holds the same"
    RETRIEVE = "new: retrieve it"
    COMPLETE = "retrieved before, but not proven everywhere: retrieve it again, and see whether it is the same"
    WAIT = "failed before, and to be tried again later"
    SKIP_SIZE = "larger than the owner wants"
    SKIP_ACCEPTED = "a person has accepted that it stays as it is"


class PlannedMessage(NamedTuple):
    """One message that a plan wants something done with."""

    number: MessageNumber
    row: MessageRow
    octets: int


class Column:
    """Many ``PlannedMessage``, twenty bytes each."""

    def __init__(self) -> None:
        """Begin empty."""
        self._numbers = array("I")
        self._rows = array("Q")
        self._octets = array("Q")

    def append(self, number: int, row: int, octets: int) -> None:
        """Add one message at the end."""
        self._numbers.append(number)
        self._rows.append(row)
        self._octets.append(octets)

    def extend(self, other: Column) -> None:
        """Add all of another column at the end."""
        self._numbers.extend(other._numbers)
        self._rows.extend(other._rows)
        self._octets.extend(other._octets)

    @property
    def octets(self) -> int:
        """What LIST announced for all of them together."""
        return sum(self._octets)

    def cut(self, count: int) -> int:
        """Keep the first ``count`` messages; returns how many went."""
        gone = max(0, len(self) - count)
        del self._numbers[count:], self._rows[count:], self._octets[count:]
        return gone

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[PlannedMessage]:
        return map(PlannedMessage, self._numbers, self._rows, self._octets)  # type: ignore[arg-type]  # ints are what NewTypes are


@dataclass(slots=True)
class Plan:
    """What a session has to do, and what it must know of the messages that nothing is done with.

    ``settled_until`` is when the first kept message falls due (infinity: never). ``changed_before`` were found changed
    by an earlier run, over ``broke_before`` its sessions ended; ``has_nameless``: some message has no unique-id.
    """

    known: int = 0
    retrieve: Column = field(default_factory=Column)
    complete: Column = field(default_factory=Column)
    delete: Column = field(default_factory=Column)
    oversized: Column = field(default_factory=Column)
    waiting: Column = field(default_factory=Column)
    accepted: Column = field(default_factory=Column)
    changed_before: set[MessageRow] = field(default_factory=set)
    broke_before: list[MessageRow] = field(default_factory=list)
    has_nameless: bool = False
    beyond_limit: int = 0
    settled_until: float = float("inf")

    @property
    def messages(self) -> int:
        """How many messages something is to be done with."""
        return len(self.retrieve) + len(self.complete) + len(self.delete)

    @property
    def octets(self) -> int:
        """What LIST announced for all of these together."""
        return self.retrieve.octets + self.complete.octets + self.delete.octets

    def note(self, message: KnownMessage) -> None:
        """Note what the next steps must know of a message, whatever is done with it."""
        if not message.unique_id:
            self.has_nameless = True
        if not message.failure:
            return
        if message.failure == Kind.CHANGED:
            self.changed_before.add(message.row)
        elif message.failure in BREAKING:
            self.broke_before.append(message.row)


def step_for(message: KnownMessage, policy: Policy, now: float) -> Step:
    """Return what a message needs."""
    if message.is_kept:
        return Step.KEEP
    if message.is_proven:
        is_due = policy.due(message.copied_at or now, now) and not message.is_accepted
        return Step.DELETE if is_due else Step.KEEP
    if message.is_accepted:
        return Step.SKIP_ACCEPTED
    if policy.max_octets is not None and message.octets > policy.max_octets:
        return Step.SKIP_SIZE
    if policy.has_patience and _is_waiting(message, now):
        return Step.WAIT
    return Step.COMPLETE if message.content else Step.RETRIEVE


def _is_waiting(message: KnownMessage, now: float) -> bool:
    return message.failed_at is not None and now < message.failed_at + MESSAGE.retry_delay(message.attempts)


def _next_due(message: KnownMessage, policy: Policy, now: float) -> float:
    """Return when a kept message falls due; infinity for one that a person has accepted to stay."""
    return float("inf") if message.is_accepted else policy.next_due(message.copied_at or now)


def make_plan(messages: Iterable[KnownMessage], policy: Policy, now: float) -> Plan:
    """Decide for a whole listing. What failed before comes last, so that it holds up nothing else."""
    plan, failed_before = Plan(), Column()
    for message in messages:
        plan.note(message)
        match step_for(message, policy, now):
            case Step.KEEP:
                plan.known += 1
                plan.settled_until = min(plan.settled_until, _next_due(message, policy, now))
            case Step.DELETE:
                plan.delete.append(message.number, message.row, message.octets)
            case Step.RETRIEVE:
                column = failed_before if message.failure else plan.retrieve
                column.append(message.number, message.row, message.octets)
            case Step.COMPLETE:
                plan.complete.append(message.number, message.row, message.octets)
            case Step.WAIT:
                plan.waiting.append(message.number, message.row, message.octets)
            case Step.SKIP_SIZE:
                plan.oversized.append(message.number, message.row, message.octets)
            case Step.SKIP_ACCEPTED:
                plan.accepted.append(message.number, message.row, message.octets)
            case _ as never:
                assert_never(never)
    plan.retrieve.extend(failed_before)
    if policy.limit is not None:
        plan.beyond_limit = plan.complete.cut(policy.limit) + plan.retrieve.cut(policy.limit - len(plan.complete))
    return plan
