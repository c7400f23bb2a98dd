"""What was deleted at a source: when, which message, what confirmed it, and where its copies are now.

The ledger's log is read as it stands, for accounts that are configured no more as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.config import values
from migrator.config.problems import nearest
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.receipts import Deletion, Filter, KeptCopy
from migrator.operations.envelopes import UNKNOWN, Envelope, envelopes_in
from migrator.report import shown_unique_id
from migrator.wiring.account import destination_of

if TYPE_CHECKING:
    from migrator.config import Config
    from migrator.ledger import Ledger

SHORTEST_DIGEST = 8
"""Hexadecimal digits of a digest by which messages may be asked for."""

_DIGEST_DIGITS = 64


@dataclass(frozen=True, slots=True)
class ReceiptCopy:
    """Where one copy is. ``state`` is ``""`` where only the log knows of it, from the day of the deletion."""

    destination: str
    where: str
    verified_at: float | None
    state: str

    def as_json(self) -> dict[str, object]:
        """Return the copy's object; ``verified_at`` is null where it was never read again."""
        return {
            "destination": self.destination,
            "where": self.where,
            "verified_at": None if self.verified_at is None else _moment(self.verified_at),
            "state": self.state or None,
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """One deletion that a source has confirmed."""

    deletion: Deletion
    envelope: Envelope
    copies: tuple[ReceiptCopy, ...]

    @property
    def confirmed_by(self) -> str:
        """What confirmed it: ``quit``, the reply to QUIT, or ``listing``, the next one, which lacked the message."""
        return "quit" if self.deletion.confirmed_by.startswith("QUIT") else "listing"

    @property
    def reply(self) -> str:
        """What the server answered to QUIT; empty where that did not confirm it."""
        return self.deletion.confirmed_by.removeprefix("QUIT:").strip() if self.confirmed_by == "quit" else ""

    @property
    def deleted_at(self) -> str:
        """When it was confirmed, as RFC 3339 has it."""
        return _moment(self.deletion.deleted_at)

    def as_json(self) -> dict[str, object]:
        """Return the receipt's object."""
        deletion = self.deletion
        return {
            "account": deletion.account,
            "host": deletion.host,
            "username": deletion.username,
            "unique_id": shown_unique_id(deletion.unique_id),
            "digest": deletion.digest.hex(),
            "octets": deletion.octets,
            **self.envelope.as_json(),
            "deleted_at": self.deleted_at,
            "confirmed_by": self.confirmed_by,
            "reply": self.reply or None,
            "copies": [copy.as_json() for copy in self.copies],
        }


def parse_since(written: str, now: float) -> float:
    """Return the moment that a day, a time or an age means; raises ``ConfigError``. A day begins here, at midnight."""
    try:
        return now - values.duration(written).total_seconds()
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError):
        how = 'a day such as 2026-05-31, or an age such as "7 days"'
        raise ConfigError([f'--since: "{written}" must be {how}']) from None


def parse_digest(written: str) -> tuple[bytes, bytes]:
    """Return the first and the last digest that begin like this; raises ``ConfigError``."""
    digits = written.strip().lower()
    is_hex = bool(digits) and not digits.strip("0123456789abcdef")
    if not is_hex or not SHORTEST_DIGEST <= len(digits) <= _DIGEST_DIGITS:
        raise ConfigError([f'--digest: "{written}" must be {SHORTEST_DIGEST} to {_DIGEST_DIGITS} hexadecimal digits'])
    return bytes.fromhex(digits.ljust(_DIGEST_DIGITS, "0")), bytes.fromhex(digits.ljust(_DIGEST_DIGITS, "f"))


def read_receipts(
    config: Config,
    ledger: Ledger,
    *,
    accounts: Sequence[str] = (),
    since: float | None = None,
    digests: tuple[bytes, bytes] | None = None,
) -> Iterator[Receipt]:
    """Yield the receipts that were asked for, oldest first, in flat memory.

    Raises ``ConfigError``, at once, for an account that neither the configuration nor the log knows.
    """
    known = {account.name for account in config.accounts}.union(ledger.receipts.accounts() if accounts else ())
    if strange := [name for name in accounts if name not in known]:
        raise ConfigError([f'there is no account "{name}"{nearest(name, known)}' for name in strange])
    return every_receipt(config, ledger, Filter(tuple(accounts), since, None, digests))


def every_receipt(config: Config, ledger: Ledger, wanted: Filter) -> Iterator[Receipt]:
    """Yield the receipts that a filter lets through, oldest first, in flat memory."""
    return _read(config, ledger.receipts.deletions(wanted))


def newest_receipts(
    config: Config, ledger: Ledger, wanted: Filter, limit: int, before: int | None = None
) -> list[Receipt]:
    """Return a page of receipts, newest first; ``before`` is the number of the last one of the page before."""
    return list(_read(config, ledger.receipts.newest(wanted, limit, before)))


def numbered_receipt(config: Config, ledger: Ledger, number: int) -> Receipt | None:
    """Return the receipt of the deletion that has this place in the log, None where there is none."""
    deletion = ledger.receipts.numbered(number)
    return None if deletion is None else next(_read(config, [deletion]))


def _read(config: Config, deletions: Iterable[Deletion]) -> Iterator[Receipt]:
    labels = labels_in(config)
    with envelopes_in(config.state_dir) as lookup:
        for deletion in deletions:
            envelope = lookup([deletion.digest]).get(deletion.digest, UNKNOWN)
            copies = [as_named(copy, labels) for copy in deletion.copies]
            yield Receipt(deletion, envelope, tuple(copies))


def labels_in(config: Config) -> dict[str, str]:
    """Return what a person calls the destinations that are configured, by their identities."""
    places = [destination_of(place, config.state_dir) for account in config.accounts for place in account.destinations]
    return {place.identity: place.label for place in places}


def as_named(copy: KeptCopy, labels: Mapping[str, str]) -> ReceiptCopy:
    """Return a copy with its place in words; ``labels`` are what destinations are called, by their identities."""
    kind, _, place = copy.destination.partition(":")
    label = labels.get(copy.destination, f"{kind} {place}")
    return ReceiptCopy(label, _where(copy), copy.verified_at, copy.state)


def _where(copy: KeptCopy) -> str:
    """Say where in its destination a copy stands."""
    if copy.volume is not None:
        return f"{copy.volume}, offset {copy.offset}, {copy.length} octets"
    if copy.file is not None:
        return f"file {copy.file}"
    if copy.uid is not None:
        return f"UIDVALIDITY {copy.uid_validity}, UID {copy.uid}"
    return "a place that is not known any more"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
