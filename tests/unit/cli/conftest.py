from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.main import main
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

MESSAGES = tuple(
    b"From: a@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@example.org>\r\n\r\nbody %d\r\n" % (n, n, n)
    for n in range(12)
)


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document on stdout; fails if there is anything else."""
        document: dict[str, Any] = json.loads(self.out)
        return document


Ferry = Callable[..., Answer]


@pytest.fixture
def ferry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ferry]:
    """Call the command line in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg-state"))
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    yield call
    for number, handler in before.items():
        signal.signal(number, handler)
    for name in ("migrator", "jobs"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(MESSAGES)) as running:
        yield running


@pytest.fixture
def url(server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the server is; its password is in the variable PASSWORD."""
    monkeypatch.setenv("PASSWORD", server.password)
    return f"pop3://alice@127.0.0.1:{server.port}?tls=none"


def account(name: str, port: int, *, password: str = '{ env = "PASSWORD" }', extra: str = "") -> str:
    """Return an account's tables for a server on this machine."""
    return (
        f'[[accounts]]\nname = "{name}"\n[accounts.source]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
        f'username = "{name}"\npassword = {password}\n{extra}'
        f'[[accounts.destinations]]\ntype = "mbox"\npath = "archive/{name}"\n'
    )
