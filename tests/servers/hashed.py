"""POP3 servers that greet with a timestamp and keep passwords hashed, so that APOP cannot work: mailutils, solid-pop3d.

Each runs in a root of its own (private_root), started for every connection as inetd(8) would, with PAM and one user.
"""

from __future__ import annotations

import poplib
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.servers.private_root import PrivateRoot
from tests.servers.process import LOOPBACK, answers, free_ports

USER = "alice"
PASSWORD = "open-sesame"
DAEMONS = {"mailutils": ["/usr/sbin/pop3d", "--inetd"], "solid": ["/usr/sbin/solid-pop3d"]}
_SHADOW = "$6$mailferry$QthBIiKLvA7eGtM7ljG0dtNKSRn1k9xaBgXnfjbGsJqg61iCWoHg6/0..VGplU0ybi/0Qx4.4BgTSMz9DqDk3."


class HashedServer:
    """One of them, with the user's messages; stops at the end of its ``with`` block."""

    def __init__(self, name: str, messages: Sequence[bytes]) -> None:
        with ExitStack() as ends:
            root = PrivateRoot(name)
            ends.callback(root.remove)
            root.write(
                "/etc/passwd", f"root:x:0:0::/root:/bin/sh\n{USER}:x:4001:8::/home:/bin/sh\nspop3d:x:4100:8::/run:\n"
            )
            root.write("/etc/group", "root:x:0:\nshadow:x:42:\nmail:x:8:\nspop3d:x:4100:\n")
            root.write("/etc/shadow", f"{USER}:{_SHADOW}:19000:0:99999:7:::\n")
            root.write(f"/var/mail/{USER}", "".join(map(_in_mbox, messages)))
            root.write("/listen.py", _LISTEN)
            root.write("/start", _START)
            [self.port] = free_ports(1)
            python = str(Path(sys.executable).resolve())  # not the environment's, which may lie in a hidden /tmp
            command = ["sh", "/start", python, str(self.port), *DAEMONS[name]]
            ends.callback(root.start(command, lambda: answers(self.port)).stop)
            self._ends = ends.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def count(self) -> int:
        """How many messages the user's maildrop holds."""
        session = poplib.POP3(LOOPBACK, self.port, timeout=20)
        session.user(USER)
        session.pass_(PASSWORD)
        count, _ = session.stat()
        session.quit()
        return count


def _in_mbox(message: bytes) -> str:
    return "From someone@example.org Thu Jan  1 00:00:00 2026\n" + message.decode().replace("\r\n", "\n") + "\n"


_START = f"""\
ldconfig
chown {USER}:mail /var/mail/{USER}
chmod 660 /var/mail/{USER}
chmod 1777 /var/mail
exec "$1" /listen.py "$2" "$3" $4
"""

_LISTEN = f"""\
import signal, socket, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("{LOOPBACK}", int(sys.argv[1])))
while True:
    line, _ = listener.accept()
    subprocess.Popen(sys.argv[2:], stdin=line, stdout=line)
    line.close()
"""
