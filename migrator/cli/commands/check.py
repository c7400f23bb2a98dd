"""``mailferry check``: log in at every end and show what it offers; change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.context import configuration, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.errors import FerryError
from migrator.pop3.session import open_session
from migrator.ui.console import Console, Style
from migrator.ui.text import plain, plural, size
from migrator.wiring.account import destination_of, label_of, source_of

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config, Destination

AT_ONCE = 8

Facts = dict[str, object]


@dataclass(frozen=True, slots=True)
class End:
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
class Checked:
    """One account, looked at."""

    name: str
    source: End
    destinations: tuple[End, ...]

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


def run(arguments: Namespace, screen: Console) -> int:
    """Look at every end of the accounts asked for, several at once."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    with_passwords(config, accounts)
    checked = looked_at(accounts, config)
    if screen.is_json:
        screen.document({"accounts": [account.as_json() for account in checked]})
    for account in checked:
        _show(account, screen)
    return DONE if all(account.is_ok for account in checked) else NOT_ALL_DONE


def looked_at(accounts: Sequence[Account], config: Config) -> list[Checked]:
    """Look at every end of these accounts, several at once."""
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="check") as pool:
        return list(pool.map(lambda account: _look(account, config.state_dir), accounts))


def _look(account: Account, state_dir: Path) -> Checked:
    source = _answered(f"{account.source.username} at {account.source.host}", partial(_source_facts, account))
    places = account.destinations
    return Checked(
        account.name,
        source,
        tuple(_answered(label_of(place), partial(_destination_facts, place, state_dir)) for place in places),
    )


def _answered(label: str, look: Callable[[], Facts]) -> End:
    try:
        return End(label, look())
    except FerryError as error:
        return End(label, {}, error)


def _source_facts(account: Account) -> Facts:
    session = open_session(source_of(account), account.source.password.reveal)
    with ExitStack() as stack:
        stack.callback(session.abandon)
        stat = session.stat()
        session.quit()
    return {"messages": stat.count, "bytes": stat.octets, "capabilities": sorted(session.capabilities.entries)}


def _destination_facts(place: Destination, state_dir: Path) -> Facts:
    with closing(destination_of(place, state_dir)) as destination:
        return destination.probe()


def _show(account: Checked, screen: Console) -> None:
    verdict = screen.styled("ok", Style.GOOD) if account.is_ok else screen.styled("FAILED", Style.BAD)
    if not screen.is_quiet or not account.is_ok:
        screen.result(f"{account.name}: {verdict}")
    for end in (account.source, *account.destinations):
        if end.error is not None:
            screen.result(plain(f"  {end.label}: [{end.error.kind}] {end.error}"))
        elif not screen.is_quiet:
            screen.result(plain(f"  {end.label}: {_in_words(end.facts)}"))


_NOT_TOLD = ("path", "folder", "capabilities", "uidnext", "uidvalidity")
_SIZES = ("bytes", "free_bytes", "append_limit", "quota_used", "quota_limit")
_NAMES = {
    "bytes": "in all",
    "free_bytes": "room on the disk",
    "append_limit": "largest message",
    "quota_used": "quota used",
    "quota_limit": "of",
}


def _in_words(facts: Facts) -> str:
    """Return what an end offers as a person reads it; its name stands before, its capabilities (many) come last."""
    words = [_fact(name, value) for name, value in facts.items() if name not in _NOT_TOLD]
    offered = facts.get("capabilities")
    if isinstance(offered, list):
        words.append(f"offers {' '.join(map(str, offered)) or 'nothing beyond the oldest commands'}")
    return ", ".join(words)


def _fact(name: str, value: object) -> str:
    if name in ("exists", "writable"):
        word = {"exists": ("is there", "will be made"), "writable": ("can be written", "CANNOT BE WRITTEN")}[name]
        return word[0] if value else word[1]
    if name in _SIZES and isinstance(value, int):
        return f"{size(value)} {_NAMES[name]}" if name in ("bytes", "free_bytes") else f"{_NAMES[name]} {size(value)}"
    return plural(value, name.removesuffix("s")) if isinstance(value, int) else f"{name} {value}"
