"""Take over from another program: log in once, import the mail that it stored, find out what need not be fetched again.

What the program noted decides nothing by itself. A message counts as known only where a copy of it was found, restored
to what the server sent, imported and proven (``migrator.adopting.recognising``); all others are retrieved by the first
run. Nothing is retrieved and nothing deleted here; what is known by its headers is retrieved once more before it goes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from migrator.adopting.finding import FoundAccount
from migrator.adopting.model import Program
from migrator.adopting.recognising import Copies, Owner, Shown, is_telling, owners_of
from migrator.adopting.restoring import restored
from migrator.errors import FerryError, Kind
from migrator.interchange.importer import Imported
from migrator.interchange.importing.items import FoundMessage, Item, LeftOut
from migrator.interchange.importing.sources import NO_MAIL, Sources
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.ledger import Ledger
from migrator.model import Digest, MessageNumber
from migrator.operations.import_mail import import_items
from migrator.policy import WhenCopyIsGone
from migrator.report import OnProgress, no_progress
from migrator.run.account_lock import owned_account
from migrator.wiring.account import destination_of, open_source

if TYPE_CHECKING:
    from migrator.config import Account
    from migrator.pop3.session import Session


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account of the other program beside ours that is to take its place, and what its maildrop has shown."""

    found: FoundAccount
    account: Account
    shown: Shown = field(default_factory=Shown)

    @property
    def owner(self) -> Owner:
        """What tells whose mail a copy is."""
        return Owner(self.account.name, self.found.old.marks, frozenset(self.shown.keys().values()))


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of one account: how many messages were stored, are known, are to be fetched by the next run.

    ``imported`` says how the import went; None in a dry run, where ``stored`` is what would be.
    """

    account: Account
    stored: int
    known: int
    to_fetch: int
    imported: Imported | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing that was found was left behind."""
        return self.imported is None or self.imported.is_complete

    def as_json(self, file: str) -> dict[str, object]:
        """Return the contract's object; ``file`` is where the account stands."""
        return {
            "name": self.account.name,
            "host": self.account.source.host,
            "username": self.account.source.username,
            "imported": self.stored,
            "known": self.known,
            "to_fetch": self.to_fetch,
            "file": file,
        }


def look(
    program: Program, candidate: Candidate, *, open_source: Callable[[Account], Session] = open_source
) -> Candidate:
    """Log in once, take the listing and the headers of what the program had fetched. Raises ``FerryError``."""
    session = open_source(candidate.account)
    with ExitStack() as stack:
        stack.callback(session.abandon)
        with closing(session.listing()) as listing:
            messages = tuple(listing)
        fetched = candidate.found.fetched
        asked = [one.number for one in messages if is_telling(one) and program.noted(one.unique_id) in fetched]
        headers = {}
        try:
            headers = {number: facts for number, facts in session.top(asked) if not isinstance(facts, FerryError)}
        except FerryError as error:
            if error.kind is not Kind.REFUSED:
                raise  # else the server has no TOP: everything is retrieved, and digests tell
        session.quit()
    return replace(candidate, shown=Shown(messages, headers))


@dataclass(frozen=True, slots=True)
class TakeOver:
    """One taking over of accounts that were looked at; they may share the places where the program put mail."""

    program: Program
    candidates: Sequence[Candidate]
    state_dir: Path
    ledger_place: Path | str
    clock: Callable[[], float] = time.time
    on_progress: OnProgress = no_progress

    def preview(self, candidate: Candidate) -> Adopted:
        """Say what taking over this account would do; changes nothing."""
        copies, digests = Copies(), set[Digest]()
        with TemporaryDirectory(prefix="mailferry-") as spool:
            for item in self._items(candidate, copies, Path(spool)):
                if isinstance(item, FoundMessage):
                    digests.add(item.message.digest)
        known = {number for number, _ in self._recognised(candidate, copies)}
        with closing(Ledger.open_dry(self.ledger_place)) as ledger:
            known |= _known(ledger, candidate.account, candidate.shown, self.state_dir)
        return Adopted(candidate.account, len(digests), len(known), len(candidate.shown.listing) - len(known))

    def take_over(self, candidate: Candidate, ledger: Ledger) -> Adopted:
        """Import what the program stored, each message once and proven, and note what that makes known."""
        account, copies = candidate.account, Copies()
        items = self._items(candidate, copies, self.state_dir / "spool")
        imported = import_items(items, account, self.state_dir, ledger, clock=self.clock, on_progress=self.on_progress)
        with owned_account(ledger, self.state_dir, account.name):
            pairs = self._recognised(candidate, copies)
            known = _noted(ledger, account, candidate.shown, pairs, self.state_dir, self.clock())
        to_fetch = len(candidate.shown.listing) - len(known)
        return Adopted(account, imported.copied, len(known), to_fetch, imported)

    def _recognised(self, candidate: Candidate, copies: Copies) -> list[tuple[MessageNumber, Digest]]:
        return copies.recognised(candidate.shown, candidate.found.fetched, self.program.noted)

    def _items(self, candidate: Candidate, copies: Copies, spool: Path) -> Iterator[Item]:
        """Yield the account's mail as its server sent it, as far as that is known; each message joins the copies."""
        sources = Sources(None, spool)
        for store in candidate.found.stores:
            sharing = [one.owner for one in self.candidates if store in one.found.stores]
            for item in sources.found(store):
                if isinstance(item, LeftOut) and item.reason == NO_MAIL:
                    continue  # nothing was delivered there yet
                if not isinstance(item, FoundMessage):
                    yield item
                    continue
                is_record = item.place.rpartition(":")[2].isdecimal()
                copy = restored(item.message, self.program, is_record=is_record)
                if candidate.account.name in owners_of(copy, sharing):
                    copies.add(copy, str(store))
                    yield replace(item, message=copy.message)


def _noted(
    ledger: Ledger,
    account: Account,
    shown: Shown,
    pairs: Iterable[tuple[MessageNumber, Digest]],
    state_dir: Path,
    now: float,
) -> set[MessageNumber]:
    """Note the listing, and of which messages a proven copy was found; returns those that are known now."""
    maildrop = ledger.maildrop(account.name, account.source.host, account.source.port, account.source.username)
    maildrop.match(shown.listing)
    maildrop.note(now)
    maildrop.taken_over(list(pairs), _destinations(ledger, account, state_dir), now)
    return _known(ledger, account, shown, state_dir)


def _known(ledger: Ledger, account: Account, shown: Shown, state_dir: Path) -> set[MessageNumber]:
    """Return the listed messages that no destination lacks."""
    maildrop = ledger.maildrop(account.name, account.source.host, account.source.port, account.source.username)
    maildrop.match(shown.listing)
    destinations = _destinations(ledger, account, state_dir)
    return {message.number for message in maildrop.listed(destinations) if message.is_settled}


def _destinations(ledger: Ledger, account: Account, state_dir: Path) -> dict[int, WhenCopyIsGone]:
    destinations: dict[int, WhenCopyIsGone] = {}
    for place in account.destinations:
        with closing(destination_of(place, state_dir)) as destination:
            copies = ledger.copies(destination.identity, destination.kind)
            destinations[copies.destination_id] = destination.when_copy_is_gone
    return destinations
