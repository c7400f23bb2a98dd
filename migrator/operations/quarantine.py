"""What was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, Kind
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.ledger.copies import reaches
from migrator.ledger.history import SetAside
from migrator.model import CopyState, MessageRow
from migrator.operations.envelopes import UNKNOWN, Envelope, envelopes_in
from migrator.policy import GONE, WhenCopyIsGone
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config import Account
    from migrator.ledger import Ledger
    from migrator.ledger.archive import DoubtfulMessage
    from migrator.model import Digest


@dataclass(frozen=True, slots=True)
class Every:
    """All that is set aside, or all of one kind; with ``is_gone`` those of which a person took a copy out."""

    kind: Kind | None = None
    is_gone: bool = False

    @classmethod
    def of(cls, word: str) -> Every:
        """Return all of a kind, by the word for it; raises ``ValueError`` for another word."""
        return cls(Kind.MISMATCH, is_gone=True) if word == GONE else cls(Kind(word))

    def means(self, message: SetAside) -> bool:
        """Say whether a message is among these."""
        return (self.kind is None or message.kind is self.kind) and (message.is_gone or not self.is_gone)


_NUMBER = re.compile(r"(\d[\d,]*)")

Choice = Sequence[int] | Every
"""Which messages a decision is about: by their numbers, or all."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one message: it is tried again at the next run of its account, or accepted as it is."""

    row: int
    account: str
    is_retried: bool


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The messages that are set aside now, what is known of them, and the decisions that were just taken."""

    messages: tuple[SetAside, ...] = ()
    decisions: tuple[Decision, ...] = ()
    envelopes: Mapping[Digest, Envelope] = field(default_factory=dict)

    def envelope(self, message: SetAside) -> Envelope:
        """Return what is known of a message that was retrieved once."""
        return UNKNOWN if message.digest is None else self.envelopes.get(message.digest, UNKNOWN)

    def as_json(self) -> dict[str, object]:
        """Return the document of ``quarantine``."""
        return {"messages": [message.as_json() | self.envelope(message).as_json() for message in self.messages]}


def alike(messages: Sequence[SetAside]) -> list[list[SetAside]]:
    """Return the messages in groups: those of one account, destination, kind and reason, decided alike, are one.

    Reasons that differ in numbers only, as in that of the message or in its octets, are one reason.
    """
    groups: dict[tuple[object, ...], list[SetAside]] = {}
    for one in messages:
        key = (one.account, one.destination, one.kind, _NUMBER.sub("N", one.text), one.is_accepted)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def shared_reason(group: Sequence[SetAside]) -> str:
    """Return the reason of messages that are alike, without its cure; ``N`` is for each number in which they differ."""
    parts = zip(*(_NUMBER.split(one.reason) for one in group), strict=True)
    return "".join(part[0] if len(set(part)) == 1 else "N" for part in parts)


def review_quarantine(
    accounts: Sequence[Account],
    state_dir: Path,
    ledger: Ledger | None,
    *,
    retry: Choice = (),
    accept: Choice = (),
    now: float,
) -> Quarantine:
    """Retry or accept the messages chosen, then list what is set aside; the ledger is None where none is.

    Raises ``ConfigError`` for a number that is not set aside; then nothing was decided. To accept ``Every`` message
    leaves those alone that are accepted already; to retry it takes an acceptance back.
    """
    if ledger is None:
        _refuse_unknown([*_numbers(retry), *_numbers(accept)], {})
        return Quarantine()
    review = _Review(accounts, state_dir, ledger)
    decisions = review.decided(retry, accept)
    for decision in decisions:
        review.note(decision, now)
    messages = tuple(review.messages())
    with envelopes_in(state_dir) as lookup:
        known = lookup([message.digest for message in messages if message.digest is not None])
    return Quarantine(messages, tuple(decisions), known)


def _numbers(choice: Choice) -> Sequence[int]:
    return () if isinstance(choice, Every) else choice


class _Review:
    """What is set aside for some accounts: in the ledger's history, or because a copy is altered or was taken out."""

    def __init__(self, accounts: Sequence[Account], state_dir: Path, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names = [account.name for account in accounts]
        self._doubtful = {message.row: (name, message) for name, message in _doubtful(accounts, state_dir, ledger)}

    def messages(self) -> list[SetAside]:
        """Return all of it, as the ledger has it now."""
        aside = [replace(one, is_gone=self._is_gone(one.row)) for one in self._ledger.history.set_aside(self._names)]
        known = {message.row for message in aside}
        return [*aside, *(_as_set_aside(*pair) for row, pair in self._doubtful.items() if row not in known)]

    def _is_gone(self, row: MessageRow) -> bool:
        return row in self._doubtful and self._doubtful[row][1].state is CopyState.GONE

    def decided(self, retry: Choice, accept: Choice) -> list[Decision]:
        """Return what a choice decides; raises ``ConfigError`` where there is nothing to decide."""
        known: dict[int, SetAside] = {message.row: message for message in self.messages()}
        _refuse_unknown([*_numbers(retry), *_numbers(accept)], known)
        self._refuse_in_vain(_numbers(retry), known)
        if isinstance(retry, Every):
            retry = [row for row, one in known.items() if retry.means(one) and not self._is_in_vain(one)]
        if isinstance(accept, Every):
            accept = [row for row, one in known.items() if accept.means(one) and not one.is_accepted]
        return [
            *(Decision(row, known[row].account, is_retried=True) for row in retry),
            *(Decision(row, known[row].account, is_retried=False) for row in accept),
        ]

    def _is_in_vain(self, message: SetAside) -> bool:
        """Say whether no run would try again: the copy was taken out, or the source lists the message no more."""
        if message.is_accepted or message.row not in self._doubtful:
            return False
        return message.is_gone or not self._doubtful[message.row][1].is_listed

    def _refuse_in_vain(self, retry: Sequence[int], known: Mapping[int, SetAside]) -> None:
        if vain := [row for row in retry if self._is_in_vain(known[row])]:
            raise ConfigError([f"{row}: {self._why_in_vain(row)}; --accept {row} leaves it so" for row in vain])

    def _why_in_vain(self, row: int) -> str:
        if self._is_gone(MessageRow(row)):
            return 'somebody took its copy out, which only when_copy_is_gone = "restore" stores again'
        return "its source no longer lists it, so there is nothing to try again"

    def note(self, decision: Decision, now: float) -> None:
        """Write a decision down."""
        row = MessageRow(decision.row)
        if decision.is_retried:
            self._ledger.history.retry(row)
        elif row in self._doubtful:
            self._ledger.archive.accept_doubtful(self._doubtful[row][1], now)
        else:
            self._ledger.history.accept(row, now)


def _doubtful(accounts: Sequence[Account], state_dir: Path, ledger: Ledger) -> Iterator[tuple[str, DoubtfulMessage]]:
    """Yield each account's messages of which a copy is altered or was taken out, where no setting decides on that."""
    if not ledger.archive.has_doubtful():
        return
    for account in accounts:
        places = {one.identity: one for one in (destination_of(each, state_dir) for each in account.destinations)}
        for message in ledger.archive.doubtful(account.name, list(places)):
            place = places[message.destination]
            if message.state is CopyState.UNPROVEN:
                is_decided = reaches(message.proof, place.required_proof)
            else:
                is_decided = place.when_copy_is_gone is not WhenCopyIsGone.KEEP
            if not is_decided:
                yield account.name, replace(message, destination=place.label)


def _as_set_aside(account: str, message: DoubtfulMessage) -> SetAside:
    is_altered = message.state is CopyState.UNPROVEN
    reason = f"the copy is altered: {message.reason}" if is_altered else message.reason
    keeps = "the source keeps it" if message.is_listed else "the source no longer lists it"
    return SetAside(
        message.row,
        account,
        message.unique_id,
        message.octets,
        Kind.UNPROVEN if is_altered else Kind.MISMATCH,
        f"{reason}; {keeps}",
        message.destination,
        1,
        message.first_seen,
        message.first_seen,
        is_accepted=False,
        digest=message.digest,
        is_gone=message.state is CopyState.GONE,
    )


def _refuse_unknown(rows: Sequence[int], known: Mapping[int, SetAside]) -> None:
    if strange := [row for row in rows if row not in known]:
        raise ConfigError(
            [f"{row}: no message with this number is set aside; see mailferry quarantine" for row in strange]
        )
