"""A house with two mailboxes in which flows are gone through: a real ``run``, and a server that a test can hold up."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jobs.web.app import SCREENS
from migrator.config.new_account import account_text
from tests.browser_flows.sample_office import ACCOUNT, NEWSLETTER, WITHHELD, Withheld, at_work, said
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_session import Fault, Session
from tests.servers.service_manager import ServiceManager
from tests.unit.jobs.web.mail import letter

PASSWORD = "correct horse battery"
INVOICE = letter("Invoice 17", text="Please find the invoice for the month of May.")


class Gate(Fault):
    """While ``is_open`` is not set, whoever logs in waits for the answer; ``refuses`` has the words of a refusal."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.refuses = b""

    def open(self) -> None:
        """Let everybody in again, whatever a test has left behind."""
        self.is_open.set()
        self.refuses = b""

    def refusal(self, session: Session) -> bytes | None:
        self.is_open.wait()
        return self.refuses or None


@dataclass(frozen=True, slots=True)
class House:
    """The house at work. ``forms`` has the paths of all forms that were sent there by a browser."""

    folder: Path
    manager: ServiceManager
    server: Pop3Server
    gate: Gate
    port: int
    token: str
    forms: set[str] = field(default_factory=set)

    @property
    def origin(self) -> str:
        """Where its page is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def house(folder: Path, more: str = "", environment: Mapping[str, str] | None = None) -> Iterator[House]:
    """Start a worker with some mailboxes. ``more`` stands in its configuration, too.

    Alice's mail is deleted once it is proven, two messages of Bob's are withheld, Dora's file is the page's to change,
    and Erik leaves his provider.
    """
    drops = {
        "alice": Maildrop([INVOICE, NEWSLETTER]),
        "bob": Maildrop([letter("lunch"), *WITHHELD]),
        "carla": Maildrop(),
        "dora": Maildrop([letter("dinner"), letter("breakfast")]),
        "erik": Maildrop([letter("old"), letter("older")]),
    }
    gate = Gate()
    with Pop3Server(drops, faults=[Withheld(), gate]) as server:
        config = folder / "config.toml"
        head = 'state_dir = "state"\n[schedule]\nevery = "1 hour"\n[web]\nlisten = "127.0.0.1:0"\n'
        accounts = [
            ACCOUNT.format(name=name, port=server.port, password=server.password, leave=leave)
            for name, leave in (("alice", "false"), ("bob", "true"), ("erik", "true"))
        ]
        config.write_text(head + more + "".join(accounts))
        config.chmod(0o600)
        own_account(folder, "dora", server)
        with at_work(config, environment) as (manager, port):
            manager.wait_for(lambda: manager.log.count("worker.run.finished") == 4)
            yield House(folder, manager, server, gate, port, said(manager, "web.setup")["token"])
            gate.open()


def own_account(folder: Path, name: str, server: Pop3Server) -> None:
    """Write an account into a file of its own, as `mailferry add` does."""
    source = {"host": "127.0.0.1", "port": server.port, "tls": "none", "username": name, "password": server.password}
    places = [{"type": "mbox", "path": str(folder / "archive" / name)}]
    file = folder / "accounts.d" / f"{name}.toml"
    file.parent.mkdir()
    file.write_text(account_text({"name": name, "source": source, "destinations": places}))
    file.chmod(0o600)


def pattern_of(path: str) -> str:
    """Return the path of a form as the page's table of screens has it."""
    for method, pattern, _, _ in SCREENS:
        written = re.sub(r"\{\w+:int\}", r"\\d+", pattern)
        if method == "POST" and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", written), path):
            return pattern
    return path
