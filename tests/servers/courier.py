"""A private Courier on loopback. Any user name logs in with the one password; its Maildir appears at once.

By IMAP it takes whatever comes, by POP3 what its package lets it: four connections from one address.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from socket import socket

from tests.servers import private_root
from tests.servers.certificates import authority, identity
from tests.servers.private_root import AskedDaemon, PrivateRoot, PrivateServer
from tests.servers.process import answers, free_ports, give_to

USER = "mail"  # whom a session becomes: a system user that every Debian has


def why_missing() -> str | None:
    """Say why Courier cannot be used here; ``None`` when it can."""
    return private_root.why_missing("courier")


class Courier(PrivateServer):
    """A running Courier, plain on one port, TLS from the start on the other. It knows no LITERAL+ or MULTIAPPEND."""

    pop3_port: int
    pop3s_port: int

    def _start(self, ends: ExitStack) -> None:
        root = PrivateRoot("courier")
        ends.callback(root.remove)
        self.ca_file = root.folder / "ca.pem"
        self.ca_file.write_bytes(authority().certificate)
        chain, key = identity().write(root.folder)
        (root.folder / "both.pem").write_bytes(key.read_bytes() + chain.read_bytes())
        self._users = root.folder / "users"
        self._users.mkdir()
        (root.folder / "run").mkdir()
        daemon = AskedDaemon(root.folder / "run" / "socket", self._look_up)
        ends.callback(daemon.stop)
        self.imap_port, self.imaps_port = free_ports(2)
        self.pop3_port, self.pop3s_port = free_ports(2)
        ports = (self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port)
        root.write("/run-courier", _SCRIPT.format(*ports, folder=root.folder))
        process = root.start(["sh", "/run-courier"], lambda: all(map(answers, ports)))
        ends.callback(process.stop)

    def _look_up(self, line: socket) -> None:
        """Answer as authdaemond does: variables, ``AUTH length``, then service, kind, user, password on a line each."""
        with line.makefile("rb") as asked:
            request = next(heard for heard in asked if heard.startswith(b"AUTH "))
            _, _, user, password = asked.read(int(request.split()[1])).decode().split("\n")[:4]
        if password != self.password:
            line.sendall(b"FAIL\n")
            return
        account, home = pwd.getpwnam(USER), self._home(user)
        line.sendall(
            f"UID={account.pw_uid}\nGID={account.pw_gid}\n"
            f"HOME={home}\nADDRESS={user}\nMAILDIR={home}/Maildir\n.\n".encode()
        )

    def deliver(self, user: str, messages: Iterable[bytes]) -> None:
        """Put messages, with CRLF, into a user's INBOX."""
        new = self._home(user) / "Maildir" / "new"
        for number, message in enumerate(messages):
            path = new / f"1700000000.{number:06}.mailferry"
            path.write_bytes(message.replace(b"\r\n", b"\n"))
            give_to(USER, path)

    def _home(self, user: str) -> Path:
        home = self._users / user
        if not home.exists():
            made = [home, home / "Maildir", *(home / "Maildir" / name for name in ("cur", "new", "tmp"))]
            for folder in made:
                folder.mkdir(mode=0o700)
            give_to(USER, *made)
        return home


_SCRIPT = """\
set -a
. /etc/courier/imapd
. /etc/courier/imapd-ssl
set +a
mkdir -p /run/courier/authdaemon
mount --bind {folder}/run /run/courier/authdaemon
TLS_CERTFILE={folder}/both.pem TLS_CACHEFILE={folder}/tls-cache TLS_DHPARAMS=
IMAP_TLS=0
unset TLS_TRUSTCERTS
login="/usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir"
limits="-address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup"
couriertcpd $limits {0} $login &
IMAP_TLS=1
export IMAP_TLS
couriertcpd $limits {1} /usr/bin/couriertls -server -tcpd $login &
set -a
. /etc/courier/pop3d
set +a
login="/usr/lib/courier/courier/courierpop3login /usr/lib/courier/courier/courierpop3d Maildir"
limits="-address=127.0.0.1 -maxprocs=$MAXDAEMONS -maxperip=$MAXPERIP $TCPDOPTS"
POP3_TLS=0
couriertcpd $limits {2} $login &
POP3_TLS=1
export POP3_TLS
couriertcpd $limits {3} /usr/bin/couriertls -server -tcpd $login &
wait
"""
