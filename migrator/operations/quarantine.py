"""What was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.errors import ConfigError, Kind
from migrator.ledger.history import SetAside
from migrator.model import MessageRow
from migrator.policy import WhenCopyIsGone
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from pathlib import Path

    from migrator.config import Account
    from migrator.ledger import Ledger
    from migrator.ledger.archive import TakenOut


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one message: it is tried again at the next run of its account, or accepted as it is."""

    row: int
    account: str
    is_retried: bool


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The messages that are set aside now, and the decisions that were just taken."""

    messages: tuple[SetAside, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return the document of ``quarantine``."""
        return {"messages": [message.as_json() for message in self.messages]}


def review_quarantine(
    accounts: Sequence[Account],
    state_dir: Path,
    ledger: Ledger | None,
    *,
    retry: Sequence[int] = (),
    accept: Sequence[int] = (),
    now: float,
) -> Quarantine:
    """Retry or accept the messages with these numbers, then list what is set aside; the ledger is None where none is.

    Raises ``ConfigError`` for a number that is not set aside; then nothing was decided.
    """
    if ledger is None:
        _refuse_unknown([*retry, *accept], ())
        return Quarantine()
    names = [account.name for account in accounts]
    gone = {message.row: (account, message) for account, message in _taken_out(accounts, state_dir, ledger)}
    known: dict[int, SetAside] = {message.row: message for message in ledger.history.set_aside(names)}
    _refuse_unknown([*retry, *accept], known.keys() | gone.keys())
    accounts_of = {row: account for row, (account, _) in gone.items()} | {
        row: message.account for row, message in known.items()
    }
    for row in retry:
        ledger.history.retry(MessageRow(row))
    for row in accept:
        if row in known:
            ledger.history.accept(known[row].row, now)
        else:
            ledger.archive.accept_taken_out(gone[MessageRow(row)][1], now)
    aside = ledger.history.set_aside(names)
    known_rows = {message.row for message in aside}
    undecided = [_as_set_aside(*pair) for row, pair in gone.items() if row not in known_rows]
    return Quarantine(
        (*aside, *undecided),
        (
            *(Decision(row, accounts_of[row], is_retried=True) for row in retry),
            *(Decision(row, accounts_of[row], is_retried=False) for row in accept),
        ),
    )


def _taken_out(accounts: Sequence[Account], state_dir: Path, ledger: Ledger) -> Iterator[tuple[str, TakenOut]]:
    """Yield each account's messages that a person took out of a destination, where no setting decides on that."""
    for account in accounts:
        destinations = [destination_of(place, state_dir) for place in account.destinations]
        keeping = [one for one in destinations if one.when_copy_is_gone is WhenCopyIsGone.KEEP]
        labels = {one.identity: one.label for one in keeping}
        for message in ledger.archive.taken_out(account.name, list(labels)):
            yield account.name, replace(message, destination=labels[message.destination])


def _as_set_aside(account: str, message: TakenOut) -> SetAside:
    since = message.copied_at or 0.0
    return SetAside(
        message.row,
        account,
        message.unique_id,
        message.octets,
        Kind.MISMATCH,
        f"{message.reason}; the source keeps it",
        message.destination,
        1,
        since,
        since,
        is_accepted=False,
        digest=message.digest,
    )


def _refuse_unknown(rows: Sequence[int], known: Collection[int]) -> None:
    if strange := [row for row in rows if row not in known]:
        raise ConfigError(
            [f"{row}: no message with this number is set aside; see mailferry quarantine" for row in strange]
        )
