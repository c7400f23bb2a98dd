"""Add an account: its server, one log-in to look, one message copied and proven, and then its file.

Nothing is written before the log-in and the copy have worked, and nothing is deleted at the source here, whatever the
account's policy says: that begins with the first run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import FolderDestination
from migrator.config.new_account import Site, write_account
from migrator.config.secrets import FileSecret, TextSecret
from migrator.discovery import Address, Found, Origin
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.model import MessageNumber
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.operations.kept_secrets import Keeper, Keeping
from migrator.parse.headers import headers
from migrator.policy import Keep
from migrator.report import AccountReport, Status
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from migrator.wiring.account import RunLimits, job_of, open_source
from migrator.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.pop3.session import Session

NEWEST = 3
"""How many subjects are shown."""

Raw = Mapping[str, object]
Password = Raw | TextSecret
"""Where a password comes from, as the configuration writes it, or one that a person typed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An account that is not written yet. Passwords that were typed stand in it as secrets."""

    site: Site
    name: str
    source: Raw
    password: Password
    places: Sequence[Raw]
    place_passwords: Sequence[Password] = field(default=())
    """Those of the IMAP destinations, in their order."""

    def checked(self) -> tuple[Config, Account]:
        """Return the configuration with this account, nothing written; raises ``ConfigError``."""
        passwords = iter(self.place_passwords)
        places = [
            {**place, "password": next(passwords)} if place["type"] == "imap" else dict(place) for place in self.places
        ]
        return self.site.with_account(self._table({**self.source, "password": self.password}, places))

    def write(self, keeping: Callable[[ExitStack], Keeping] | None = None) -> Path:
        """Write the account and the passwords that were typed, and return its file: all of it, or nothing.

        ``keeping`` makes what keeps them; without it they go to the keyring, or to files beside the account.
        """
        config, account = self.checked()
        if keeping is not None:
            return write_account(self.site, config, account, lambda _, undo: self._filled(keeping(undo)))
        used = {secret.path for one in config.accounts for secret in one.secrets() if isinstance(secret, FileSecret)}
        return write_account(self.site, config, account, lambda home, undo: self._filled(Keeper(home, undo, used)))

    def _filled(self, keeper: Keeping) -> Raw:
        password = _reference(self.password, self.name, str(self.source["username"]), keeper)
        passwords = iter(self.place_passwords)
        places: list[Raw] = []
        for place in self.places:
            if place["type"] == "imap":
                label = f"{self.name}-imap{len(places) or ''}"
                kept = _reference(next(passwords), label, str(place["username"]), keeper)
                places.append({**place, "password": kept})
            else:
                places.append(place)
        return self._table({**self.source, "password": password}, places)

    def _table(self, source: Raw, places: Sequence[Raw]) -> Raw:
        return {"name": self.name, "source": source, "destinations": list(places)}


def _reference(password: Password, label: str, username: str, keeper: Keeping) -> Raw:
    return keeper.keep(label, username, password.value) if isinstance(password, TextSecret) else password


@dataclass(frozen=True, slots=True)
class Look:
    """What a maildrop shows at the first log-in; the subjects are those of the newest messages, the newest first."""

    messages: int
    octets: int
    subjects: tuple[str, ...]


def given_server(address: Address, host: str, port: int | None, tls: TlsMode, service: Service) -> Found:
    """Return a server that a person names: nobody needs to be asked, and nobody to agree."""
    usual = {Service.POP3: (995, 110), Service.IMAP: (993, 143)}[service]
    port = port or usual[tls is not TlsMode.IMPLICIT]
    return Found(host, port, tls, str(address), Origin.GIVEN, "was named by you", is_trusted=True)


def name_for(address: Address) -> str:
    """Return what an account is called where nobody says it: the address, in characters that a name may have."""
    return "".join(character if character.isalnum() or character in "._-@" else "_" for character in str(address))


def source_keys(found: Found, leave_on_server: str | None) -> dict[str, object]:
    """Return the source's table, without its password."""
    keys: dict[str, object] = {
        "host": found.host,
        "port": found.port,
        "tls": str(found.tls),
        "username": found.username,
    }
    if found.auth != "auto":
        keys["auth"] = found.auth
    if leave_on_server is not None:
        keys["leave_on_server"] = {"true": True, "false": False}.get(leave_on_server.lower(), leave_on_server)
    return keys


def look(account: Account, *, open_source: Callable[[Account], Session] = open_source) -> Look:
    """Log in once and see what is there; nothing is changed. Raises ``FerryError``."""
    session = open_source(account)
    with ExitStack() as stack:
        stack.callback(session.abandon)
        stat = session.stat()
        newest = [MessageNumber(number) for number in range(stat.count, max(0, stat.count - NEWEST), -1)]
        subjects: tuple[str, ...] = ()
        with suppress(FerryError):  # a server without TOP, or a message that is gone: the numbers are what counts
            shown = session.header_texts(newest)
            subjects = tuple(headers(shown[number]).subject for number in newest if number in shown)
            session.quit()
    return Look(stat.count, stat.octets, subjects)


def copy_some(account: Account, config: Config, effects: Effects, messages: int = 1) -> AccountReport:
    """Copy one message, or a few, and prove them, by an ordinary run with one log-in that deletes nothing.

    A folder that was made for it and stays empty is removed.
    """
    source = replace(account.source, leave_on_server=Keep())
    paths = [place.path for place in account.destinations if isinstance(place, FolderDestination)]
    made = [path for path in paths if not path.exists()]
    try:
        with closing(open_ledger(config)) as ledger:
            job = job_of(replace(account, source=source), config.state_dir, RunLimits(messages=messages, logins=1))
            [report] = run_accounts([job], ledger, effects)
    finally:
        for path in made:
            with suppress(OSError):  # there is something in it
                path.rmdir()
    return report


def has_proven(report: AccountReport) -> bool:
    """Say whether the copy did what it was for: a message was proven, or there was none to copy."""
    return not report.interrupted and (report.status is Status.OK or report.verified > 0)


def failure_of(report: AccountReport) -> FerryError:
    """Return why the copy has failed."""
    problem = report.problems[0] if report.problems else None
    if problem is None:
        return FerryError(Kind.INTERNAL, f"{report.name}: nothing was copied")
    message = problem.message.removesuffix(f"; {problem.cure}") if problem.cure else problem.message
    return FerryError(problem.kind, message, cure=problem.cure, finding=problem.finding)
