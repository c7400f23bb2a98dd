"""A carrier in a process of its own: reads batches on stdin, brings them, and gives the outcomes on stdout.

Started as ``python -m migrator.porter``, only by ``migrator.apart``. It trusts its stdin, which nobody else holds: a
length and a pickle at a time (first what to carry to, then what each message of a batch is), and the messages' bytes
behind it, with LF line ends. It ends when stdin does, and never in the middle of a batch, whatever signal comes.
"""

from __future__ import annotations

import gc
import pickle
import signal
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from migrator.destinations.files import PIECE
from migrator.errors import FerryError
from migrator.ledger.connection import Connection
from migrator.ledger.copies import CopiesLedger
from migrator.model import LinesBody, Message, PiecedBody
from migrator.transfer import Carrier, Outcome

LENGTH = struct.Struct("!Q")
"""What goes before each pickle."""


def main() -> None:
    """Bring batches until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with open(0, "rb", buffering=PIECE) as stdin, open(1, "wb") as stdout:  # these have no path
        destination, ledger_path, destination_id = pickle.loads(_packed(stdin))  # noqa: S301  # our own parent's
        with closing(Connection(ledger_path)) as connection, closing(destination):
            carrier = Carrier(destination, CopiesLedger(connection, destination_id), clock=time.time)
            gc.freeze()  # what imports made is not to be looked at again
            while packed := _packed(stdin):
                answer = pickle.dumps(_brought(carrier, list(_messages(packed, stdin))))
                stdout.write(LENGTH.pack(len(answer)) + answer)
                stdout.flush()


def _packed(stdin: BinaryIO) -> bytes:
    """Return the next pickle, nothing at the end."""
    head = stdin.read(LENGTH.size)
    return stdin.read(*LENGTH.unpack(head)) if len(head) == LENGTH.size else b""


def _messages(packed: bytes, stdin: BinaryIO) -> Iterator[Message]:
    for digest, header_digest, message_id, octets, lengths in pickle.loads(packed):  # noqa: S301  # as above
        pieces = tuple(map(stdin.read, lengths))
        body = LinesBody(*pieces) if len(pieces) == 1 else PiecedBody(pieces)
        yield Message(digest, header_digest, message_id, octets, body, is_as_digested=True)


def _brought(carrier: Carrier, batch: list[Message]) -> list[Outcome] | FerryError:
    try:
        return carrier.bring(batch)
    except FerryError as error:
        return error


if __name__ == "__main__":
    main()
