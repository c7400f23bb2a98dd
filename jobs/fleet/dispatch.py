"""The queue of the fleet, behind five verbs; the only module that knows which engine it is.

What is queued may be lost, or come twice: who takes an account looks first whether it is due, and owns it by a lease.
The engine is pgqueuer. A pool is one of its entrypoints, whose limit holds over all machines; a worker that falls
silent loses its place after ``HEARTBEAT``, as its leases run out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import psycopg
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver, SyncPsycopgDriver
from pgqueuer.adapters.persistence.queries import Queries, SyncQueries
from pgqueuer.core.qm import QueueManager
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import QueueEntrypoint
from psycopg.conninfo import make_conninfo

from jobs.fleet.tick import Due
from jobs.log import say
from migrator.backoff import Doubling
from migrator.errors import FerryError, contained
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.postgres.leases import PROBES

HEARTBEAT = 60.0
_LOOK = timedelta(seconds=2)
"""A worker without anything to do looks that often; what is queued wakes it besides."""
_POOLS_SECONDS = 10.0
"""How often a worker looks whether there are new pools, or other limits."""
_AWAY = Doubling(0.5, 15.0)
"""The pauses before looking again for a database that is away."""
_WELL_SECONDS = 60.0
_TAKE_BACK = (
    "update pgqueuer set status = 'queued', queue_manager_id = null, updated = now()"
    " where queue_manager_id = any(%s::uuid[]) and status = 'picked'"
)
"""Queue again what this worker had taken on a connection that was lost: else it would hold its place for a minute. A
run that still goes on owns its account, and one that has ended has made it due later."""


@dataclass(frozen=True, slots=True)
class Again:
    """Queue the account again, after that many seconds, in its old place."""

    seconds: float


Work = Callable[[str], Again | None]
"""Works an account, by name, in a thread of its own."""


class Dispatch(Protocol):
    """What hands out accounts to workers."""

    def offer(self, accounts: Sequence[Due], connection: psycopg.Connection) -> None:
        """Queue accounts, in the connection's transaction; one that is queued or being worked is left out."""

    def work(self, run: Work, limits: Callable[[], Mapping[str, int]]) -> None:
        """Work what comes until ``stop``, however often the database goes away.

        ``limits`` are the pools there are, each with how many runs it takes over all machines.
        """

    def depth(self, connection: psycopg.Connection) -> Mapping[str, int]:
        """Return how many accounts wait, by pool."""

    def stop(self) -> None:
        """Take no more. ``work`` returns once what was taken has ended."""


