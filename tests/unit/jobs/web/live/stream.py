"""An open event stream, read as a browser does, but for coming again by itself."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Self

from tests.browser import Browser

PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """What one event told: an id, and parts of the page by their place."""

    id: str
    parts: dict[str, str]


class Stream:
    """One stream of somebody who is signed in."""

    def __init__(self, browser: Browser, path: str = "/events", **headers: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=PATIENCE)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        self._line.request("GET", path, headers={"Host": browser.name, "Cookie": cookie, **headers})
        self.answer = self._line.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.answer.close()
        self._line.close()

    def event(self) -> Event | None:
        """Wait for the next event; None where the stream has ended."""
        known: dict[str, str] = {}
        while line := self.answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                known[name] = value
            elif "data" in known:
                return Event(known["id"], dict(json.loads(known["data"])))
            else:
                known = {}  # a comment, or how soon to come again
        return None

    def until(self, place: str, words: str) -> Event:
        """Wait until a part has these words."""
        while event := self.event():
            if words in event.parts.get(place, ""):
                return event
        raise AssertionError(f"the stream ended before {place} said {words}")

    def rest(self) -> bytes:
        """Read what comes until the stream ends."""
        return self.answer.read()
