"""A server process that ends with whoever started it, however that one ends.

The kernel signals the child when the starting thread dies (prctl(2), PR_SET_PDEATHSIG), so start servers from
the main thread. Only processes started here are ever signalled.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import IO

LOOPBACK = "127.0.0.1"
START_TIMEOUT = 30.0
_LOW_PORT, _HIGH_PORT = 20_000, 32_000  # below what the kernel gives to outgoing connections


class ServerFailedError(Exception):
    """A test server did not start, with what it said."""


class ServerProcess:
    """One server in a process group of its own, without privileges when ``user`` is given (which takes root).

    ``is_namespace`` says that the command is unshare(1) with a PID namespace: when the first process in there is
    killed, all others have ended before unshare does.
    """

    def __init__(
        self, command: Sequence[str], *, output: IO[bytes], user: str | None = None, is_namespace: bool = False
    ) -> None:
        self._is_namespace = is_namespace
        death = ["setpriv", "--pdeathsig", "KILL" if is_namespace else "TERM"]
        drop = ["--reuid", user, "--regid", str(group_of(user)), "--clear-groups"] if user else []
        self._process = subprocess.Popen(
            [*death, *drop, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the server is gone."""
        return self._process.poll() is not None

    def wait_until(self, is_ready: Callable[[], bool]) -> bool:
        """Wait until ``is_ready``; false when the process ended or took too long before."""
        end = time.monotonic() + START_TIMEOUT
        while not self.has_ended() and time.monotonic() < end:
            if is_ready():
                return True
            time.sleep(0.01)
        return False

    def wait_for_end(self) -> bool:
        """Wait until the server has ended by itself; false when that took too long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(START_TIMEOUT)
        return self.has_ended()

    def stop(self) -> None:
        """End the server and its children at once; harmless when they are gone already.

        What they told their clients is in their files: a server that is killed loses no more than its goodbye.
        """
        if self.has_ended():
            return
        with suppress(ProcessLookupError):
            if self._is_namespace:
                os.kill(self._first_inside(), signal.SIGKILL)
            else:
                os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own: pid and group id are the same
        self._process.wait()
        self._wait_for_children()

    def _wait_for_children(self) -> None:
        """Return when none of the group lives: who was killed holds its sockets for a moment yet."""
        end = time.monotonic() + START_TIMEOUT
        while _has_living(group=self.pid) and time.monotonic() < end:
            time.sleep(0.005)

    def _first_inside(self) -> int:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else self.pid


def _has_living(group: int) -> bool:
    """Whether a process of this group runs; one that nobody has waited for yet has ended all the same."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is there, as another user
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            state, _, its_group = process.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in {"Z", "X"}:
                return True
    return False


def group_of(user: str) -> int:
    """The main group of a system user."""
    return pwd.getpwnam(user).pw_gid


def unprivileged_user() -> str | None:
    """Whom a server runs as when the tests run as root: servers of mail refuse root."""
    return "nobody" if os.geteuid() == 0 else None


def give_to(user: str | None, *paths: Path) -> None:
    """Make ``user`` the owner of files and folders; nothing without a user."""
    if user is None:
        return
    account = pwd.getpwnam(user)
    for path in paths:
        os.chown(path, account.pw_uid, account.pw_gid)


def free_ports(count: int) -> list[int]:
    """Ports on loopback where nothing listened a moment ago; another process may still come first."""
    chance = Random()
    found: set[int] = set()
    while len(found) < count:
        port = chance.randrange(_LOW_PORT, _HIGH_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            found.add(port)
    return list(found)


def answers(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
