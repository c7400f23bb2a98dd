"""What people write themselves: poplib into an mbox, and poplib into imapclient.append; nothing sent ahead or proven.

    python -m benchmarks.loops mbox PORT USER FILE
    python -m benchmarks.loops imap PORT USER IMAP-PORT IMAP-USER

Both servers are on loopback; the password of both is in the variable POP3_PASSWORD.
"""

from __future__ import annotations

import os
import poplib
import sys
from collections.abc import Iterator

_HOST = "127.0.0.1"


def main() -> None:
    """Copy one maildrop."""
    kind, port, user, *where = sys.argv[1:]
    if kind == "mbox":
        _to_mbox(_messages(int(port), user), where[0])
    else:
        _to_imap(_messages(int(port), user), int(where[0]), where[1])


def _messages(port: int, user: str) -> Iterator[list[bytes]]:
    source = poplib.POP3(_HOST, port)
    source.user(user)
    source.pass_(os.environ["POP3_PASSWORD"])
    count, _ = source.stat()
    for number in range(1, count + 1):
        yield source.retr(number)[1]
    source.quit()


def _to_mbox(messages: Iterator[list[bytes]], path: str) -> None:
    with open(path, "ab") as file:  # noqa: PTH123  # as people write it
        for lines in messages:
            file.write(b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n")
            file.writelines((b">" if line.startswith(b"From ") else b"") + line + b"\n" for line in lines)
            file.write(b"\n")


def _to_imap(messages: Iterator[list[bytes]], port: int, user: str) -> None:
    import imapclient  # type: ignore[import-untyped]  # it ships no types

    with imapclient.IMAPClient(_HOST, port=port, ssl=False) as target:
        target.login(user, os.environ["POP3_PASSWORD"])
        for lines in messages:
            target.append("INBOX", b"\r\n".join(lines) + b"\r\n")


if __name__ == "__main__":
    main()
