"""Log in at every end of accounts and learn what it offers; nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import FerryError
from migrator.wiring.account import destination_of, label_of, open_source

if TYPE_CHECKING:
    from migrator.config import Account, Destination
    from migrator.pop3.session import Session

AT_ONCE = 8

Facts = dict[str, object]


@dataclass(frozen=True, slots=True)
class CheckedEnd:
    """One end of an account: what it offers, or why it does not answer."""

    label: str
    facts: Facts
    error: FerryError | None = None

    def as_json(self) -> Facts:
        """Return one object; ``status`` is ``ok`` or ``failed``, the error has the form of ``migrate --json``."""
        if self.error is None:
            return {"label": self.label, "status": "ok", **self.facts}
        return {"label": self.label, "status": "failed", "kind": str(self.error.kind), "message": str(self.error)}


@dataclass(frozen=True, slots=True)
class CheckedAccount:
    """One account with all its ends."""

    name: str
    source: CheckedEnd
    destinations: tuple[CheckedEnd, ...]

    @property
    def is_ok(self) -> bool:
        """Whether every end answered."""
        return all(end.error is None for end in (self.source, *self.destinations))

    def as_json(self) -> Facts:
        """Return the account's object."""
        return {
            "name": self.name,
            "status": "ok" if self.is_ok else "failed",
            "source": self.source.as_json(),
            "destinations": [end.as_json() for end in self.destinations],
        }


def check_accounts(
    accounts: Sequence[Account], state_dir: Path, *, open_source: Callable[[Account], Session] = open_source
) -> list[CheckedAccount]:
    """Log in at every end of these accounts, ``AT_ONCE`` accounts at a time; an end that fails says so in its place."""

    def check(account: Account) -> CheckedAccount:
        return CheckedAccount(
            account.name,
            _answer(f"{account.source.username} at {account.source.host}", lambda: _source_facts(open_source(account))),
            tuple(
                _answer(label_of(place), partial(_destination_facts, place, state_dir))
                for place in account.destinations
            ),
        )

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="check") as pool:
        return list(pool.map(check, accounts))


def _answer(label: str, look: Callable[[], Facts]) -> CheckedEnd:
    try:
        return CheckedEnd(label, look())
    except FerryError as error:
        return CheckedEnd(label, {}, error)


def _source_facts(session: Session) -> Facts:
    with ExitStack() as stack:
        stack.callback(session.abandon)
        stat = session.stat()
        session.quit()
    return {"messages": stat.count, "bytes": stat.octets, "capabilities": sorted(session.capabilities.entries)}


def _destination_facts(place: Destination, state_dir: Path) -> Facts:
    with closing(destination_of(place, state_dir)) as destination:
        return destination.probe()
