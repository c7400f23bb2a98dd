"""A recorded run beside a server: what it did to the disk and said on the line, and the server at each moment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mail import growing_letters
from tests.power.child import Task, rig_of
from tests.power.disk import Disk, lay_out, taken_in
from tests.power.operations import STEPS, Operation, Send, Write, record
from tests.rig import Rig
from tests.servers.maildrop import StoredMessage
from tests.servers.pop3 import Maildrop, Pop3Server

MESSAGES = growing_letters(5, by=1_500)


@dataclass(frozen=True, slots=True)
class Moment:
    """Right after an operation: the disk, and what the server holds."""

    place: int
    operation: Operation
    disk: Disk
    left: Sequence[StoredMessage]


@dataclass
class Scene:
    """One folder, one server, one kind of archive, and a recorded run of theirs."""

    folder: Path
    server: Pop3Server
    kind: str
    operations: list[Operation] = field(default_factory=list)
    files_before: Mapping[str, bytes | None] = field(default_factory=dict)
    mail_before: Sequence[StoredMessage] = ()
    found: Mapping[str, bytes | None] = field(default_factory=dict)
    """What the last power cut has left."""
    _removed: list[set[bytes]] = field(default_factory=list)
    """What each QUIT of the run removed, by unique-id."""

    @property
    def live(self) -> Path:
        """Where the run works; what a power cut leaves is laid out here too, for the archive is known by its path."""
        return self.folder / "live"

    def rig(self) -> Rig:
        return rig_of(self.live, self.server, self.kind)

    def record(self) -> None:
        """Let one run happen, and remember what it did and what was there before it."""
        self.live.mkdir(exist_ok=True)
        self.files_before = taken_in(self.live)
        self.mail_before = self.server.maildrop.stored()
        heard, removed = len(self.server.commands), len(self.server.removed)
        task = Task(str(self.live), self.server.port, self.server.password, self.kind, str(self.folder / STEPS))
        self.operations = record(task.command(), self.live, self.folder / "trace")
        quits = [command.session for command in self.server.commands[heard:] if command.verb == "QUIT"]
        gone = self.server.removed[removed:]
        self._removed = [{one.unique_id for one in gone if one.session == session} for session in quits]

    def moments(self) -> Iterator[Moment]:
        """Go through the run again. When QUIT has been sent, the server may have obeyed or not: both are yielded.

        Of writes to one file in a row only the last is a moment: what a power cut loses of them is chance all the same.
        """
        disk = Disk(self.live, self.files_before)
        left = list(self.mail_before)
        quits = iter(self._removed)
        for place, operation in enumerate(self.operations):
            disk.do(operation)
            if not _goes_on(operation, self.operations[place + 1 : place + 2]):
                yield Moment(place, operation, disk, list(left))
            if isinstance(operation, Send) and operation.data.startswith(b"QUIT"):
                removed = next(quits)
                left = [message for message in left if message.unique_id not in removed]
                yield Moment(place, operation, disk, list(left))

    def lay_out(self, found: Mapping[str, bytes | None], left: Sequence[StoredMessage]) -> None:
        """Put disk and server into the state of a moment."""
        self.found = found
        lay_out(found, self.live)
        self.server.maildrop = Maildrop()
        for message in left:
            self.server.maildrop.add(message.content, message.unique_id)

    def stored(self) -> list[bytes]:
        """Return every message of the archive in canonical form."""
        if self.kind == "mbox":
            return self.rig().stored()
        files = [file for name in ("new", "cur") for file in (self.live / "archive" / name).glob("*")]
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]


def _goes_on(operation: Operation, following: Sequence[Operation]) -> bool:
    return isinstance(operation, Write) and any(
        isinstance(one, Write) and one.path == operation.path for one in following
    )


def is_archived(message: bytes, found: Mapping[str, bytes | None]) -> bool:
    """Tell whether an archive as a power cut left it holds a message, whatever else is torn there."""
    plain = message.replace(b"\r\n", b"\n")
    quoted = b"\n" + re.sub(rb"(?m)^(>*From )", rb">\1", plain) + b"\n"
    return any(
        content is not None and path.startswith("archive/") and (quoted in content or plain == content)
        for path, content in found.items()
    )
