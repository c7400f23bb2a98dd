"""``INTERPRETER add_once.py CONFIG ARCHIVE PROGRAM...``: an account is added, as docs/operations.md says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from migrator.demo.server import Maildrop, serving


def main(config: str, archive: str, program: list[str]) -> None:
    maildrop = Maildrop("alice", "secret-of-alice")
    maildrop.fill([b"From: bob@example.org\r\nSubject: one\r\n\r\nBody.\r\n"])
    with serving(maildrop) as port:
        words = [
            *program,
            "add",
            "alice@example.org",
            "-c",
            config,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--tls",
            "none",
        ]
        words += ["--username", "alice", "--password-env", "SECRET", "--to", f"mbox:{archive}", "--yes", "--json"]
        environment = {**os.environ, "SECRET": maildrop.password}
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    added = json.loads(ended.stdout)
    assert (added["copied"], added["verified"]) == (1, 1), ended.stdout
    sys.stdout.write(f"added: {added['file']}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
