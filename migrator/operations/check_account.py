"""Log in at every end of accounts and learn what it offers; nothing is changed anywhere.

A server gets no more connections at one time than a run would give it: what is found is of the accounts, and never of
how many of them were asked at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import ImapDestination
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass, replace
from migrator.run.host_limits import HostLimits
from migrator.wiring.account import connections_allowed, destination_of, label_of, open_source

if TYPE_CHECKING:
    from migrator.config import Account, Destination
    from migrator.findings.model import Finding
    from migrator.pop3.session import Session

AT_ONCE = 8
_AWAY = frozenset({"archive-missing", "archive-read-only"})

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
    def errors(self) -> tuple[FerryError, ...]:
        """Why the ends that do not answer do not."""
        return tuple(end.error for end in (self.source, *self.destinations) if end.error is not None)

    @property
    def is_ok(self) -> bool:
        """Whether every end answered."""
        return not self.errors

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
    hosts, stop = HostLimits(connections_allowed(accounts)), threading.Event()

    def check(account: Account) -> CheckedAccount:
        source = partial(_source_facts, account, open_source, hosts, stop)
        ends = [partial(_destination_facts, place, state_dir, hosts, stop) for place in account.destinations]
        return CheckedAccount(
            account.name,
            _answer(f"{account.source.username} at {account.source.host}", source),
            tuple(_answer(label_of(place), end) for place, end in zip(account.destinations, ends, strict=True)),
        )

    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="check") as pool:
        return list(pool.map(check, accounts))


def with_what_is_known(account: CheckedAccount, findings: Sequence[Finding]) -> CheckedAccount:
    """Return an account whose folders are as they are known: one that is away fails, though it could be made again."""
    away = [one for one in findings if one.id in _AWAY and account.name in one.accounts]
    ends = (
        _known_as(end, next((one for one in away if one.is_about(end.label)), None)) for end in account.destinations
    )
    return replace(account, destinations=tuple(ends))


def _known_as(end: CheckedEnd, finding: Finding | None) -> CheckedEnd:
    if finding is None or end.error is not None:
        return end
    return CheckedEnd(end.label, {}, FerryError(Kind.ARCHIVE, finding.text, cure=finding.cure.text, finding=finding.id))


def _answer(label: str, look: Callable[[], Facts]) -> CheckedEnd:
    try:
        return CheckedEnd(label, look())
    except FerryError as error:
        return CheckedEnd(label, {}, error)


def _source_facts(
    account: Account, open_source: Callable[[Account], Session], hosts: HostLimits, stop: threading.Event
) -> Facts:
    with hosts.place(account.source.endpoint, stop) as place, ExitStack() as stack:
        session = place.open(partial(open_source, account))
        stack.callback(session.abandon)
        stat = session.listing().stat  # a server may answer STAT, and refuse to list
        session.quit()
    return {"messages": stat.count, "bytes": stat.octets, "capabilities": _offered(session)}


def _offered(session: Session) -> list[str]:
    return [" ".join((name, *words)) for name, words in sorted(session.capabilities.entries.items())]


def _destination_facts(end: Destination, state_dir: Path, hosts: HostLimits, stop: threading.Event) -> Facts:
    with closing(destination_of(end, state_dir)) as destination:
        if not isinstance(end, ImapDestination):
            return destination.probe()
        with hosts.place(end.endpoint, stop) as place:
            return place.open(destination.probe)
