"""An installation in which something goes wrong, and the ways to take the printed cure as it stands."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit

from migrator.findings.catalogue import BY_ID
from migrator.findings.model import Severity
from tests.command_line import Answer, Ferry, Site

Finding = dict[str, Any]

HINTS = frozenset({"nobody-told", "file-system"})
"""What a test's installation shows whatever it does: nobody is told, and some disks of test machines are in memory."""


@dataclass
class Bench:
    """Looks through the command line, in this process; cures in processes of their own."""

    site: Site
    ferry: Ferry
    options: Sequence[str] = ()
    """What stands before every command, such as ``-c config.toml``; the printed commands repeat it."""

    def in_processes(self) -> Bench:
        """Return the same with every command in a process of its own, as where a disk was mounted for the test."""
        return replace(self, ferry=self.site.call)

    @property
    def folder(self) -> Path:
        return self.site.folder

    def writes(self, *tables: str) -> None:
        """Write the configuration, and the password that the tables take from the environment."""
        self.site.writes(*tables)

    def migrate(self, *words: str) -> Answer:
        """Run once, whatever comes of it."""
        return self.ferry(*self.options, "migrate", *words)

    def migrates(self) -> None:
        """Run once, and well."""
        done = self.migrate()
        assert done.code == 0, done

    def found_by(self, command: str) -> list[Finding]:
        """Return what ``doctor`` or ``status`` finds, but for what every test's installation shows."""
        done = self.ferry(*self.options, command, "--json")
        found: list[Finding] = done.document["findings"]
        if command == "doctor":
            is_needed = any(one["severity"] != "hint" for one in found)
            assert done.code == int(is_needed), done
        for finding in found:
            is_well_said(finding)
        return [finding for finding in found if finding["id"] not in HINTS]

    def finds(
        self,
        finding: str,
        *,
        accounts: Sequence[str] = ("alice",),
        destination: str | None = None,
        says: str = "",
        by_looking: bool = True,
        beside: Sequence[str] = (),
    ) -> Finding:
        """See one finding by ``doctor``, and by ``status`` in the same words where no server need be asked for it.

        ``beside`` are the others that the same cause brings about.
        """
        seen = self.found_by("doctor")
        assert Counter(one["id"] for one in seen) == Counter([finding, *beside]), seen
        [found] = [one for one in seen if one["id"] == finding]
        assert found["severity"] == str(BY_ID[finding].severity)
        assert found["accounts"] == list(accounts)
        assert found["account"] == (accounts[0] if len(accounts) == 1 else None)
        assert says in found["text"], found
        if destination is not None:
            assert found["destination"] is not None, found
            assert destination in found["destination"], found
        if by_looking:
            [same] = [one for one in self.found_by("status") if one["id"] == finding]
            assert (same["text"], same["cure"], same["accounts"]) == (found["text"], found["cure"], found["accounts"])
        return found

    def is_well(self, *commands: str) -> None:
        """See nothing by ``doctor`` and ``status`` that needs a person."""
        for command in commands or ("doctor", "status"):
            seen = [one for one in self.found_by(command) if one["severity"] != str(Severity.HINT)]
            assert seen == [], f"{command}: {seen}"

    def runs(self, finding: Finding) -> Answer:
        """Run the command that a cure names, as it stands, in the folder that the program was called from."""
        command = finding["cure"]["command"]
        assert command, finding
        ours = [sys.executable, "-m", "migrator", *command[1:]]
        done = self.site.run(ours if command[0] == "mailferry" else command)
        assert done.code == 0, done
        return done

    def sets(self, finding: Finding) -> None:
        """Make the changes that a cure names, all of them."""
        settings = finding["cure"]["settings"]
        assert settings, finding
        for setting in settings:
            write_setting(self.folder / setting["file"], setting["path"], setting["value"])

    def no_machine_can(self, finding: Finding) -> None:
        """See that a cure is left to a person, in words."""
        assert (finding["cure"]["command"], finding["cure"]["settings"]) == (None, None), finding
        assert finding["cure"]["text"]

    @contextmanager
    def as_before(self) -> Iterator[None]:
        """Undo afterwards whatever was done to the folder, so that another cure can be tried on the same trouble."""
        kept = self.folder.with_name(self.folder.name + ".kept")
        shutil.copytree(self.folder, kept, symlinks=True)
        yield
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(kept, self.folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(kept)

    def ledger(self, statement: str, *values: object) -> None:
        """Change the ledger behind the program's back, as time would."""
        with closing(sqlite3.connect(self.site.state / "ledger.sqlite3")) as sql, sql:
            assert sql.execute(statement, values).rowcount, statement


def write_setting(path: Path, steps: Sequence[str | int], value: object) -> None:
    """Write one key into a TOML file as a person would, or take it out."""
    document = tomlkit.parse(path.read_text())
    table: Any = document
    for step in steps[:-1]:
        table = table[step]
    if value is None:
        del table[steps[-1]]
    else:
        table[steps[-1]] = value
    path.write_text(tomlkit.dumps(document))


def is_well_said(finding: Finding) -> None:
    """Hold a finding against what the contract says of every one."""
    fields = {"id", "severity", "account", "accounts", "destination", "text", "since", "cure"}
    assert set(finding) == fields, finding
    assert set(finding["cure"]) == {"text", "command", "settings"}, finding
    for sentence in (finding["text"], finding["cure"]["text"]):
        assert sentence.isprintable(), sentence
        assert not re.search(r"[{}]|None|  |\.$|^$|; *;|\b1 (messages|copies|files|findings)\b", sentence), sentence
    assert finding["cure"]["text"] not in finding["text"], finding
    command, settings = finding["cure"]["command"], finding["cure"]["settings"]
    assert command is None or (command and all(isinstance(word, str) for word in command))
    assert settings is None or settings
    assert json.loads(json.dumps(finding)) == finding
