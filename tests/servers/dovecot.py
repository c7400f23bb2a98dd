"""A private Dovecot on loopback: POP3 and IMAP, each plain, with STARTTLS, and with TLS from the start.

Runs without privileges: as the caller, or as ``nobody`` when the caller is root. Any user name logs in with the one
password or a token of their own, and their maildrop appears at first use. As a process of its own:

    python -m tests.servers.dovecot --backend maildir

prints its ports as one line of JSON and serves until its standard input closes or SIGTERM comes.
"""

from __future__ import annotations

import argparse
import getpass
import grp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, Self

from tests.servers.certificates import authority, identity
from tests.servers.dovecot_configuration import CONFIGURATION
from tests.servers.imap_mailbox import Mailbox
from tests.servers.maildrop import canonical
from tests.servers.process import ServerFailedError, ServerProcess, free_ports, give_to, group_of, unprivileged_user
from tests.servers.tokens import token_for, write_oauth2_configuration

Backend = Literal["maildir", "mbox", "mdbox"]

DOVECOT = Path("/usr/sbin/dovecot")
_MAIL_LOCATION: dict[Backend, str] = {
    "maildir": "maildir:~/Maildir",
    "mbox": "mbox:~/mail:INBOX=~/inbox",
    "mdbox": "mdbox:~/mdbox",
}
_ATTEMPTS = 5  # another process may take a port between our look and Dovecot's


def why_missing() -> str | None:
    """Say why Dovecot cannot be used here; ``None`` when it can."""
    protocols = [Path("/usr/lib/dovecot") / name for name in ("pop3", "imap")]
    if not all(program.exists() for program in (DOVECOT, *protocols)):
        return "Dovecot is not installed (run tests/prepare)"
    if not _version().startswith("2.3."):
        return f"Dovecot {_version()} is configured in another way than the 2.3 that we know"
    return None


@cache
def _version() -> str:
    return subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]


