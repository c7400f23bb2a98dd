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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import IO, Protocol

from migrator.errors import FerryError
from migrator.model import LinesBody, Message, PiecedBody
from migrator.porter import LENGTH
from migrator.transfer import Carrier, Outcome

WORTH_IT = 4_000
"""A run of fewer messages is over before a process of its own has paid for its start."""

_AT_ONCE = 1  # a run has two sides, and most machines few cores
_PIPE_OCTETS = 1 << 20
_BUFFERS = 512  # of one writev; the system allows 1,024
_GRACE = 60.0
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "TZ")


class Bringer(Protocol):
    """Whoever brings batches to a destination: a ``Carrier``, here or apart."""

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Make sure that the destination holds a proven copy of each message; see ``Carrier.bring``."""


class Porters:
    """Lends a run a porter, if it is worth one and none is lent already."""

    def __init__(self, worth_it: int = WORTH_IT) -> None:
        """Start nothing yet; a run of so many messages is worth a porter."""
        self._worth_it = worth_it
        self._free = threading.Semaphore(_AT_ONCE)

    @contextmanager
    def lent(self, carrier: Carrier, messages: int) -> Iterator[Bringer]:
        """Yield who is to bring so many messages to the carrier's destination: a porter, or the carrier itself."""
        is_worth_it = messages >= self._worth_it and carrier.destination.kind != "imap" and (os.cpu_count() or 1) > 1
        if not is_worth_it or not self._free.acquire(blocking=False):
            yield carrier
            return
        try:
            with _started(carrier) as porter:
                yield porter
        finally:
            self._free.release()


@contextmanager
def _started(carrier: Carrier) -> Iterator[Bringer]:
    """Yield a porter, or the carrier itself where the system gives no process."""
    try:
        porter = _Porter(carrier)
    except OSError:
        yield carrier
        return
    try:
        yield porter
    finally:
        porter.dismiss()


class _Porter:
    """A running porter and its pipes."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(folder for folder in sys.path if folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "migrator.porter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here next, and is reported
            env={**inherited, "PYTHONPATH": path},  # and no secret of ours
            start_new_session=True,  # Ctrl-C is for us: we tell it when to end
            pipesize=_PIPE_OCTETS,
        )
        copies = carrier.copies
        with suppress(BrokenPipeError):  # it is dead already: ``bring`` will see it too
            self._send(pickle.dumps((carrier.destination, copies.ledger_path, copies.destination_id)), [])

    def bring(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Let the porter bring a batch.

        What is not in memory is brought from here, and so is all the rest once the porter has died: what it left
        half done is found like that of any writer that died.
        """
        if self._process.returncode is None and all(message.is_as_digested for message in batch):
            try:
                return self._carried(batch)
            except (BrokenPipeError, EOFError):
                self.dismiss()
        return self._carrier.bring(batch)

    def _carried(self, batch: Sequence[Message]) -> Sequence[Outcome]:
        held = [_pieces(message) for message in batch]
        about = [(*message[:4], [len(piece) for piece in pieces]) for message, pieces in zip(batch, held, strict=True)]
        self._send(pickle.dumps(about), (piece for pieces in held for piece in pieces))
        answer: Sequence[Outcome] | FerryError = pickle.loads(self._received())  # noqa: S301  # of our own
        if isinstance(answer, FerryError):
            raise answer
        return answer

    def _send(self, packed: bytes, content: Iterable[bytes]) -> None:
        handle = _pipe(self._process.stdin).fileno()
        remaining = chain((LENGTH.pack(len(packed)), packed), content)
        while buffers := list(islice(remaining, _BUFFERS)):
            _write(handle, buffers)

    def _received(self) -> bytes:
        stdout = _pipe(self._process.stdout)
        return _exactly(stdout, *LENGTH.unpack(_exactly(stdout, LENGTH.size)))

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


def _exactly(pipe: IO[bytes], octets: int) -> bytes:
    content = pipe.read(octets)
    if len(content) < octets:
        raise EOFError
    return content


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:  # cannot be: both are pipes
        raise AssertionError
    return pipe
