"""A small office that has run mailferry for a month: real runs against a scripted server, and then a real ``run`` with its page.

What the pages show of it is what the program wrote itself: thirty days of runs under a clock that is passed in, letters
of the demo, one bad night of a server, and two messages that a server does not give. Nothing is written past the program.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from jobs.web.store import WebStore
from migrator.config import Account, load
from migrator.config.new_account import account_text
from migrator.demo.samples import ordinary_letters
from migrator.ledger import Ledger
from migrator.run.accounts import run_accounts
from migrator.run.context import Effects
from migrator.wiring.account import job_of
from tests.browser import Browser
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import Wire, one
from tests.servers.service_manager import ServiceManager
from tests.unit.jobs.web.mail import letter

DAY = 24 * 3600.0
LANGUAGES = {"English", "German", "French", "Spanish", "Portuguese", "Italian", "Swedish", "Polish"}
"""Those that the fonts of any machine have: the pages are photographed."""
DAYS = 30
NEWSLETTER = letter(
    "Spring offers for your office",
    '<h2>Spring offers</h2><p>New chairs, and they do not squeak. <a href="https://shop.example.net/">To the shop</a></p>'
    '<img src="https://pictures.example.net/chair.png" alt="A chair">',
    "New chairs, and they do not squeak: https://shop.example.net/",
)
WITHHELD = (
    letter("Minutes of the founders' meeting", text="The server has lost the body of this one."),
    letter("Scan of the old contract", text="And of this one."),
)

ACCOUNT = """
[[accounts]]
name = "{name}"
[accounts.source]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{name}"
password = "{password}"
leave_on_server = {leave}
[[accounts.destinations]]
type = "mbox"
path = "archive/{name}"
"""

ACCOUNTS: Mapping[str, str] = {
    "office": "false",
    "anna": "true",
    "invoices": '"30 days"',
    "martin": "true",
}
"""Their names, and what is left on the server."""
OWN = "martin"
"""Whose file is the page's to change."""


class Withheld(Fault):
    """The server says that some messages are there, and gives them to nobody."""

    def instead(self, session: Session, command: Command) -> Wire | None:
        message = session.existing(command.number) if command.verb == "RETR" else None
        return one(b"-ERR the message file cannot be opened") if message and message.content in WITHHELD else None


class DownAtNight(Fault):
    """Nobody is let in while ``is_down``."""

    is_down = False

    def refusal(self, session: Session) -> bytes | None:
        return b"[SYS/TEMP] the mail store is being repaired" if self.is_down else None


@dataclass(frozen=True, slots=True)
class SampleOffice:
    """The office at work, and who may sign in: each with ``PASSWORD``."""

    folder: Path
    manager: ServiceManager
    maildrops: Mapping[str, Maildrop]
    server: Pop3Server
    port: int

    @property
    def address(self) -> str:
        """Where its page is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def http(self) -> Browser:
        """A client without any browser."""
        return Browser(self.port)


@contextmanager
def sample_office(folder: Path, prepare: Callable[[WebStore], None]) -> Iterator[SampleOffice]:
    """Make a month of history in a folder, start the worker on it, and stop it in the end. ``prepare`` adds the users."""
    maildrops = {name: Maildrop() for name in ACCOUNTS}
    night = DownAtNight()
    with Pop3Server(maildrops, faults=[Withheld(), night]) as server, ExitStack() as stack:
        config = _written(folder, server)
        _month(config, maildrops, night)
        with closing(WebStore(load(config).state_dir)) as store:
            prepare(store)
        manager, port = stack.enter_context(at_work(config))
        yield SampleOffice(folder, manager, maildrops, server, port)


@contextmanager
def at_work(config: Path, environment: Mapping[str, str] | None = None) -> Iterator[tuple[ServiceManager, int]]:
    """Start the worker of a configuration; yields it with the port of its page, and stops it in the end."""
    # Nobody reads its messages to systemd while a browser is looked at, and a full socket would hold the worker up.
    with ServiceManager(
        config, environment={"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "", **(environment or {})}
    ) as manager:
        manager.launch()
        port = urlsplit(said(manager, "web.listening")["url"]).port
        assert port
        yield manager, port
        assert manager.stop() == 0


def said(manager: ServiceManager, event: str) -> dict[str, str]:
    """Wait for an event of the worker; return its fields."""
    found: list[dict[str, str]] = []

    def is_said() -> bool:
        lines = [line for line in manager.log.splitlines() if line.startswith("{") and line.endswith("}")]
        found[:] = [said for said in map(json.loads, lines) if said["event"] == event]
        return bool(found)

    manager.wait_for(is_said)
    return found[0]


def _written(folder: Path, server: Pop3Server) -> Path:
    path = folder / "config.toml"
    head = 'state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n[schedule]\nevery = "1 hour"\n'
    accounts = [
        ACCOUNT.format(name=name, port=server.port, password=server.password, leave=leave)
        for name, leave in ACCOUNTS.items()
        if name != OWN
    ]
    path.write_text(head + "".join(accounts))
    path.chmod(0o600)
    source = {"host": "127.0.0.1", "port": server.port, "tls": "none", "username": OWN, "password": server.password}
    places = [{"type": "mbox", "path": str(folder / "archive" / OWN)}]
    file = folder / "accounts.d" / f"{OWN}.toml"
    file.parent.mkdir()
    file.write_text(account_text({"name": OWN, "source": source, "destinations": places}))
    file.chmod(0o600)
    return path


def _month(config: Path, maildrops: Mapping[str, Maildrop], night: DownAtNight) -> None:
    """Work every account once a day for a month, each day with new mail; the last time ten minutes ago."""
    loaded = load(config)
    letters = (sample.content for sample in ordinary_letters() if sample.language in LANGUAGES)
    last = time.time() - 600
    with closing(Ledger.open(loaded.state_dir)) as ledger:
        for day in range(DAYS):
            _deliver(day, maildrops, list(islice(letters, 12)))
            night.is_down = day == DAYS - 9
            moment = last - (DAYS - 1 - day) * DAY
            _work(loaded.accounts, loaded.state_dir, ledger, moment)
    night.is_down = False


def _deliver(day: int, maildrops: Mapping[str, Maildrop], letters: Sequence[bytes]) -> None:
    for number, content in enumerate(letters):
        maildrops[("office", "office", "office", "anna", "invoices", "martin")[(number + day) % 6]].add(content)
    if day == DAYS - 3:
        maildrops["office"].add(NEWSLETTER)
    if day == DAYS - 2:
        for content in WITHHELD:
            maildrops["anna"].add(content)


def _work(accounts: Sequence[Account], state_dir: Path, ledger: Ledger, moment: float) -> None:
    begun = time.time()
    effects = Effects(clock=lambda: moment + time.time() - begun)
    run_accounts([job_of(account, state_dir) for account in accounts], ledger, effects)
