"""Plays systemd for one service: reads the unit's own command lines, listens at a real notify socket, sends signals."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

UNIT = Path(__file__).parents[2] / "deploy" / "mailferry.service"
PATIENCE = 60.0
OURS = "/opt/mailferry/bin/mailferry"


def setting(key: str) -> str:
    """The value of a key of the unit that stands there once."""
    [value] = [line.partition("=")[2] for line in UNIT.read_text().splitlines() if line.startswith(f"{key}=")]
    return value


class ServiceManager:
    """One service, started by its unit's ExecStart with another configuration file, and supervised."""

    def __init__(self, config: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._environment = dict(environment or {})
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = config.parent / "notify.sock"
        self._socket.bind(str(self._address))
        self._log = (config.parent / "worker.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.poll() is None:
            self.kill()
        self._socket.close()
        self._log.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The main process."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> str:
        """What the service has written so far, in all its lives."""
        return (self._config.parent / "worker.log").read_text()

    def start(self) -> None:
        """Start the service and wait until it says that it is ready."""
        self.launch()
        self.wait_for(lambda: "READY=1" in self.messages)

    def launch(self) -> None:
        """Start the service."""
        self.messages.clear()
        command = shlex.split(setting("ExecStart"))
        assert command[0] == OURS
        words = [str(self._config) if word == "/etc/mailferry/config.toml" else word for word in command[1:]]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "migrator", *words],
            env={
                **os.environ,
                "PYTHONPATH": str(UNIT.parents[1]),
                "NOTIFY_SOCKET": str(self._address),
                "WATCHDOG_USEC": "3000000",
                **self._environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,
        )

    def wait_for(self, is_so: Callable[[], object]) -> None:
        """Take messages until something is so; fails with the service's log when it takes too long or the service ends."""
        end = time.monotonic() + PATIENCE
        self._socket.settimeout(0.05)
        while not is_so():
            try:
                self.messages += self._socket.recv(65536).decode().splitlines()
            except TimeoutError:
                assert time.monotonic() < end, f"waited in vain; the service said:\n{self.log}\n{self.messages}"
                assert self.process.poll() is None, f"the service ended:\n{self.log}"

    def reload(self) -> None:
        """Do what the unit's ExecReload does."""
        assert setting("ExecReload") == "/bin/kill -HUP $MAINPID"
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Do what systemd does to stop a service; returns the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._socket.settimeout(0.2)
        try:
            while True:
                self.messages += self._socket.recv(65536).decode().splitlines()
        except TimeoutError:
            return code

    def kill(self) -> None:
        """End the service as a power cut would."""
        self.process.kill()
        self.process.wait()
