"""A copier in a child process, both ends of it: ``ChildCopier`` hands batches over, ``main`` copies them.

The process is ``python -m migrator.copying.offload_process``; only ``migrator.copying.offload`` starts one. It trusts
its stdin, which nobody else holds: a length and a pickle at a time (the destination, and what each message of a batch
is), and the messages' bytes behind it, with LF line ends. It ends when stdin does, and never in the middle of a batch,
whatever signal comes.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import cache
from itertools import chain, islice
from typing import IO

from migrator.copying.copier import Copier, Outcome
from migrator.errors import FerryError
from migrator.files import Device, write_all
from migrator.ledger import Ledger
from migrator.ledger.database import Opener
from migrator.message.body import LinesBody, Message, PiecedBody
from migrator.message.line_ends import pieces_of_lines
from migrator.model import Digest, HeaderDigest
from migrator.read_back import IO_CHUNK_OCTETS

LENGTH = struct.Struct("!Q")
"""What goes before each pickle."""

_PIPE_OCTETS = 1 << 20
_BUFFERS = 512  # of one writev; the system allows 1,024
_GRACE = 60.0
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "TZ")


class ChildCopier:
    """A running child and its pipes."""

    def __init__(self) -> None:
        """Start it. Raises ``OSError`` where the system gives no process."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(folder for folder in sys.path if folder)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "migrator.copying.offload_process",
            ],  # -P: nothing from the folder it is started in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here next, and is reported
            env={**inherited, "PYTHONPATH": path},  # and no secret of ours
            start_new_session=True,  # Ctrl-C is for us: we tell it when to end
            pipesize=_PIPE_OCTETS,
        )

    def copy(self, copier: Copier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Hand over a batch and wait for what came of it. Raises ``EOFError`` or ``BrokenPipeError`` if it has died."""
        held = [list(pieces_of_lines(message.body)) for message in batch]
        about = [(*message[:4], [len(piece) for piece in pieces]) for message, pieces in zip(batch, held, strict=True)]
        copies = copier.copies
        request = pickle.dumps(
            (copier.destination, copies.opener(), copies.destination_id, copier.lease.as_known_now(), about)
        )
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
        """Let the child go: it ends when it has nothing more to read."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                _pipe(pipe).close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _write(handle: int, buffers: Sequence[bytes]) -> None:
    written = os.writev(handle, buffers)
    if written < sum(map(len, buffers)):  # a signal came in between
        write_all(handle, b"".join(buffers)[written:], Device())


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:  # cannot be: both are pipes
        raise AssertionError
    return pipe


def main() -> None:
    """Copy batches until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()  # what imports made is not to be looked at again
    with open(0, "rb", buffering=IO_CHUNK_OCTETS) as stdin, open(1, "wb") as stdout, ExitStack() as stack:

        @cache
        def opened(opener: Opener) -> Ledger:
            return stack.enter_context(closing(Ledger.opened_by(opener)))

        with suppress(EOFError):  # also in the middle of a batch: then nothing of it is copied
            while True:
                destination, opener, destination_id, lease, about = pickle.loads(packed(stdin))  # noqa: S301  # our parent's
                batch = [_message(stdin, *facts) for facts in about]
                copier = Copier(
                    destination, opened(opener).copies_numbered(destination_id), clock=time.time, lease=lease
                )
                answer = pickle.dumps(_copied(copier, batch))
                stdout.write(LENGTH.pack(len(answer)) + answer)
                stdout.flush()


def packed(pipe: IO[bytes]) -> bytes:
    """Read the next pickle. Raises ``EOFError`` if it does not come in full."""
    return _exactly(pipe, *LENGTH.unpack(_exactly(pipe, LENGTH.size)))


def _exactly(pipe: IO[bytes], octets: int) -> bytes:
    content = pipe.read(octets)
    if len(content) < octets:
        raise EOFError
    return content


def _message(
    stdin: IO[bytes], digest: Digest, header_digest: HeaderDigest, message_id: bytes, octets: int, lengths: list[int]
) -> Message:
    pieces = tuple(_exactly(stdin, length) for length in lengths)
    body = LinesBody(*pieces) if len(pieces) == 1 else PiecedBody(pieces)
    return Message(digest, header_digest, message_id, octets, body)


def _copied(copier: Copier, batch: list[Message]) -> list[Outcome] | FerryError:
    try:
        return copier.copy(batch)
    except FerryError as error:
        return error
    finally:
        copier.destination.close()


if __name__ == "__main__":
    main()
