"""Where and when a fault strikes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from threading import Lock

from tests.servers.pop3_session import Command, Fault, Session, Shown
from tests.servers.pop3_wire import Wire


@dataclass
class At(Fault):
    """A fault that strikes at a command; by itself it damages nothing."""

    at: str
    number: int | None = None
    _: KW_ONLY
    times: int | None = None
    skip: int = 0
    matched: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def strikes(self, command: Command) -> bool:
        """Whether it is this command's turn; ask once per command."""
        if command.verb != self.at or self.number not in {None, command.number}:
            return False
        with self._lock:
            self.matched += 1
            return self.skip < self.matched <= self.skip + (self.times or self.matched)


@dataclass
class InSessions(Fault):
    """Another fault, only in the connections from ``first`` to ``last``, counted from 1."""

    fault: Fault
    first: int = 1
    last: int | None = None

    def _holds(self, session: Session) -> bool:
        return self.first <= session.number and (self.last is None or session.number <= self.last)

    def handshake(self, session: Session) -> None:
        if self._holds(session):
            self.fault.handshake(session)

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        return self.fault.capabilities(session, offered) if self._holds(session) else offered

    def refusal(self, session: Session) -> bytes | None:
        return self.fault.refusal(session) if self._holds(session) else None

    def shown(self, session: Session, messages: list[Shown]) -> list[Shown]:
        return self.fault.shown(session, messages) if self._holds(session) else messages

    def batch(self, session: Session, lines: list[bytes]) -> list[bytes]:
        return self.fault.batch(session, lines) if self._holds(session) else lines

    def instead(self, session: Session, command: Command) -> Wire | None:
        return self.fault.instead(session, command) if self._holds(session) else None

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        return self.fault.wire(session, command, wire) if self._holds(session) else wire
