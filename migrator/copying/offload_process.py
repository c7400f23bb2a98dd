"""A copier in a child process, both ends of it: ``ChildCopier`` hands batches over, ``main`` copies them.

The process is ``python -m migrator.copying.offload_process``; only ``migrator.copying.offload`` starts one. It trusts
its stdin, which nobody else holds: a length and a pickle at a time (the destination, and what each message of a batch
is). The messages' bytes lie in memory that both share, end to end, with LF line ends; what has been asked lies there
until it is answered. The child ends when stdin does, and never in the middle of a batch, whatever signal comes.
"""

from __future__ import annotations

import errno
import gc
import mmap
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from typing import IO, Any

from migrator.copying.copier import Copier, Outcome
from migrator.errors import FerryError
from migrator.ledger import Ledger
from migrator.ledger.database import Opener
from migrator.message.body import LinesBody, Message, PiecedBody
from migrator.message.line_ends import pieces_of_lines
from migrator.model import Digest, HeaderDigest

LENGTH = struct.Struct("!Q")
"""What goes before each pickle."""

SHARED_OCTETS = 64 << 20
"""What a batch may have; memory is taken only for what a batch had."""

_COLLECT_AFTER = 50_000
"""Objects more than before, upon which garbage is looked for: a batch makes ten thousand, and hardly a cycle."""

_GRACE = 60.0
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "TZ")


class ChildCopier:
    """A running child, its pipes, and the memory that it shares."""

    def __init__(self) -> None:
        """Start it. Raises ``OSError`` where the system gives no process."""
        with _shared() as shared:
            self._area = mmap.mmap(shared, SHARED_OCTETS)
            self._process = self._started(shared)

    def _started(self, shared: int) -> subprocess.Popen[bytes]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        path = os.pathsep.join(folder for folder in sys.path if folder)
        return subprocess.Popen(
            [
                sys.executable,
                "-P",  # nothing from the folder it is started in
                "-m",
                "migrator.copying.offload_process",
                str(shared),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what goes wrong there goes wrong here next, and is reported
            env={**inherited, "PYTHONPATH": path},  # and no secret of ours
            start_new_session=True,  # Ctrl-C is for us: we tell it when to end
            pass_fds=(shared,),
        )

    def has_room_for(self, batch: Sequence[Message]) -> bool:
        """Say whether a batch can be handed over at once."""
        return sum(message.octets for message in batch) <= SHARED_OCTETS

    def copy(self, copier: Copier, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Hand over a batch and wait for what came of it. Raises ``EOFError`` or ``BrokenPipeError`` if it has died."""
        copies = copier.copies
        about = self._put(batch)
        request = pickle.dumps(
            (copier.destination, copies.opener(), copies.destination_id, copier.lease.as_known_now(), about)
        )
        pipe = _pipe(self._process.stdin)
        pipe.write(LENGTH.pack(len(request)) + request)
        pipe.flush()
        received = packed(_pipe(self._process.stdout))
        answer: Sequence[Outcome] | FerryError = pickle.loads(received)  # noqa: S301  # by our own child
        if isinstance(answer, FerryError):
            raise answer
        return answer

    def _put(self, batch: Sequence[Message]) -> list[tuple[Any, ...]]:
        """Put the messages into the shared memory; return what each is, with the lengths of its pieces."""
        area, end = self._area, 0
        about: list[tuple[Any, ...]] = []
        for message in batch:
            lengths = []
            for piece in pieces_of_lines(message.body):
                begin, end = end, end + len(piece)
                area[begin:end] = piece
                lengths.append(len(piece))
            about.append((*message[:4], lengths))
        return about

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
        self._area.close()


@contextmanager
def _shared() -> Iterator[int]:
    """Yield a handle on memory of its own that another process can be given; raises ``OSError`` where there is none."""
    if not hasattr(os, "memfd_create"):  # Linux has it
        raise OSError(errno.ENOSYS, "no memory that two programs can share")
    handle = os.memfd_create("mailferry")
    try:
        os.ftruncate(handle, SHARED_OCTETS)
        yield handle
    finally:
        os.close(handle)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:  # cannot be: both are pipes
        raise AssertionError
    return pipe


def main() -> None:
    """Copy batches until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()  # what imports made is not to be looked at again
    gc.set_threshold(_COLLECT_AFTER)
    shared = int(sys.argv[1])
    with (
        open(0, "rb") as stdin,
        open(1, "wb") as stdout,
        mmap.mmap(shared, 0, prot=mmap.PROT_READ) as area,
        ExitStack() as stack,
    ):
        os.close(shared)

        @cache
        def opened(opener: Opener) -> Ledger:
            return stack.enter_context(closing(Ledger.opened_by(opener)))

        with suppress(EOFError):  # also in the middle of a question: then nothing is copied
            while True:
                destination, opener, destination_id, lease, about = pickle.loads(packed(stdin))  # noqa: S301  # our parent's
                batch = list(_messages(area, about))
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


def _messages(
    area: mmap.mmap, about: Sequence[tuple[Digest, HeaderDigest, bytes, int, list[int]]]
) -> Iterator[Message]:
    end = 0
    for digest, header_digest, message_id, octets, lengths in about:
        pieces = []
        for length in lengths:
            begin, end = end, end + length
            pieces.append(area[begin:end])
        body = LinesBody(*pieces) if len(pieces) == 1 else PiecedBody(tuple(pieces))
        yield Message(digest, header_digest, message_id, octets, body)


def _copied(copier: Copier, batch: list[Message]) -> list[Outcome] | FerryError:
    try:
        return copier.copy(batch)
    except FerryError as error:
        return error
    finally:
        copier.destination.close()


if __name__ == "__main__":
    main()
