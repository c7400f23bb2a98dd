"""The open event streams (text/event-stream of the HTML standard): who listens, and what each has not heard yet.

All of them live in the page's event loop and hold no thread. Once a second, while anybody listens, one thread looks for
what has changed; who may listen is asked again before anything is sent, and at every beat of a stream in any case.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from jobs.log import say
from jobs.web.live.board import Board, Source
from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import dataclass

MOST = 100
MOST_OF_USER = 25
"""Of one user; the others are for the other users."""
TICK_SECONDS = 1.0
BEAT_SECONDS = 15.0
"""A stream is not silent for longer: a line that is dead is noticed, and proxies do not close it."""
TRY_AGAIN = b"retry: 5000\n\n"
STILL_HERE = b": still here\n\n"


@dataclass(slots=True, eq=False)
class Watcher:
    """Who listens to one stream. Those of the same ``key`` see the same. ``since`` is the last change they know."""

    user: str
    key: Hashable
    source: Callable[[], Source]
    is_allowed: Callable[[], bool]
    """Say whether this watcher may still listen; asks the store."""
    since: int = 0
    is_gone: bool = False


class Streams:
    """All streams of a page. ``close`` may be called from any thread, the rest from the event loop."""

    def __init__(self, tick: float = TICK_SECONDS, beat: float = BEAT_SECONDS) -> None:
        self._tick = tick
        self._beat = beat
        self._origin = secrets.token_hex(4)
        self._number = 0
        self._watchers: list[Watcher] = []
        self._boards: dict[Hashable, Board] = {}
        self._turn = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False
        self._allowed_at = 0.0

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._watchers)

    @property
    def stamp(self) -> str:
        """The id of the newest change: a page that is made now shows it."""
        return f"{self._origin}-{self._number}"

    def number_of(self, stamp: str) -> int:
        """Return the number of a change by its id; 0 for one that this process did not tell."""
        origin, _, number = stamp.partition("-")
        is_ours = origin == self._origin and number.isascii() and number.isdecimal() and len(number) <= 18
        return int(number) if is_ours else 0

    def enter(self, watcher: Watcher) -> bool:
        """Let a watcher listen; False where that many do already, or the page ends."""
        of_user = Counter(one.user for one in self._watchers)[watcher.user]
        if self._is_over or self.count >= MOST or of_user >= MOST_OF_USER:
            return False
        self._loop = asyncio.get_running_loop()
        self._watchers.append(watcher)
        if self._task is None:
            self._task = self._loop.create_task(self._look_on())
        return True

    def leave(self, watcher: Watcher) -> None:
        """Let a watcher go."""
        self._watchers.remove(watcher)

    async def follow(self, watcher: Watcher) -> AsyncIterator[bytes]:
        """Yield what a watcher hears, until it may not listen any more, or the page ends."""
        yield TRY_AGAIN
        told_at = time.monotonic()
        while not (self._is_over or watcher.is_gone):
            turn = self._turn
            news = self._news(watcher)
            if not news and time.monotonic() - told_at >= self._beat:
                news = STILL_HERE
            if news:
                yield news
                told_at = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, told_at + self._beat - time.monotonic())):
                    await turn.wait()

    def _news(self, watcher: Watcher) -> bytes:
        number = self._number  # before the parts: what a look changes meanwhile is sent the next time
        board = self._boards.get(watcher.key)
        told = board.told(watcher.since) if board else b""
        watcher.since = number
        return b"id: %s-%d\ndata: %s\n\n" % (self._origin.encode(), number, told) if told else b""

    async def _look_on(self) -> None:
        while self._watchers and not self._is_over:
            if await run_in_threadpool(self._look, tuple(self._watchers)):
                self._wake()
            for key in self._boards.keys() - {watcher.key for watcher in self._watchers}:
                del self._boards[key]  # nobody sees it any more
            await asyncio.sleep(self._tick)
        self._task = None

    def _look(self, watchers: Sequence[Watcher]) -> bool:
        """Find what has changed, and who may not listen any more; says whether there is anything to be sent."""
        number = self._number + 1
        sources = {watcher.key: watcher.source for watcher in watchers}
        news = [self._refreshed(key, source, number, watchers) for key, source in sources.items()]
        is_news, now = any(news), time.monotonic()
        if is_news or now - self._allowed_at >= self._beat:
            self._allowed_at = now
            for watcher in watchers:
                watcher.is_gone = watcher.is_gone or not watcher.is_allowed()
        self._number = number
        return is_news or any(watcher.is_gone for watcher in watchers)

    def _refreshed(self, key: Hashable, source: Callable[[], Source], number: int, watchers: Sequence[Watcher]) -> bool:
        try:
            with contained():
                board = self._boards.get(key) or Board(source())
                is_news = board.refresh(number)
        except FerryError as error:  # its listeners come again after a while
            say("web.failed", level=logging.ERROR, path="/events", kind=str(error.kind), problem=str(error))
            for watcher in watchers:
                watcher.is_gone = watcher.is_gone or watcher.key == key
            return False
        self._boards[key] = board
        return is_news

    def _wake(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()

    def close(self) -> None:
        """End every stream, and let nobody in any more."""
        self._is_over = True
        if self._loop is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # it has just been closed
                self._loop.call_soon_threadsafe(self._wake)


class EventResponse(StreamingResponse):
    """The answer that is one stream; 503 where there is no place for another."""

    def __init__(self, streams: Streams, watcher: Watcher) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(streams.follow(watcher), media_type="text/event-stream", headers=headers)
        self._streams = streams
        self._watcher = watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is new, as long as the other end listens."""
        if not self._streams.enter(self._watcher):
            full = PlainTextResponse("Too many pages are open.\n", 503, headers={"Retry-After": "60"})
            await full(scope, receive, send)
            return
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.leave(self._watcher)
