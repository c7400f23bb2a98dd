"""The machine on which the commands of the pages are run: an account or two, their servers, and mail in the archive.

What the pages call by names of the internet is here on loopback; ``here`` says which word stands for what.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

from tests.command_line import ROOT, account, mbox, source
from tests.mail import letters, mail
from tests.servers.maildrop import Maildrop

WITH_ATTACHMENTS = (
    b"From: bob@example.org\r\nTo: alice@example.org\r\nSubject: quarterly report\r\nMessage-ID: <report@example.org>\r\n"
    b"Date: Mon, 02 Nov 2026 08:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n\r\n"
    b"--cut\r\nContent-Type: text/plain\r\n\r\nBoth are in it.\r\n"
    b'--cut\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename="figures.csv"\r\n\r\n1,2\r\n'
    b'--cut\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="whole.pdf"\r\n\r\n%PDF\r\n'
    b"--cut--\r\n"
)
ALICES = [*letters(6), WITH_ATTACHMENTS, mail("invoice 7", sender="acme@example.org")]
REFUSED = letters(6, first=80)
"""What comes to alice later, and is not given by the server."""
BOBS = letters(4, first=50)
PASSWORD_VARIABLE = "PASSWORD"
_POP3 = r"pop3s://alice(?:%40example\.org)?@pop\.example\.org"
_IMAP = r"imaps://\w+@imap\.example\.org/(\w+)"
_OLD = "From a@example.org Mon Nov  2 08:00:00 2026\nFrom: a@example.org\nSubject: old\n\n%s\n"


def maildrops() -> dict[str, Maildrop]:
    """Return what is on the server: a maildrop of each user."""
    return {"alice": Maildrop(ALICES), "bob": Maildrop(BOBS)}


@dataclass
class World:
    """A home folder with a configuration, and a shell in it. ``imap_port`` is 0 where there is no IMAP server."""

    home: Path
    pop3_port: int
    imap_port: int
    password: str
    message: str = ""
    """The id of the message with attachments."""
    waiting: list[int] = field(default_factory=list)
    """The numbers of what is set aside."""

    def prepare(self) -> None:
        """Write the configuration, archive what the server has, and leave mail as other programs do."""
        state = 'state_dir = "state"\n'
        accounts = [
            account(name, source(self.pop3_port, user=name), mbox(f"archive/{name}")) for name in ("alice", "bob")
        ]
        self._write("config.toml", "\n".join([state, *accounts]))
        self._write("bin/mailferry", f'#!/bin/sh\nexec "{sys.executable}" -m migrator "$@"\n', mode=0o755)
        for place in ("old.mbox", "Library/Mail/Archive.mbox", ".thunderbird/profile/Mail/Inbox"):
            self._write(place, _OLD % place)
        with ZipFile(self.home / "takeout.zip", "w") as packed:
            packed.writestr("Takeout/Mail/all.mbox", _OLD % "takeout")
        once = self.here("mailferry migrate --from pop3s://alice@pop.example.org --to mbox:once")
        done = self.run(f"mailferry migrate && {once} && mailferry search 'subject:quarterly' --json")
        assert done.returncode == 0, done.stderr
        found = re.search(r'"id": "(\w+)"', done.stdout)
        assert found, done.stdout
        self.message = found[1]

    def set_aside(self, drop: Maildrop) -> None:
        """Let more mail come than the server gives."""
        for message in REFUSED:
            drop.add(message)
        assert self.run("mailferry migrate").returncode == 1
        self.waiting = [one["number"] for one in json.loads(self.run("mailferry quarantine --json").stdout)["messages"]]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run lines as somebody types them, up to the first that fails."""
        environment = {
            "PATH": f"{self.home / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            PASSWORD_VARIABLE: self.password,
            "PW": self.password,
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def here(self, script: str) -> str:
        """Write what the pages call by names of the internet, by ids and places of somebody's, as it is called here."""
        return "\n".join(map(self._line_here, script.splitlines()))

    def _line_here(self, line: str) -> str:
        for said, meant, end in (
            (_POP3, f"pop3://alice@127.0.0.1:{self.pop3_port}?tls=none", "from"),
            (_IMAP, rf"imap://alice@127.0.0.1:{self.imap_port}/\1?tls=none", "to"),
        ):
            password = "" if f"--{end}-password" in line else f" --{end}-password-env {PASSWORD_VARIABLE}"
            line = re.sub(said, f"'{meant}'{password}", line)
        line = re.sub(r"3f2a91c80b7d|3f2a91c8", self.message[:12], line)
        line = re.sub(r"--retry 3 5", f"--retry {' '.join(map(str, self.waiting[:2]))}", line)
        line = re.sub(r"\bDIR\b", "~/.local/state/mailferry", line)
        line = line.replace("open-sesame", self.password).replace("/home/bob/", f"{self.home}/")
        return line.replace("/etc/mailferry/", "").replace("/backup/", "")

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
