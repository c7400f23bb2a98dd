"""Makes the files of ``then/``: checks out the programs of their time, and lets each work two accounts.

    python -m tests.upgrades.making [VERSION...]

It needs this repository with its history. Before the ledger of version 2 no program could be started; that of version 1
is made by the first one that could, without its second migration.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.command_line import ROOT
from tests.upgrades.then import MADE_IN, address_of, pack, server_of

PROGRAMS = {
    1: "608d5faa",
    2: "6c9a3b84",
    3: "0e49ef34",
    4: "0445c8a9",
    5: "79614ed0",
    6: "9de21552",
    7: "7f8152ad",
}
"""The last commit of each version of the ledger, of the first version the first with a whole command line."""

CONFIG = """\
state_dir = "state"

[[accounts]]
name = "alice"
[accounts.source]
host = "{host}"
port = {port}
tls = "none"
username = "alice"
password = {{ env = "PASSWORD" }}
[[accounts.destinations]]
type = "mbox"
path = "archive/alice"
[[accounts.destinations]]
type = "maildir"
path = "archive/alice-maildir"

[[accounts]]
name = "bob"
[accounts.source]
leave_on_server = false
host = "{host}"
port = {port}
tls = "none"
username = "bob"
password = {{ env = "PASSWORD" }}
[[accounts.destinations]]
type = "mbox"
path = "archive/bob"
"""


def main() -> None:
    for version in [int(word) for word in sys.argv[1:]] or PROGRAMS:
        with tempfile.TemporaryDirectory() as place:
            make(version, Path(place))


def make(version: int, program: Path) -> None:
    commit = PROGRAMS[version]
    archived = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True)
    subprocess.run(["tar", "x", "-C", program], input=archived.stdout, check=True)
    if version == 1:
        schema = program / "migrator" / "ledger" / "schema.py"
        text = schema.read_text().replace("VERSION = 2", "VERSION = 1")
        schema.write_text(text.replace("@migrations()\ndef m002", "def m002"))
    folder = Path(MADE_IN)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    host, port = address_of(version)
    (folder / "config.toml").write_text(CONFIG.format(host=host, port=port))
    with server_of(version) as server:
        environment = os.environ | {"PASSWORD": server.password, "PYTHONPATH": str(program)}
        for words in (["migrate"], ["search", "letter"], ["status"]):
            command = [sys.executable, "-m", "migrator", "-c", str(folder / "config.toml"), *words]
            done = subprocess.run(command, env=environment, cwd=program, capture_output=True, text=True, check=False)
            print(version, *words, "->", done.returncode, done.stdout, done.stderr)  # noqa: T201
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as sql:
        assert sql.execute("select count(*) from _sqlite_migrations").fetchone() == (version,)
    pack(version, folder)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
