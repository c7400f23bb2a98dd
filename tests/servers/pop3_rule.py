"""The rule on the wire, as the contract's first promise has it, held by the server that hears every command.

No DELE of a message number in a session that has not sent RETR for it. Where the account proves by headers: RETR, or
TOP for it in this session and RETR of that content under that unique-id in an earlier one, as far as headers and octets
can tell. What a maildrop has ever sent under which unique-id is remembered with the maildrop, so the rule outlives the
server object.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers.maildrop import Maildrop

unpunished: list[str] = []
"""What broke the rule anywhere in this process since somebody looked: see ``tests/conftest.py``."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as a session showed it: what the rule needs to know of it."""

    number: int
    unique_id: bytes
    content: bytes
    octets: int

    @property
    def looks(self) -> tuple[bytes, bytes, int]:
        """What a proof by headers can see of it."""
        return self.unique_id, self.content.partition(b"\r\n\r\n")[0], self.octets


class Judge:
    """Watches one session. ``allows_top_proof`` says that the account's proof is by headers."""

    def __init__(self, maildrop: Maildrop, session: int, *, allows_top_proof: bool) -> None:
        self._maildrop = maildrop
        self._session = session
        self._allows_top_proof = allows_top_proof
        self._retrieved: set[int] = set()
        self._topped: set[int] = set()

    def heard(self, verb: str, message: Seen) -> str | None:
        """Note a command about a message that is there; return what is wrong with it, if anything is."""
        match verb:
            case "RETR":
                self._retrieved.add(message.number)
                self._maildrop.retrieved.add(message.looks)
            case "TOP":
                self._topped.add(message.number)
            case "DELE" if message.number not in self._retrieved:
                return self._broken(message)
            case _:
                pass
        return None

    def _broken(self, message: Seen) -> str | None:
        """Say how a DELE without RETR breaks the rule; None where the proof by headers stands for it."""
        where = f"session {self._session}: DELE {message.number} ({message.unique_id!r})"
        if not self._allows_top_proof:
            return f"{where} without RETR {message.number} in this session"
        if message.number not in self._topped:
            return f"{where} without RETR or TOP in this session"
        if message.looks not in self._maildrop.retrieved:
            return f"{where} after TOP only, and this content was never retrieved under this unique-id"
        return None
