"""What systemd hears: that the service is ready, what it does, that it lives (sd_notify(3)).

Harmless where nobody listens: without $NOTIFY_SOCKET nothing is sent, and a lost message is no error of ours. Where
the other end takes nothing any more, none waits longer than a moment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from migrator.lazy_dataclasses import dataclass
from migrator.net import stream as net


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The service manager's end: ``address`` is ``""`` where there is none, ``watchdog`` 0.0 seconds for none."""

    address: str = ""
    watchdog: float = 0.0
    send: Callable[[str, bytes], None] = net.send_datagram

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Supervisor:
        """Find out who started this process, and how often it wants to hear of it."""
        is_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "0") if is_for_us else "0"
        return cls(environment.get("NOTIFY_SOCKET", ""), int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0)

    def ready(self) -> None:
        """Say that the service has started, or has reloaded."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; ``ready`` must follow."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._say("STOPPING=1", "STATUS=ending")

    def status(self, text: str) -> None:
        """Show a line in ``systemctl status``."""
        self._say(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if self.address:
            with suppress(OSError):
                self.send(self.address, "\n".join(lines).encode())
