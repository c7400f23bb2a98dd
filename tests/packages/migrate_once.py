"""``INTERPRETER migrate_once.py FOLDER PROGRAM...``: one real migration by an installed program, deleting included.

A POP3 server on loopback holds a few messages; the program is called as a person would, and everything is looked at from
outside: its exit code, its JSON, the server, and the archive, which is read by the standard library.
"""

from __future__ import annotations

import json
import mailbox
import os
import subprocess
import sys
from pathlib import Path

from migrator.demo.server import Maildrop, serving

SUBJECTS = ("one", "two", "three")


def main(folder: Path, program: list[str]) -> None:
    maildrop = Maildrop("alice", "secret-of-alice")
    maildrop.fill([b"From: bob@example.org\r\nSubject: %b\r\n\r\nBody.\r\n" % name.encode() for name in SUBJECTS])
    with serving(maildrop) as port:
        words = [*program, "migrate", "--from", f"pop3://alice@127.0.0.1:{port}?tls=none"]
        words += ["--from-password-env", "SECRET", "--to", f"mbox:{folder / 'archive'}", "--leave-on-server", "false"]
        words += ["--state-dir", str(folder / "state"), "--json"]
        ended = subprocess.run(
            words, env={**os.environ, "SECRET": maildrop.password}, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    [account] = json.loads(ended.stdout)["accounts"]
    assert (account["copied"], account["deleted"]) == (3, 3), ended.stdout
    assert maildrop.messages == {}, "the server still holds mail"
    [volume] = (folder / "archive").rglob("*.mbox")
    assert sorted(message["Subject"] for message in mailbox.mbox(volume)) == sorted(SUBJECTS)
    sys.stdout.write(f"one migration: 3 copied, 3 deleted, {volume} holds them\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
