"""What the service manager hears, and that one which hears nothing more holds nobody up."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from pathlib import Path

from jobs.systemd import Supervisor


def test_the_manager_hears_each_message(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        supervisor = Supervisor(str(tmp_path / "notify"))
        supervisor.ready()
        supervisor.status("3 accounts: 3 well")
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STATUS=3 accounts: 3 well"]


def test_a_manager_that_takes_nothing_any_more_does_not_stop_the_worker(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        _fill(str(tmp_path / "notify"))
        said = threading.Thread(target=Supervisor(str(tmp_path / "notify")).alive, daemon=True)
        said.start()
        said.join(20)
        assert not said.is_alive()


def _fill(address: str) -> None:
    """Send until the socket takes nothing more."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sender:
        sender.setblocking(False)
        while True:
            try:
                sender.sendto(b"WATCHDOG=1", address)
            except BlockingIOError:
                return