class Dovecot:
    """A running Dovecot; stops at the end of its ``with`` block.

    ``uidl_format`` and ``settings`` (any setting of dovecot.conf, by name) change what it shows. ``introspection`` is a
    mode (``post``, ``get``) and a URL: tokens are then known by asking there, and not by our key. ``folder`` may be
    given to choose the disk or to find the mail again after a restart; it must then be reachable by ``nobody`` when
    the caller is root, which pytest's ``tmp_path`` is not.
    """

    host = "127.0.0.1"
    password = "open-sesame"

    def __init__(
        self,
        backend: Backend = "maildir",
        *,
        folder: Path | None = None,
        uidl_format: str = "%08Xu%08Xv",
        no_flag_updates: bool = True,
        settings: Mapping[str, str] | None = None,
        introspection: tuple[str, str] | None = None,
    ) -> None:
        self._introspection = introspection
        self.backend = backend
        self._user = unprivileged_user()
        self._keeps_folder = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="mailferry-dovecot-"))
        self.ca_file = self.folder / "ca.pem"
        self.log_file = self.folder / "dovecot.log"
        self._settings = {
            "pop3_uidl_format": uidl_format,
            "pop3_no_flag_updates": "yes" if no_flag_updates else "no",
            **(settings or {}),
        }
        self._last_delivery = 0
        try:
            self._prepare_folder()
            self._process = self._start()
        except BaseException:
            self._remove_folder()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server, and remove its folder unless the caller chose it."""
        self._process.stop()
        self._remove_folder()

    @property
    def ports(self) -> dict[str, int]:
        """Every port by name."""
        return {
            "pop3_port": self.pop3_port,
            "pop3s_port": self.pop3s_port,
            "imap_port": self.imap_port,
            "imaps_port": self.imaps_port,
        }

    def deliver(self, user: str, messages: Sequence[bytes]) -> None:
        """Put messages into a user's INBOX behind what is there, as a delivery agent would, quickly.

        ``mbox`` holds what mbox can hold: a message without a blank line after its header gets one.
        """
        match self.backend:
            case "maildir":
                self._deliver_to_maildir(user, messages)
            case "mbox":
                self._deliver_to_mbox(user, messages)
            case "mdbox":
                self.mailbox(user).append(messages)

    def count(self, user: str, folder: str = "INBOX") -> int:
        """How many messages a folder of the user's holds now."""
        if folder == "INBOX" and self.backend == "maildir":
            return len(self._maildir_files(user))
        return self.mailbox(user, folder).count()

    def messages(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What a folder of the user's really holds now, oldest first, each line ending in CRLF.

        A Maildir's INBOX is read from disk, so NUL is NUL; anything else by IMAP, where Dovecot shows NUL as 0x80.
        """
        if folder == "INBOX" and self.backend == "maildir":
            return [canonical(path.read_bytes()) for path in self._maildir_files(user)]
        return self.mailbox(user, folder).messages()

    def token(self, user: str, padding: int = 0) -> str:
        """An OAuth token for XOAUTH2 and OAUTHBEARER, larger by ``padding`` bytes."""
        return token_for(user, padding)

    def mailbox(self, user: str, folder: str = "INBOX") -> Mailbox:
        """The user's folder by IMAP."""
        return Mailbox(self.imap_port, user, self.password, folder)

    def log(self) -> str:
        """What Dovecot logged so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def _remove_folder(self) -> None:
        if not self._keeps_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _prepare_folder(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        _require_reachable(self.folder)
        shutil.rmtree(self.folder / "base", ignore_errors=True)  # sockets and pid of an instance before
        for name in ("base", "state", "users"):
            (self.folder / name).mkdir(exist_ok=True)
            give_to(self._user, self.folder / name)
        give_to(self._user, self.folder)
        self.ca_file.write_bytes(authority().certificate)
        give_to(self._user, *identity().write(self.folder))
        write_oauth2_configuration(self.folder, self._introspection)

    def _start(self) -> ServerProcess:
        for _ in range(_ATTEMPTS):
            self.pop3_port, self.pop3s_port, self.imap_port, self.imaps_port = free_ports(4)
            configuration = self.folder / "dovecot.conf"
            configuration.write_text(self._configuration())
            self.log_file.unlink(missing_ok=True)
            with (self.folder / "output").open("wb") as output:
                process = ServerProcess([str(DOVECOT), "-F", "-c", str(configuration)], output=output, user=self._user)
            if process.wait_until(lambda: "starting up" in self.log()):
                return process
            process.stop()
            if "Address already in use" not in self.log():
                break
        said = (self.folder / "output").read_text(errors="replace")
        raise ServerFailedError(f"Dovecot did not start: {said}{self.log()}")

    def _configuration(self) -> str:
        user = self._user or getpass.getuser()
        group = grp.getgrgid(group_of(user)).gr_name
        settings = "".join(f"{name} = {value}\n" for name, value in self._settings.items())
        return CONFIGURATION.format(
            folder=self.folder,
            user=user,
            group=group,
            password=self.password,
            mail_location=_MAIL_LOCATION[self.backend],
            settings=settings,
            **self.ports,
        )

    def _home(self, user: str) -> Path:
        home = self.folder / "users" / user
        if not home.exists():
            home.mkdir(mode=0o700)
            give_to(self._user, home)
        return home

    def _deliver_to_maildir(self, user: str, messages: Sequence[bytes]) -> None:
        maildir = self._home(user) / "Maildir"
        for folder in (maildir, *(maildir / name for name in ("cur", "new", "tmp"))):
            if not folder.exists():
                folder.mkdir(mode=0o700)
                give_to(self._user, folder)
        for message in messages:
            stored = _with_unix_line_ends(message)
            microseconds = self._last_delivery = max(self._last_delivery + 1, time.time_ns() // 1000)
            seconds, rest = divmod(microseconds, 1_000_000)
            name = f"{seconds}.M{rest:06}P1.test,S={len(stored)},W={len(canonical(stored))}"
            path = maildir / "tmp" / name
            path.write_bytes(stored)
            give_to(self._user, path)
            path.rename(maildir / "new" / name)

    def _maildir_files(self, user: str) -> list[Path]:
        maildir = self.folder / "users" / user / "Maildir"
        return sorted((*maildir.glob("new/*"), *maildir.glob("cur/*")), key=_time_of_delivery)

    def _deliver_to_mbox(self, user: str, messages: Sequence[bytes]) -> None:
        inbox = self._home(user) / "inbox"
        with inbox.open("ab") as file:
            for message in messages:
                file.write(_mbox_record(message))
        give_to(self._user, inbox)


def _with_unix_line_ends(message: bytes) -> bytes:
    """The form that delivery agents store, unless it would lose a CR that belongs to the line."""
    return message if b"\r\r\n" in message else message.replace(b"\r\n", b"\n")


def _time_of_delivery(path: Path) -> tuple[int, int]:
    """Dovecot's own order of new files: the seconds, then the microseconds of a Maildir name."""
    seconds, rest = path.name.split(".", 1)
    digits = rest[1:].split("P", 1)[0]
    return int(seconds), int(digits) if digits.isdigit() else 0


def _mbox_record(message: bytes) -> bytes:
    stored = canonical(message).replace(b"\r\n", b"\n")
    header, blank, body = stored.partition(b"\n\n")
    if not blank:
        header, body = stored.rstrip(b"\n"), b""
    length = b"Content-Length: %d\n" % len(body)  # Dovecot believes it, so a From_ line in the body does no harm
    return b"From sender@example.org Thu Jan  1 00:00:00 2026\n" + length + header + b"\n\n" + body + b"\n"


def _require_reachable(folder: Path) -> None:
    if unprivileged_user() is None:
        return
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise ServerFailedError(f"{parent} is closed to {unprivileged_user()}, as whom Dovecot runs under root")


def main() -> None:
    """Serve until standard input closes or SIGTERM comes."""
    parser = argparse.ArgumentParser(description="Serve a private Dovecot until standard input closes.")
    parser.add_argument("--dir", type=Path, help="where it keeps its mail; kept afterwards")
    parser.add_argument("--backend", choices=list(_MAIL_LOCATION), default="maildir")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of dovecot.conf")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = dict(pair.split("=", 1) for pair in options.set)
    with Dovecot(options.backend, folder=options.dir, settings=settings) as server:
        facts = {**server.ports, "folder": server.folder, "ca_file": server.ca_file, "password": server.password}
        print(json.dumps(facts, default=os.fspath), flush=True)  # noqa: T201  the answer of this command
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
