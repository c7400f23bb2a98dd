"""The page's HTTP server: uvicorn in a thread of the worker. It sets no signal handlers, and trusts no proxy's word."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import uvicorn

from jobs.log import say
from jobs.web.app import application
from jobs.web.language import Language
from jobs.web.languages import shipped_languages
from jobs.web.site import Site
from jobs.web.store import WebStore
from jobs.web.tasks.queue import Tasks
from jobs.web.tasks.task_store import interrupt_tasks
from jobs.web.worker import Worker
from migrator.config import Web
from migrator.errors import ConfigError
from migrator.net.listening import listening

if TYPE_CHECKING:
    from starlette.types import ASGIApp

MOST_CONNECTIONS = 200
GRACE_SECONDS = 2
STOP_SECONDS = 5.0


class PageServer:
    """The page of a worker, and the thread that serves it."""

    def __init__(self, settings: Web, worker: Worker, languages: Sequence[Language] | None = None) -> None:
        """Listen at once; raises ``ConfigError`` when that cannot be. ``start`` begins to answer."""
        check_extras(settings)
        self._settings = settings
        self._store = WebStore(worker.config().state_dir)
        self._tasks = Tasks(self._store, worker, time.time)
        spoken = languages or shipped_languages()
        self.site = Site(worker, self._store, self._tasks, is_tls=settings.is_tls, languages=spoken)
        try:
            uvicorn_config = _loaded(settings, application(self.site))
            self._socket = _bound(settings.listen)
        except ConfigError:
            self._store.close()
            raise
        self._server = uvicorn.Server(uvicorn_config)
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    @property
    def address(self) -> str:
        """Where the page is opened."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._settings.is_tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    def start(self) -> None:
        """Start to answer; where nobody may sign in yet, say the token that lets the first user in."""
        interrupt_tasks(self._store, time.time())
        self._tasks.start()
        self._thread.start()
        say("web.listening", url=self.address)
        if not self._store.has_users():
            say("web.setup", url=f"{self.address}setup", token=self.site.setup.new_token())

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def is_alive(self) -> bool:
        """Tell whether the page's thread lives."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Answer no more."""
        self.site.streams.close()
        self._server.should_exit = True
        if self._tasks.is_alive():
            self._tasks.stop(STOP_SECONDS)
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._socket.close()
        self.site.parsers.close()
        self._store.close()


def check_extras(settings: Web) -> None:
    """Raise ``ConfigError`` where the configuration wants what is not installed."""
    if settings.oidc is not None and find_spec("joserfc") is None:
        raise ConfigError(["[web.oidc] needs one more package: pip install 'mailferry[oidc]'"])


def try_address(listen: str) -> None:
    """Raise ``ConfigError`` if that address cannot be had now."""
    _bound(listen).close()


Socket = Any  # one of the standard library, which only migrator.net may name


def _bound(listen: str) -> Socket:
    """Return a socket that listens there; raises ``ConfigError``."""
    try:
        return listening(*_parts(listen))
    except OSError as error:
        raise ConfigError([f"[web] listen: {listen} cannot be used: {error.strerror}"]) from error


def _parts(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _loaded(settings: Web, app: ASGIApp) -> uvicorn.Config:
    """Return how the page is served; raises ``ConfigError`` for a certificate or a key that is none."""
    config = _uvicorn(settings, app)
    try:
        config.load()
    except (OSError, ValueError) as error:
        files = f"{settings.tls_certificate} and {settings.tls_key}"
        raise ConfigError([f"[web] tls_certificate, tls_key: {files} cannot be used: {error}"]) from error
    return config


def _uvicorn(settings: Web, app: ASGIApp) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        date_header=True,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
