"""The storing side of a large run in a process of its own, so that it has a core to itself.

What a ``Carrier`` does to a message is mostly Python, of which one process runs one thread at a time. A porter
(``migrator.porter``) is the same carrier, of the same destination and ledger, in another process: it is handed
batches and gives their outcomes. Nothing rests on it. It may die at any point, like any writer, and what it left is
found by the next; when this process dies, it ends with the batch it is at. No password goes there.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import IO, NamedTuple, Protocol

from migrator.errors import FerryError
from migrator.model import LinesBody, Message, PiecedBody
from migrator.porter import LENGTH, packed
from migrator.transfer import Carrier, Outcome

WORTH_IT = 4_000
"""Fewer messages are brought home before a process of their own has paid for its start."""

_SIDES = 2  # of a run: a machine with fewer cores has none to spare
_PIPE_OCTETS = 1 << 20
_BUFFERS = 512  # of one writev; the system allows 1,024
_GRACE = 60.0
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "TZ")


class Bringer(Protocol):
    """Whoever brings batches to a destination: a ``Carrier``, here or apart."""

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Make sure that the destination holds a proven copy of each message; see ``Carrier.bring``."""


class Porters:
    """Shares one porter among the runs of this process, as long as there are any with enough to do."""

    def __init__(self, worth_it: int = WORTH_IT) -> None:
        """Start nothing yet; so many messages, of all runs together, are worth a porter."""
        self._worth_it = worth_it
        self._guard = threading.Lock()
        self._runs = 0
        self._messages = 0
        self._porter: _Porter | None = None
        self._at_work = threading.Lock()

    @contextmanager
    def lent(self, carrier: Carrier, messages: int) -> Iterator[Bringer]:
        """Yield who is to bring so many messages to a destination: the carrier, and the porter whenever it is free."""
        if carrier.destination.kind == "imap" or (os.cpu_count() or 1) < _SIDES:
            yield carrier
            return
        self._begin(messages)
        try:
            yield _Shared(carrier, self)
        finally:
            self._end()

    def _begin(self, messages: int) -> None:
        with self._guard:
            self._runs += 1
            self._messages += messages
            if self._porter is None and self._messages >= self._worth_it:
                with suppress(OSError):  # the system gives no process: it is done here, then
                    self._porter = _Porter()

    def _end(self) -> None:
        with self._guard:
            self._runs -= 1
            if not self._runs:
                self._messages = 0
                self._dismiss()

    def _dismiss(self) -> None:
        if self._porter:
            self._porter.dismiss()
        self._porter = None

    def bring(self, carrier: Carrier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Let the porter bring a batch if it has nothing else to do.

        What is not in memory is brought from here, and so is all the rest once the porter has died: what it left
        half done is found like that of any writer that died.
        """
        if all(message.is_as_digested for message in batch) and self._at_work.acquire(blocking=False):
            try:
                if self._porter:
                    return self._porter.bring(carrier, batch)
            except (BrokenPipeError, EOFError):
                with self._guard:
                    self._dismiss()
            finally:
                self._at_work.release()
        return carrier.bring(batch)


class _Shared(NamedTuple):
    """Brings by the porter when it is free."""

    carrier: Carrier
    porters: Porters

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        return self.porters.bring(self.carrier, batch)


class _Porter:
    """A running porter and its pipes."""

    def __init__(self) -> None:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(folder for folder in sys.path if folder)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "migrator.porter"],  # -P: nothing from the folder it is started in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here next, and is reported
            env={**inherited, "PYTHONPATH": path},  # and no secret of ours
            start_new_session=True,  # Ctrl-C is for us: we tell it when to end
            pipesize=_PIPE_OCTETS,
        )

    def bring(self, carrier: Carrier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Hand over a batch and wait for what came of it. Raises ``EOFError`` or ``BrokenPipeError`` if it has died."""
        held = [_pieces(message) for message in batch]
        about = [(*message[:4], [len(piece) for piece in pieces]) for message, pieces in zip(batch, held, strict=True)]
        copies = carrier.copies
        request = pickle.dumps((carrier.destination, copies.ledger_path, copies.destination_id, about))
        self._send(chain((LENGTH.pack(len(request)), request), *held))
        received = packed(_pipe(self._process.stdout))
        answer: Sequence[Outcome] | FerryError = pickle.loads(received)  # noqa: S301  # by our own child
        if isinstance(answer, FerryError):
            raise answer
        return answer

    def _send(self, content: Iterator[bytes]) -> None:
        handle = _pipe(self._process.stdin).fileno()
        while buffers := list(islice(content, _BUFFERS)):
            _write(handle, buffers)

    def dismiss(self) -> None:
        """Let the porter go: it ends when it has nothing more to read."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pieces(message: Message) -> Sequence[bytes]:
    """Return a message that is in memory in its pieces, with LF line ends."""
    match message.body:
        case LinesBody(lines):
            return (lines,)
        case PiecedBody(pieces):
            return pieces
        case body:
            raise TypeError(f"not in memory: {body}")


def _write(handle: int, buffers: Sequence[bytes]) -> None:
    written = os.writev(handle, buffers)
    if written < sum(map(len, buffers)):  # a signal came in between
        rest = memoryview(b"".join(buffers))[written:]
        while rest:
            rest = rest[os.write(handle, rest) :]


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:  # cannot be: both are pipes
        raise AssertionError
    return pipe
