"""A small internet in a network namespace of its own: names, web servers and mail servers at their true ports.

``live`` starts this module as a program in there (unshare(1), which takes root); it starts what the ``Internet`` says,
runs one command as a person would, and prints what came of it and what every server has heard.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.mail import letters
from tests.servers.certificates import Authority, authority as shared_authority
from tests.servers.dovecot import Dovecot
from tests.servers.maildrop import Maildrop
from tests.servers.name_server import NameServer
from tests.servers.pop3 import Pop3Server, Tls
from tests.servers.process import LOOPBACK
from tests.servers.web import WebServer
from tests.terminal import talk

ROOT = Path(__file__).parents[2]
PASSWORD = "open-sesame"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_SCRIPT = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@dataclass(frozen=True)
class MailServer:
    """A POP3 server at an address; its certificate is for ``names``."""

    names: tuple[str, ...]
    port: int = 995
    tls: Tls = "implicit"
    address: str = LOOPBACK


@dataclass(frozen=True)
class Internet:
    """What there is. ``pages`` are served over https, ``plain_pages`` over http; ``web_names`` are proven by TLS."""

    zone: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    mail: Sequence[MailServer] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    plain_pages: Mapping[str, str] = field(default_factory=dict)
    web_names: tuple[str, ...] = ("autoconfig.example.org", "example.org", "v1.ispdb.net", "autoconfig.hoster.example")
    silent: tuple[str, ...] = ()
    says_validated: bool = False
    imap_domain: str = ""
    """A domain whose service record names a Dovecot."""


@dataclass(frozen=True)
class Lived:
    """What came of a command, and what was heard: names asked, pages asked, commands of POP3 (with log-ins)."""

    code: int
    out: str
    err: str
    names: list[str]
    https: list[str]
    http: list[str]
    pop3: list[list[str]]
    logins: list[list[str]]

    @property
    def document(self) -> dict[str, Any]:
        """The one document on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document


def why_missing() -> str | None:
    """Say why there can be none here; ``None`` when there can."""
    done = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "a network namespace takes root"


def live(internet: Internet, folder: Path, *arguments: str, answers: Sequence[tuple[str, str]] | None = None) -> Lived:
    """Run ``mailferry`` with these arguments in a world that has this internet; with ``answers`` on a terminal."""
    inside = ["unshare", "--net", "--mount", "sh", "-c", _SCRIPT, "sh"]
    with tempfile.NamedTemporaryFile("w", prefix="resolv-") as resolv:
        resolv.write(f"nameserver {LOOPBACK}\noptions timeout:1 attempts:1\n")
        resolv.flush()
        told = json.dumps(
            {"internet": asdict(internet), "folder": str(folder), "arguments": arguments, "answers": answers}
        )
        done = subprocess.run(
            [*inside, resolv.name, sys.executable, "-m", "tests.servers.small_internet"],
            input=told,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=120,
        )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return Lived(**json.loads(done.stdout))


def _raise_loopback() -> None:
    """Bring up the loopback interface of a new namespace, as ip(8) would: a bare machine has not got it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", name, flags | _IFF_UP))


def main() -> None:
    """Be that world for one command."""
    _raise_loopback()
    told = json.loads(sys.stdin.read())
    internet = told["internet"]
    authority = Authority()
    with ExitStack() as ends:
        trusted = Path(ends.enter_context(tempfile.TemporaryDirectory())) / "ca.pem"
        trusted.write_bytes(authority.certificate + shared_authority().certificate)
        if internet["imap_domain"]:
            dovecot = ends.enter_context(Dovecot())
            record = {"SRV": [f"0 1 {dovecot.imaps_port} localhost."]}
            internet["zone"][f"_imaps._tcp.{internet['imap_domain']}"] = record
        names = ends.enter_context(
            NameServer(internet["zone"], port=53, silent=internet["silent"], says_validated=internet["says_validated"])
        )
        secure = ends.enter_context(
            WebServer(internet["pages"], identity=authority.issue_for(*internet["web_names"]), port=443)
        )
        plain = ends.enter_context(WebServer(internet["plain_pages"], port=80))
        mail = [ends.enter_context(_mail_server(one, authority)) for one in internet["mail"]]
        code, out, err = _called(told, trusted)
    print(  # noqa: T201  # its answer
        json.dumps(
            {
                "code": code,
                "out": out,
                "err": err,
                "names": names.asked,
                "https": secure.asked,
                "http": plain.asked,
                "pop3": [server.verbs() for server in mail],
                "logins": [[login.user for login in server.logins] for server in mail],
            }
        )
    )


def _mail_server(told: Mapping[str, Any], authority: Authority) -> Pop3Server:
    shows = authority.issue_for(*told["names"])
    return Pop3Server(Maildrop(letters(5)), tls=told["tls"], shows=shows, at=(told["address"], told["port"]))


def _called(told: Mapping[str, Any], trusted: Path) -> tuple[int, str, str]:
    folder = Path(told["folder"])
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = kept | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "xdg"),
        "XDG_STATE_HOME": str(folder / "xdg-state"),
        "PYTHONPATH": str(ROOT),
        "PASSWORD": PASSWORD,
        "SSL_CERT_FILE": str(trusted),
    }
    command = [sys.executable, "-m", "migrator", *told["arguments"]]
    if told["answers"] is not None:
        answers = [(question, answer) for question, answer in told["answers"]]
        talked = talk(command, answers, folder=folder, environment=environment)
        return talked.code, talked.said, ""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    main()
