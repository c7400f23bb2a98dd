import socket
import threading
import time
import urllib.error
import urllib.request

import pytest

from migrator.errors import FerryError, Kind
from migrator.oauth.loopback import Listener


def visit(port: int, path: str, statuses: list[object]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}{path}", timeout=20) as response:
            text = response.read().decode()
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "<script" not in text
            statuses.append(response.status)
    except urllib.error.HTTPError as error:
        with error:
            statuses.append(error.code)


def visited(listener: Listener[str], *paths: str) -> list[object]:
    statuses: list[object] = []

    def browse() -> None:
        for path in paths:
            visit(listener.port, path, statuses)

    browser = threading.Thread(target=browse)
    browser.start()
    try:
        listener.wait(20.0)
    finally:
        browser.join()
        listener.close()
    return statuses


def test_other_addresses_get_404_and_do_not_end_the_wait() -> None:
    listener = Listener(lambda path: "the code" if path == "/?right" else None)
    assert visited(listener, "/favicon.ico", "/?wrong", "/?right") == [404, 404, 200]
    assert listener.wait(0.0) == "the code"


def test_an_answer_that_is_no_ends_the_wait() -> None:
    def take(path: str) -> str | None:
        raise FerryError(Kind.AUTH, path)

    with pytest.raises(FerryError, match="access_denied"):
        visited(Listener(take), "/?error=access_denied")


def test_nobody_comes() -> None:
    listener: Listener[str] = Listener(lambda _path: None)
    assert listener.wait(0.05) is None
    listener.close()


def test_a_line_on_which_nothing_is_said_keeps_nobody_waiting() -> None:
    listener = Listener(lambda path: "the code" if path == "/?right" else None)
    with socket.create_connection(("127.0.0.1", listener.port)):
        began = time.monotonic()
        assert visited(listener, "/?right") == [200]
    assert time.monotonic() - began < 5
