"""The command line as a person or a script meets it, with configurations to call it on.

``Site`` calls it in a process of its own; the fixture ``ferry`` calls it here, which is faster. The fixtures are known
everywhere: ``tests/conftest.py`` loads this module as a plug-in.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.main import main
from tests.mail import letters
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

ROOT = Path(__file__).parents[1]
MESSAGES = letters(12)
"""What the fixture ``server`` holds."""

# fmt: off
KINDS = {
    "connect", "tls", "auth", "in-use", "login-delay", "temporary", "refused", "protocol", "timeout", "too-large", "short",
    "changed", "ambiguous", "mismatch", "unproven", "quota", "disk-full", "archive", "locked", "internal",
}
# fmt: on
"""The contract's list."""


@dataclass(frozen=True)
class Answer:
    """What a call left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one document on stdout; fails if there is anything else."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def reports(self) -> list[dict[str, Any]]:
        """The accounts of a migration, each held against the rules that all reports obey."""
        reports: list[dict[str, Any]] = self.document["accounts"]
        for report in reports:
            obeys_the_rules(report)
        return reports

    @property
    def report(self) -> dict[str, Any]:
        """The only account's."""
        [report] = self.reports
        return report


def obeys_the_rules(report: dict[str, Any]) -> None:
    """Hold a report of one account against every sentence of the contract that is true of all of them."""
    new = [report[name] for name in ("copied", "duplicates", "skipped", "failed", "remaining")]
    assert report["listed"] == report["known"] + report["new"], report
    assert report["new"] == sum(new), report
    counts = [*new, report["listed"], report["known"], report["verified"], report["deleted"], report["bytes"]]
    assert all(isinstance(count, int) and count >= 0 for count in counts), report
    assert isinstance(report["seconds"], int | float)
    assert report["status"] in {"ok", "partial", "failed"}
    assert report["status"] == "ok" or report["errors"], report
    for error in report["errors"]:
        assert set(error) == {"uidl", "destination", "kind", "message"}, error
        assert error["kind"] in KINDS, error
        assert error["message"], error
        assert error["uidl"] is None or error["uidl"].isascii(), error
    for message in report.get("would_delete", []):
        assert set(message) == {"uidl", "octets", "digest"}, message


@dataclass
class Site:
    """A folder with a configuration, from which the command is called as a person or a script would."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def writes(self, *tables: str) -> None:
        """Write the configuration."""
        path = self.folder / "config.toml"
        path.write_text("\n".join(tables))
        path.chmod(0o600)

    def call(self, *arguments: str | Path, umask: int = -1, timeout: float = 120.0) -> Answer:
        """Call the command in this folder and wait for its end."""
        return self.run([sys.executable, "-m", "migrator", *arguments], umask=umask, timeout=timeout)

    def run(self, command: Sequence[str | Path], *, umask: int = -1, timeout: float = 120.0) -> Answer:
        """Run a command in this folder and wait for its end."""
        process = self._started(command, umask)
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Answer(process.returncode, out, err)

    def start(self, *arguments: str | Path, umask: int = -1) -> subprocess.Popen[str]:
        """Call the command and return at once."""
        return self._started([sys.executable, "-m", "migrator", *arguments], umask)

    def _started(self, command: Sequence[str | Path], umask: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            umask=umask,
        )

    def migrate(self, *arguments: str | Path, **options: Any) -> Answer:
        """Migrate with a JSON report, which obeys the rules."""
        return self.call("migrate", "--json", *arguments, **options)

    def stored(self, archive: str = "archive/alice") -> list[bytes]:
        """Every message of an mbox archive in canonical form, in order, read by an independent reader."""
        volumes = sorted((self.folder / archive).glob("*.mbox"))
        return [message for volume in volumes for message in mboxrd(volume.read_bytes())]

    def maildir(self, archive: str) -> list[bytes]:
        """Every message of a Maildir archive in canonical form, sorted."""
        files = [path for place in ("new", "cur") for path in (self.folder / archive / place).iterdir()]
        return sorted(re.sub(rb"(?<!\r)\n", b"\r\n", path.read_bytes()) for path in files)

    def tree(self) -> dict[str, bytes]:
        """Every file below the folder with its content, and every folder."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b"<folder>"
            for path in self.folder.rglob("*")
        }

    def _environment(self) -> dict[str, str]:
        kept = {
            name: os.environ[name]
            for name in ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME")
            if name in os.environ
        }
        places = {"XDG_CONFIG_HOME": str(self.folder / "xdg"), "XDG_STATE_HOME": str(self.folder / "xdg-state")}
        return kept | places | {"PYTHONPATH": str(ROOT)} | self.environment


def source(port: int, *, user: str = "alice", password: str = '{ env = "PASSWORD" }', **keys: object) -> str:
    """Return the table of a source on this machine; keys are TOML values as Python has them."""
    given: dict[str, object] = {"host": "127.0.0.1", "port": port, "tls": "none", "username": user} | keys
    return f"[accounts.source]\npassword = {password}\n" + "".join(f"{key} = {_toml(given[key])}\n" for key in given)


def mbox(path: str = "archive/alice") -> str:
    return f'[[accounts.destinations]]\ntype = "mbox"\npath = "{path}"\n'


def maildir(path: str) -> str:
    return f'[[accounts.destinations]]\ntype = "maildir"\npath = "{path}"\n'


def account(name: str, *tables: str) -> str:
    return "\n".join([f'[[accounts]]\nname = "{name}"', *tables])


def alice(port: int, **keys: object) -> str:
    """Return an account with an mbox archive."""
    return account("alice", source(port, **keys), mbox())  # type: ignore[arg-type]  # any key may be given


def archived_account(name: str, port: int, *, password: str = '{ env = "PASSWORD" }', extra: str = "") -> str:
    """Return an account of that user with an mbox archive of its own; ``extra`` are more keys of its source."""
    return account(name, source(port, user=name, password=password) + extra, mbox(f"archive/{name}"))


def _toml(value: object) -> str:
    return json.dumps(value)


Ferry = Callable[..., Answer]


@pytest.fixture
def ferry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ferry]:
    """Call the command line in this process, in an empty folder of its own."""
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
    """A POP3 server with ``MESSAGES``."""
    with Pop3Server(Maildrop(MESSAGES)) as running:
        yield running


@pytest.fixture
def url(server: Pop3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the server is; its password is in the variable PASSWORD."""
    monkeypatch.setenv("PASSWORD", server.password)
    return f"pop3://alice@127.0.0.1:{server.port}?tls=none"
