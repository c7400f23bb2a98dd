"""What comes once more: a known message against what it was, and octets against those announced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrator.copying.copier import Copier
from migrator.copying.fan_out import FanOut, Fetched
from migrator.errors import FerryError, Kind
from migrator.message.body import Body
from migrator.message.digest import same_but_for_server_headers
from migrator.model import Content, Digest, MessageRow
from migrator.pop3.retrieved import Retrieved
from migrator.report import Problem
from migrator.run.plan import PlannedMessage

_CHANGED = FerryError(
    Kind.CHANGED, "the source now gives something else for this message than was copied; it is not deleted there"
)


class Recheck:
    """Known messages of one session: equal to what was copied, equal but for headers that servers add, or changed."""

    def __init__(
        self,
        recorded: dict[MessageRow, Content],
        changed_before: set[MessageRow],
        fan_out: FanOut,
        name: Callable[[MessageRow, FerryError], Problem],
    ) -> None:
        """Compare with what earlier sessions retrieved; ``changed_before`` were found changed by an earlier run too."""
        self.changed: dict[MessageRow, Problem] = {}
        """The messages that the source gives otherwise now."""
        self._recorded = recorded
        self._changed_before = changed_before
        self._fan_out = fan_out
        self._name = name

    def checked(self, fetched: Fetched) -> Fetched:
        """Return a message as what it was, where it is that but for headers that servers add; note a changed one."""
        recorded = self._recorded.get(fetched.row)
        if recorded is None or recorded.digest == fetched.message.digest:
            return fetched
        if self._is_as_stored(recorded.digest, fetched.message.body):
            return fetched._replace(message=fetched.message._replace(digest=recorded.digest))
        self.changed[fetched.row] = self._name(fetched.row, _CHANGED)
        return fetched

    def is_left_alone(self, row: MessageRow) -> bool:
        """Say whether a message changed for the second time.

        A changed one is new mail and is copied as such; then it is left alone, because some servers (Courier, with
        8-bit mail) give other bytes in every session.
        """
        return row in self.changed and row in self._changed_before

    def _is_as_stored(self, recorded: Digest, received: Body) -> bool:
        def compare(copier: Copier) -> bool:
            stored = copier.stored_body(recorded)
            return stored is not None and same_but_for_server_headers(stored, received)

        return self._fan_out.ask(0, compare)


class SecondReads:
    """Messages that came with other octets than announced: only a second read that agrees settles such a one."""

    def __init__(self) -> None:
        self.waiting: list[PlannedMessage] = []
        self._first: dict[MessageRow, Digest] = {}

    def is_first(self, row: MessageRow) -> bool:
        """Say whether a message with other octets than announced came for the first time."""
        return row not in self._first

    def ask_again(self, wanted: PlannedMessage, event: Retrieved) -> None:
        """Let a message be read once more at the end of the session."""
        self._first[wanted.row] = event.message.digest
        self.waiting.append(wanted)

    def messages(self) -> Iterator[PlannedMessage]:
        """Yield what is to be read once more, each once."""
        while self.waiting:
            waiting, self.waiting = self.waiting, []
            yield from waiting

    def objection(self, row: MessageRow, event: Retrieved, *, announces_any_size: bool) -> FerryError | None:
        """Say what speaks against a second read; None: it is what the server means.

        Octets that are missing mean nothing on a server that is known to announce any size.
        """
        is_same = self._first[row] == event.message.digest
        is_cut_short = event.wire_octets < event.announced and not announces_any_size
        if is_same and not is_cut_short:
            return None
        reads = "both times" if is_same else "and other bytes than the first time"
        return FerryError(
            Kind.SHORT,
            f"announced with {event.announced} octets, but {event.wire_octets} came, {reads}; not stored, not deleted",
            cure="look at the message on the server; it may be damaged there",
        )
