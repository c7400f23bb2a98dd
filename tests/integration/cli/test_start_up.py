"""A command starts fast by importing only what it uses, so what it must not import is named here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import ROOT, Ferry, archived_account
from tests.servers.pop3 import Pop3Server

EVERYWHERE = (
    "apprise",
    "apscheduler",
    "chardet",
    "cryptography",
    "difflib",
    "fast_mail_parser",
    "imapclient",
    "keyring",
    "migrator.config.bulk",
    "migrator.demo",
    "migrator.imap",
    "migrator.copying.offload_process",
    "prometheus_client",
    "resiliparse",
    "rich",
    "shtab",
    "sqlite_utils",
)
WITHOUT_A_SERVER = ("asn1crypto", "migrator.net.stream", "migrator.pop3", "scramp", "ssl")
OF_THE_STANDARD_LIBRARY = {
    "concurrent.futures",
    "dataclasses",
    "inspect",
    "secrets",
    "subprocess",
    "tempfile",
    "zoneinfo",
}
"""Each of these takes 1 to 8 ms of a start, and no command that only looks needs it."""
WITHOUT_A_MESSAGE = (
    "migrator.destinations.mbox.destination",
    "migrator.destinations.maildir",
)
UNUSED = {
    "migrate": (*EVERYWHERE, "jobs", "migrator.archive"),
    "migrate --dry-run": (*EVERYWHERE, "jobs", "migrator.archive"),
    "search hello": (*EVERYWHERE, *WITHOUT_A_SERVER, "jobs", "filelock", "migrator.parse.process"),
    "status": (
        *EVERYWHERE,
        *WITHOUT_A_SERVER,
        *WITHOUT_A_MESSAGE,
        "migrator.archive",
        "filelock",
        "jobs.schedule.queue",
    ),
    "verify": (*EVERYWHERE, *WITHOUT_A_SERVER, "jobs"),
    "healthcheck": (*EVERYWHERE, *WITHOUT_A_SERVER, "migrator.archive"),
}


def imported(line: str, folder: Path, **environment: str) -> set[str]:
    """Run a command line in a process of its own; returns the names of all modules that it has loaded."""
    program = (
        "import sys\nfrom migrator.cli.main import main\n"
        f"try: main({line.split()!r})\nexcept SystemExit: pass\n"
        "print('loaded:', *sys.modules, file=sys.stderr)"
    )
    path = os.pathsep.join([str(ROOT), str(folder)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "xdg-cache"), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("line", UNUSED)
def test_a_command_imports_nothing_that_it_does_not_use(
    line: str, ferry: Ferry, url: str, server: Pop3Server, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('state_dir = "state"\n' + archived_account("alice", server.port))
    assert ferry("migrate").code == ferry("search", "hello").code == 0
    loaded = imported(line, tmp_path, PASSWORD=server.password)
    assert loaded & set(UNUSED[line]) == set()


def test_only_the_first_command_checks_a_configuration(
    ferry: Ferry, url: str, server: Pop3Server, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('state_dir = "state"\n' + archived_account("alice", server.port))
    checking = {"pydantic", "migrator.config.reading", "migrator.config.table"}
    assert checking <= imported("migrate", tmp_path, PASSWORD=server.password)
    assert ferry("search", "hello").code == 0
    for line in UNUSED:
        # For what is on its way, and by the library that logs in.
        beside = {"concurrent.futures", "inspect", "secrets", "tempfile"} if "migrate" in line else set()
        assert (checking | OF_THE_STANDARD_LIBRARY - beside) & imported(
            line, tmp_path, PASSWORD=server.password
        ) == set(), line


def test_a_search_of_what_is_indexed_imports_nothing_that_reads_an_archive(
    ferry: Ferry, url: str, server: Pop3Server, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text('state_dir = "state"\n' + archived_account("alice", server.port))
    assert ferry("migrate").code == 0
    reading = {"migrator.archive.reader", "migrator.destinations", "migrator.parse.process", "migrator.search.update"}
    assert reading & imported("search hello", tmp_path, PASSWORD=server.password)  # what is new is taken in
    assert reading & imported("search hello", tmp_path, PASSWORD=server.password) == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh", "fish"])
def test_completion_imports_nothing_but_the_grammar(shell: str, tmp_path: Path) -> None:
    loaded = imported(f"--completion {shell}", tmp_path)
    assert {name for name in loaded if name.startswith("migrator.")} == {
        "migrator.cli",
        "migrator.cli.account_options",
        "migrator.cli.adding_options",
        "migrator.cli.adopting_options",
        "migrator.cli.completion",
        "migrator.cli.main",
        "migrator.cli.parser",
        "migrator.cli.page_options",
        "migrator.cli.password_options",
        "migrator.cli.reading_options",
        "migrator.cli.usage",
    }
    assert loaded & {"pydantic", "sqlite3", "ssl", *EVERYWHERE} - {"shtab", "difflib"} == set()


def test_no_plug_in_sees_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('state_dir = "state"\n' + archived_account("alice", 1, password='"hunter2"'))
    (tmp_path / "spy.py").write_text("plugin = object()\n")
    (tmp_path / "spy-1.dist-info").mkdir()
    (tmp_path / "spy-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nspy = spy:plugin\n")
    loaded = imported("status", tmp_path)
    assert "pydantic" in loaded
    assert "spy" not in loaded
