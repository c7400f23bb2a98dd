"""Where the benchmark happens: private Dovecots, their mail, and a folder for each run.

Mail is made once per maildrop, by a process of its own, so that this one stays small (``measure`` says why). A run
that deletes gets a maildrop of its own: the same files, linked, with Dovecot's indexes.
"""

from __future__ import annotations

import multiprocessing
import os
import poplib
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Self

from benchmarks.corpora import CORPORA
from benchmarks.latency import far_away
from benchmarks.measure import RunFailedError
from benchmarks.programs import Place
from tests.servers.dovecot import Dovecot
from tests.servers.process import give_to, unprivileged_user

_SETTINGS = {"mail_fsync": "optimized"}  # Dovecot's default, which the servers of the tests turn off
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Stock:
    """A maildrop that is there: how many messages, and how many bytes they make on the disk."""

    user: str
    messages: int
    octets: int


class Yard:
    """Everything that runs share; ends its servers and removes its files at the end of the ``with`` block."""

    def __init__(self, folder: Path | None) -> None:
        self._parent = folder
        self._stack = ExitStack()
        self._stocks: dict[str, Stock] = {}
        self._numbers = count(1)
        self._mdbox: Dovecot | None = None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="mailferry-bench-", dir=self._parent))
        self._folder.chmod(0o755)
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._dovecot = self._started("maildir")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _started(self, backend: str) -> Dovecot:
        kind = "mdbox" if backend == "mdbox" else "maildir"
        folder = self._folder / backend
        return self._stack.enter_context(Dovecot(kind, folder=folder, settings=_SETTINGS))  # type: ignore[arg-type]

    # --- mail ---

    def stock(self, corpus: str, messages: int, *, of: int | None = None) -> Stock:
        """Return a maildrop with the first messages of a corpus, made when it is first asked for.

        Or, of a corpus of that many, with messages from all over it: their sizes are then those of the whole.
        """
        step = (of or messages) // messages
        name = f"{corpus}-{messages}-{step}"
        if name not in self._stocks:
            self.in_a_process(_deliver, self._dovecot, name, corpus, messages, step)
            self._warm(name)
        return self._counted(name)

    def spread(self, messages: int, accounts: int) -> list[Stock]:
        """Return maildrops that share the first messages of the small corpus evenly between them."""
        names = [f"account-{place:03}" for place in range(accounts)]
        if names[0] not in self._stocks:
            self.in_a_process(_deliver_shares, self._dovecot, names, max(1, messages // accounts))
            for name in names:
                self._warm(name)
        return [self._counted(name) for name in names]

    def _counted(self, name: str) -> Stock:
        if name not in self._stocks:
            files = self._files(name)
            self._stocks[name] = Stock(name, len(files), sum(file.stat().st_size for file in files))
        return self._stocks[name]

    def clone(self, stock: Stock) -> Stock:
        """Return a maildrop of its own with the same mail, to be deleted from."""
        name = f"{stock.user}-{next(self._numbers)}"
        source, target = self._maildir(stock.user), self._maildir(name)
        for folder in (target.parent, target, *(target / part for part in ("cur", "new", "tmp"))):
            folder.mkdir(mode=0o700)
            give_to(unprivileged_user(), folder)
        for file in self._files(stock.user):
            os.link(file, target / file.parent.name / file.name)
        for file in source.glob("dovecot*"):
            shutil.copy2(file, target)
            give_to(unprivileged_user(), target / file.name)
        return Stock(name, stock.messages, stock.octets)

    def near(self, stock: Stock, folder: Path) -> None:
        """Put a Maildir with the same mail into a folder, as the starting point of an upload."""
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
        for number, file in enumerate(self._files(stock.user)):
            os.link(file, folder / "cur" / f"{number}.bench:2,")

    def left(self, stock: Stock) -> int:
        """Return how many messages a maildrop has now."""
        return len(self._files(stock.user))

    def remove(self, stock: Stock) -> None:
        """Remove a clone."""
        shutil.rmtree(self._maildir(stock.user).parent, ignore_errors=True)

    def _files(self, user: str) -> list[Path]:
        maildir = self._maildir(user)
        return [*maildir.glob("cur/*"), *maildir.glob("new/*")]

    def _maildir(self, user: str) -> Path:
        return self._dovecot.folder / "users" / user / "Maildir"

    def _warm(self, user: str) -> None:
        """Let Dovecot index the maildrop, so that the first program does not pay for it."""
        session = poplib.POP3("127.0.0.1", self._dovecot.pop3_port, timeout=600)
        session.user(user)
        session.pass_(self._dovecot.password)
        session.stat()
        session.quit()

    def in_a_process(self, target: Callable[..., None], *arguments: object) -> None:
        """Call a function in a process of its own, which may grow without this one growing."""
        process = multiprocessing.get_context("fork").Process(target=_undisturbed, args=(target, *arguments))
        process.start()
        try:
            process.join()
        finally:
            process.kill()
            process.join()
        if process.exitcode:
            raise RunFailedError("the mail could not be made")

    # --- places ---

    @contextmanager
    def source(self, stock: Stock, milliseconds: int, *, is_encrypted: bool = False) -> Iterator[Place]:
        """Yield where a program finds this maildrop, so far away."""
        server = self._dovecot
        port = server.pop3s_port if is_encrypted else server.pop3_port
        with far_away(port, milliseconds) as near:
            yield Place(near, stock.user, server.password, is_encrypted, server.ca_file)

    @contextmanager
    def target(self, backend: str, milliseconds: int) -> Iterator[tuple[Place, Dovecot]]:
        """Yield an empty mailbox by IMAP, so far away, and the server it is on."""
        server = self._dovecot if backend == "maildir" else self._mdbox or self._started("mdbox")
        self._mdbox = server if backend == "mdbox" else self._mdbox
        user = f"target-{next(self._numbers)}"
        with far_away(server.imap_port, milliseconds) as near:
            try:
                yield Place(near, user, server.password), server
            finally:
                shutil.rmtree(server.folder / "users" / user, ignore_errors=True)

    @contextmanager
    def run_folder(self) -> Iterator[Path]:
        """Yield an empty folder for one run; what was written before is on the disk first."""
        os.sync()
        folder = self._folder / f"run-{next(self._numbers)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            with suppress(OSError):
                shutil.rmtree(folder)


def _undisturbed(target: Callable[..., None], *arguments: object) -> None:
    """Call it; Ctrl-C and SIGTERM are for the benchmark, which ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    target(*arguments)


def _deliver(server: Dovecot, user: str, corpus: str, messages: int, step: int) -> None:
    mail = islice(CORPORA[corpus](messages * step), 0, None, step)
    _deliver_all(server, user, mail, 1 if corpus in {"large", "huge"} else _BATCH)


def _deliver_shares(server: Dovecot, users: list[str], messages: int) -> None:
    mail = CORPORA["small"](len(users) * messages)
    for user in users:
        _deliver_all(server, user, islice(mail, messages), _BATCH)


def _deliver_all(server: Dovecot, user: str, mail: Iterator[bytes], at_once: int) -> None:
    while batch := list(islice(mail, at_once)):
        server.deliver(user, batch)
