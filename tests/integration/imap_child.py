"""An upload in a process of its own that dies by SIGKILL at a named step.

Its arguments: port, password, folder for state, folder of the mailbox, step. What the ledger would have kept stands in
``intent.json`` there before a byte leaves, and ``stored.json`` once all is known.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.message.body import Message
from migrator.model import ImapLocator
from migrator.net.tls import TlsMode, TlsSettings
from tests.mail import simple


def messages() -> list[Message]:
    """Return what is uploaded."""
    return [simple(number, 3000) for number in range(8)]


def main() -> None:
    port, password, state, folder, fatal = sys.argv[1:]

    def step(name: str) -> None:
        if name == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = ImapSettings("127.0.0.1", int(port), "ann", tls=TlsSettings(TlsMode.NONE), folder=folder)
    destination = ImapDestination(settings, lambda: password, state_dir=Path(state), step=step)
    with destination.exclusive():
        anchor = destination.begin(messages())
        meant = [destination.copy_key(each).hex() for each in messages()]
        intent = {"anchor": [anchor.uid_validity, anchor.uid_next], "recognition": meant}
        Path(state, "intent.json").write_text(json.dumps(intent))
        outcomes = destination.store(messages()).outcomes
        stored = [[each.uid_validity, each.uid] for each in outcomes if isinstance(each, ImapLocator)]
        Path(state, "stored.json").write_text(json.dumps(stored))
    destination.close()


if __name__ == "__main__":
    main()
