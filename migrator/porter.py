"""A carrier in a process of its own: reads batches on stdin, brings them, and gives the outcomes on stdout.

Started as ``python -m migrator.porter``, only by ``migrator.apart``. It trusts its stdin, which nobody else holds: a
length and a pickle at a time (what to carry to, and what each message of a batch is), and the messages' bytes behind
it, with LF line ends. It ends when stdin does, and never in the middle of a batch, whatever signal comes.
"""

from __future__ import annotations

import gc
import pickle
import signal
import struct
import time
from contextlib import ExitStack, closing, suppress
from functools import cache
from pathlib import Path
from typing import IO

from migrator.destinations.files import PIECE
from migrator.errors import FerryError
from migrator.ledger.connection import Connection
from migrator.ledger.copies import CopiesLedger
from migrator.model import Digest, HeaderDigest, LinesBody, Message, PiecedBody
from migrator.transfer import Carrier, Outcome

LENGTH = struct.Struct("!Q")
"""What goes before each pickle."""


def main() -> None:
    """Bring batches until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()  # what imports made is not to be looked at again
    with open(0, "rb", buffering=PIECE) as stdin, open(1, "wb") as stdout, ExitStack() as stack:

        @cache
        def opened(ledger: Path) -> Connection:
            return stack.enter_context(closing(Connection(ledger)))

        with suppress(EOFError):  # also in the middle of a batch: then nothing of it is brought
            while True:
                destination, ledger, destination_id, about = pickle.loads(packed(stdin))  # noqa: S301  # our parent's
                batch = [_message(stdin, *facts) for facts in about]
                carrier = Carrier(destination, CopiesLedger(opened(ledger), destination_id), clock=time.time)
                answer = pickle.dumps(_brought(carrier, batch))
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
    return Message(digest, header_digest, message_id, octets, body, is_as_digested=True)


def _brought(carrier: Carrier, batch: list[Message]) -> list[Outcome] | FerryError:
    try:
        return carrier.bring(batch)
    except FerryError as error:
        return error
    finally:
        carrier.destination.close()


if __name__ == "__main__":
    main()
