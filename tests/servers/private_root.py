"""Run a program from an unpacked Debian package with its compiled-in paths, apart from the system.

In a mount namespace of its own the unpacked folder is laid over ``/`` (what is written there goes to memory), and in a
PID namespace of its own everything ends when the outermost process does. The network is shared, so its ports are
reachable on loopback. Takes root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, SOCK_STREAM, socket
from threading import Thread
from typing import IO, Self

from tests.servers.imap_mailbox import Mailbox
from tests.servers.process import ServerFailedError, ServerProcess

_SCRIPT = """
set -e
packages=$1 shared=$2; shift 2
mount -t tmpfs tmpfs "$shared/scratch"
mkdir "$shared/scratch/work" "$shared/scratch/root"
cp -a "$packages" "$shared/scratch/upper"  # a second lower layer must not lie within the first, which is /
cp -a "$shared/layer/." "$shared/scratch/upper/"
root=$shared/scratch/root
mount -t overlay overlay "$root" -o "lowerdir=/,upperdir=$shared/scratch/upper,workdir=$shared/scratch/work"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
exec chroot "$root" "$@"
"""

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
"""As it is before the tests have one of their own."""


def unpacked(name: str) -> Path:
    """Where tests/prepare unpacked a server."""
    return _CACHE / "mailferry-tests" / name


def why_missing(name: str) -> str | None:
    """Say why a server that tests/prepare unpacks cannot be used here; ``None`` when it can."""
    if os.geteuid() != 0:
        return f"{name.capitalize()} has compiled-in paths: running it privately takes root"
    if not (unpacked(name) / ".complete").exists():
        return f"{name.capitalize()} is not unpacked (run tests/prepare)"
    return None


class PrivateRoot:
    """One server's files: ``layer`` lies on top of everything, ``folder`` is seen under the same path inside."""

    def __init__(self, name: str) -> None:
        self._packages = unpacked(name) / "root"
        self.folder = Path(tempfile.mkdtemp(prefix=f"mailferry-{name}-"))
        self.folder.chmod(0o755)
        self.layer = self.folder / "layer"
        self.log_file = self.folder / "log"
        for folder in (self.layer, self.folder / "scratch"):
            folder.mkdir()

    def write(self, path: str, text: str) -> None:
        """Give the server a file at an absolute path."""
        target = self.layer / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def start(self, command: Sequence[str], is_ready: Callable[[], bool]) -> ServerProcess:
        """Run a command inside until it is ready."""
        with self.log_file.open("ab") as log:
            process = self._run(command, log)
        if process.wait_until(is_ready):
            return process
        process.stop()
        raise ServerFailedError(f"{command[0]} did not start: {self.log_file.read_text(errors='replace')}")

    def remove(self) -> None:
        """Remove all files; everything that ran inside must have ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: Sequence[str], log: IO[bytes]) -> ServerProcess:
        outside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"]
        script = ["sh", "-c", _SCRIPT, "sh", str(self._packages), str(self.folder)]
        return ServerProcess([*outside, *script, *command], output=log, is_namespace=True)


class AskedDaemon:
    """Answers on a Unix socket in this process: what such servers ask when someone logs in."""

    def __init__(self, path: Path, answer: Callable[[socket], None]) -> None:
        self._answer = answer
        self._listener = socket(AF_UNIX, SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o777)
        self._listener.listen(64)
        self._thread = Thread(target=self._serve, name="asked-daemon", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody any more."""
        with suppress(OSError):
            self._listener.shutdown(SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                with line, suppress(OSError):
                    self._answer(line)


class PrivateServer:
    """What Cyrus and Courier have in common; stops at the end of its ``with`` block."""

    host = "127.0.0.1"
    password = "open-sesame"
    imap_port: int
    imaps_port: int

    def __init__(self) -> None:
        with ExitStack() as ends:
            self._start(ends)
            self._ends = ends.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and remove its files."""
        self._ends.close()

    def mailbox(self, user: str, folder: str = "INBOX") -> Mailbox:
        """The user's folder by IMAP."""
        return Mailbox(self.imap_port, user, self.password, folder)

    def messages(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """What a folder of the user's holds now, in the order of UIDs, as the server shows it."""
        return self.mailbox(user, folder).messages()

    def count(self, user: str, folder: str = "INBOX") -> int:
        """How many messages a folder of the user's holds now."""
        return self.mailbox(user, folder).count()

    @abstractmethod
    def _start(self, ends: ExitStack) -> None:
        """Start the server, leaving with ``ends`` what undoes each step."""