class PgQueuer:
    """The queue as pgqueuer keeps it."""

    def __init__(self, address: str, at_once: int, *, heartbeat: float = HEARTBEAT) -> None:
        """Queue in the database at ``address``; this worker works that many accounts at one time."""
        self._address = address
        self._at_once = at_once
        self._heartbeat = timedelta(seconds=heartbeat)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="worker")
        self._is_over = threading.Event()
        self._guard = threading.Lock()
        self._session: _Session | None = None
        self._sessions: list[UUID] = []
        """Who this worker was for the engine the last time it was connected."""

    def offer(self, accounts: Sequence[Due], connection: psycopg.Connection) -> None:
        """Queue accounts, in the connection's transaction; one that is queued or being worked is left out."""
        if accounts:
            names = [account.name for account in accounts]
            SyncQueries(SyncPsycopgDriver(connection)).enqueue(
                [account.pool for account in accounts],
                [name.encode() for name in names],
                [0] * len(names),
                dedupe_key=list(names),
                on_conflict="skip",
            )

    def work(self, run: Work, limits: Callable[[], Mapping[str, int]]) -> None:
        """Work what comes until ``stop``, however often the database goes away."""
        failures = 0
        while not self._is_over.is_set():
            began = time.monotonic()
            try:
                with contained():
                    asyncio.run(self._work_once(run, limits))
            except FerryError as error:
                failures = 1 if time.monotonic() - began > _WELL_SECONDS else failures + 1
                pause = _AWAY.retry_delay(failures)
                say("worker.queue.away", level=logging.WARNING, problem=str(error), again_in=pause)
                self._is_over.wait(pause)
        self._threads.shutdown(wait=True)

    def depth(self, connection: psycopg.Connection) -> Mapping[str, int]:
        """Return how many accounts wait, by pool."""
        rows = connection.execute("select entrypoint, count(*) from pgqueuer where status = 'queued' group by 1")
        return {str(pool): int(count) for pool, count in rows}

    def stop(self) -> None:
        """Take no more. ``work`` returns once what was taken has ended."""
        with self._guard:
            self._is_over.set()
            if self._session is not None:
                self._session.stop()

    async def _work_once(self, run: Work, limits: Callable[[], Mapping[str, int]]) -> None:
        async with await self._connected() as asking, await self._connected() as listening:
            await asking.execute(_TAKE_BACK, [self._sessions])
            manager = QueueManager(Queries(_TwoLines(asking, listening)))
            self._sessions = [manager.queue_manager_id]
            session = _Session(manager, asyncio.get_running_loop(), run, self._threads)
            session.limit(await session.in_thread(limits))
            with self._guard:
                self._session = session
                if self._is_over.is_set():
                    return
            looking = asyncio.create_task(self._look_for_pools(session, limits))
            try:
                await manager.run(
                    dequeue_timeout=_LOOK,
                    batch_size=max(1, min(self._at_once // 2, 10)),
                    max_concurrent_tasks=max(2, self._at_once),  # the engine wants two at least
                    heartbeat_timeout=self._heartbeat,
                )
            finally:
                with self._guard:
                    self._session = None
                looking.cancel()

    async def _connected(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            make_conninfo(self._address, **PROBES),
            autocommit=True,
            connect_timeout=5,
            tcp_user_timeout=15_000,
            application_name="mailferry queue",
        )

    @staticmethod
    async def _look_for_pools(session: _Session, limits: Callable[[], Mapping[str, int]]) -> None:
        while True:
            await asyncio.sleep(_POOLS_SECONDS)
            with suppress(psycopg.Error):  # the queue's own connection notices it, too
                session.limit(await session.in_thread(limits))


class _TwoLines(PsycopgDriver):
    """Listens on a connection of its own: on the one on which it asks, each question would wait for a second."""

    def __init__(self, asking: psycopg.AsyncConnection, listening: psycopg.AsyncConnection) -> None:
        super().__init__(listening)
        self._asking = PsycopgDriver(asking)

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return await self._asking.fetch(query, *args)

    async def execute(self, query: str, *args: object) -> str:
        return await self._asking.execute(query, *args)


@dataclass(frozen=True, slots=True)
class _Session:
    """The engine on one connection, in one event loop."""

    manager: QueueManager
    loop: asyncio.AbstractEventLoop
    run: Work
    threads: ThreadPoolExecutor

    def limit(self, limits: Mapping[str, int]) -> None:
        """Serve these pools: a new one from now on, a known one by its present limit."""
        for pool, most in limits.items():
            known = self.manager.entrypoint_registry.get(QueueEntrypoint(pool))
            if known is None:
                self.manager.entrypoint(pool, concurrency_limit=most, accepts_context=False)(self._handle)
            else:
                known.parameters.concurrency_limit = most

    async def in_thread(self, question: Callable[[], Mapping[str, int]]) -> Mapping[str, int]:
        """Ask something that waits, beside the runs."""
        return await asyncio.to_thread(question)

    async def _handle(self, job: Job) -> None:
        answer = await self.loop.run_in_executor(self.threads, self.run, (job.payload or b"").decode())
        if answer is not None:
            raise RetryRequested(timedelta(seconds=answer.seconds))

    def stop(self) -> None:
        """Let the engine take no more; from any thread."""
        with suppress(RuntimeError):  # the loop has ended by itself
            self.loop.call_soon_threadsafe(self.manager.shutdown.set)
