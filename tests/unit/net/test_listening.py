from __future__ import annotations

import pytest

from migrator.net.listening import listening
from migrator.net.stream import connect


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_those_who_connect_wait_before_anybody_serves_them(address: str) -> None:
    with listening(address, 0) as server:
        with connect("127.0.0.1" if address == "localhost" else address, server.getsockname()[1]) as line:
            line.sendall(b"hello")
        served, _ = server.accept()
        with served:
            assert served.recv(5) == b"hello"


def test_an_address_is_had_once() -> None:
    with listening("127.0.0.1", 0) as server, pytest.raises(OSError, match="in use"):
        listening("127.0.0.1", server.getsockname()[1])


def test_an_address_of_somebody_else_is_not_had() -> None:
    with pytest.raises(OSError, match="assign"):
        listening("192.0.2.1", 0)
