"""A page over real HTTP on loopback, on a worker that a test plays: its ledger, its accounts, what it was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobs.maintenance.upkeep import completed
from jobs.monitoring.snapshot import AccountView, Seen, Snapshot
from jobs.monitoring.stored_view import damaged_by_account
from jobs.schedule.account_state import AccountState
from jobs.schedule.live_progress import RunProgress
from jobs.web.hashing import hashed
from jobs.web.language import Language
from jobs.web.people import Role, User
from jobs.web.server import PageServer
from jobs.web.site import Site
from jobs.web.worker import Worker
from migrator.config import Config, load
from migrator.errors import ConfigError
from migrator.findings.model import Finding
from migrator.ledger import Ledger
from migrator.ledger.schedule import SCHEDULE
from tests.browser import Browser

PASSWORD = "correct horse battery"
HASH = hashed(PASSWORD)

ACCOUNT = """
[[accounts]]
name = "{name}"
[accounts.source]
host = "127.0.0.1"
port = 1
tls = "none"
username = "{name}"
password = "x"
[[accounts.destinations]]
type = "mbox"
path = "archive/{name}"
"""


def views_of(config: Config, ledger: Ledger) -> list[AccountView]:
    """Return the accounts as a worker left them."""
    states = {name: AccountState.from_fact(fact) for name, fact in ledger.state_store.get_all(SCHEDULE).items()}
    verified = completed(ledger.state_store)
    damaged = damaged_by_account(config, ledger.state_store.mismatches())
    numbers = ledger.history.numbers_of(list(config.names()))
    return [
        AccountView(
            name,
            states.get(name, AccountState()),
            verified_at=verified.get(name, 0.0),
            damaged=damaged.get(name, 0),
            numbers=numbers[name],
        )
        for name in config.names()
    ]


@dataclass
class Office:
    config: Config
    ledger: Ledger
    page: PageServer = field(init=False)
    asked: list[str] = field(default_factory=list)
    running: dict[str, RunProgress] = field(default_factory=dict)
    """The runs that go on, and how far they are: a test changes it."""
    changed: str = ""
    """What a test changes, so that the page looks at everything again."""
    findings: Callable[[Config], Sequence[Finding]] = lambda _config: ()
    """What the worker has found; a test may put something here."""
    works: Callable[[str], None] = lambda _name: None
    """What a run of an account does; a test may put something here."""
    refuses: str = ""
    """What the worker finds wrong with a changed configuration; a test may put something here."""

    @property
    def port(self) -> int:
        return int(self.page.address.rpartition(":")[2].strip("/"))

    @property
    def site(self) -> Site:
        return self.page.site

    def browser(self) -> Browser:
        return Browser(self.port)

    def add(self, name: str, role: Role = Role.ADMINISTRATOR, *accounts: str) -> User:
        user = User(name, role, frozenset(accounts))
        assert self.site.store.add(user, HASH, time.time())
        return user

    def half_an_hour_later(self) -> None:
        """Let it be long ago that anybody gave a password."""
        with self.site.store.transaction() as sql:
            sql.execute("update sessions set confirmed_at = confirmed_at - 1801")

    def signed_in(self, name: str = "ann", role: Role = Role.ADMINISTRATOR, *accounts: str) -> Browser:
        if self.site.store.user(name) is None:
            self.add(name, role, *accounts)
        browser = self.browser()
        answer = browser.send(browser.get("/sign-in").form("/sign-in"), name=name, password=PASSWORD)
        assert (answer.status, answer.location) == (303, "/")
        return browser


def written(folder: Path, *names: str) -> Path:
    path = folder / "config.toml"
    text = 'state_dir = "state"\n[web]\nlisten = "127.0.0.1:0"\n' + "".join(ACCOUNT.format(name=name) for name in names)
    path.write_text(text)
    path.chmod(0o600)
    return path


@contextmanager
def office(folder: Path, *names: str, languages: Sequence[Language] | None = None) -> Iterator[Office]:
    with opened(written(folder, *(names or ("alice", "bob"))), languages) as one:
        yield one


@contextmanager
def opened(path: Path, languages: Sequence[Language] | None = None) -> Iterator[Office]:
    """Serve the page of a configuration that is there."""
    config = load(path)
    assert config.web is not None
    asked: list[str] = []
    with closing(Ledger.open(config.state_dir)) as ledger:

        def snapshot() -> Snapshot:
            now, found = time.time(), tuple(one.findings(one.config))
            views = [replace(view, progress=one.running.get(view.name)) for view in views_of(one.config, ledger)]
            return Snapshot(now, now, views, findings=found, looked_at=now)

        def reload() -> str:
            asked.append("reload")
            try:
                one.config = load(path)
            except ConfigError as error:
                return "; ".join(error.problems)
            return one.refuses

        def try_now(name: str) -> None:
            asked.append(name)
            one.works(name)

        def stop_run(name: str) -> bool:
            asked.append(f"stop {name}")
            return name in one.running

        worker = Worker(
            config=lambda: one.config,
            snapshot=snapshot,
            ledger=ledger,
            try_now=try_now,
            stop_run=stop_run,
            look_again=lambda: asked.append("look"),
            reload=reload,
            examine=list,
            progress=lambda: dict(one.running),
            seen=lambda: Seen({}, frozenset(one.running), {}, tuple(one.findings(config)), (one.changed,)),
            index=lambda: asked.append("index"),
        )
        one = Office(config, ledger, asked=asked)
        one.page = page = PageServer(config.web, worker, languages)
        page.start()
        try:
            yield one
        finally:
            page.stop()
