"""What a scripted POP3 server keeps between sessions, and what a test compares with what should be left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock


def canonical(message: bytes) -> bytes:
    """The message with every line ending in CRLF, as its digest is taken: a bare LF ends a line, a bare CR does not."""
    crlf = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return crlf if crlf.endswith(b"\r\n") or not crlf else crlf + b"\r\n"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message at the source. ``key`` is ours alone: it is never given again and no client sees it."""

    key: int
    content: bytes
    unique_id: bytes


class Maildrop:
    """Messages with their unique-ids, oldest first; safe to change while sessions are open."""

    def __init__(self, messages: Iterable[bytes] = ()) -> None:
        self._lock = Lock()
        self._keys = count(1)
        self._messages: dict[int, StoredMessage] = {}
        self.retrieved: set[tuple[bytes, bytes, int]] = set()
        """What any session ever asked for by RETR: unique-id, header and octets, as they were shown."""
        for message in messages:
            self.add(message)

    def add(self, content: bytes, unique_id: bytes | None = None) -> StoredMessage:
        """Let a new message arrive; its unique-id may be one that another message has or had."""
        with self._lock:
            key = next(self._keys)
            stored = StoredMessage(key, content, b"uid-%08d" % key if unique_id is None else unique_id)
            self._messages[key] = stored
            return stored

    def replace(self, message: StoredMessage, content: bytes) -> None:
        """Let a message have another content under the same unique-id."""
        with self._lock:
            self._messages[message.key] = replace(message, content=content)

    def remove(self, message: StoredMessage) -> None:
        """Let a message vanish; harmless when it is gone."""
        with self._lock:
            self._messages.pop(message.key, None)

    def put_back(self, messages: Iterable[StoredMessage]) -> None:
        """Let these be what is there, as they were."""
        with self._lock:
            self._messages = {message.key: message for message in messages}

    def stored(self) -> list[StoredMessage]:
        """What is there now."""
        with self._lock:
            return list(self._messages.values())

    def left(self) -> list[bytes]:
        """The contents of what is there now."""
        return [message.content for message in self.stored()]

    def unique_ids(self) -> list[bytes]:
        """The unique-ids of what is there now."""
        return [message.unique_id for message in self.stored()]
