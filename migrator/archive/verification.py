"""Which copies are to be read again, and what that showed."""

from __future__ import annotations

from migrator.archive.reader import Unreachable
from migrator.archive.unproven import Unproven
from migrator.lazy_dataclasses import dataclass, field
from migrator.model import Digest
from migrator.report import shown_unique_id


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged copy of one message of one account. ``unique_id`` is None where no maildrop showed it.

    ``decided_by`` is empty for what ``mailferry repair`` mends; else it is where a person writes ``when_copy_is_gone``.
    """

    account: str
    destination: str
    file: str
    unique_id: bytes | None
    digest: Digest
    message_id: bytes
    reason: str
    decided_by: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the contract's form."""
        return {
            "account": self.account,
            "destination": self.destination,
            "file": self.file,
            "uidl": None if self.unique_id is None else shown_unique_id(self.unique_id),
            "digest": self.digest.hex(),
            "message_id": shown_unique_id(self.message_id),
            "reason": self.reason,
        }


@dataclass(slots=True)
class Verification:
    """What a check has found so far: ``checked = ok + unproven + accepted`` + damaged copies, the gone ones included.

    ``unproven`` ones were altered by their server from the start, and fall short of the proof required. ``accepted``
    ones are gone, altered or damaged, and a setting or a person has accepted that. ``present`` of the ok ones could
    only be seen to be there: that is so for copies that a server altered, which once were proven, and of whose original
    there is no copy to read.
    """

    checked: int = 0
    ok: int = 0
    octets: int = 0
    unproven: int = 0
    accepted: int = 0
    present: int = 0
    altered: list[Unproven] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    unreachable: list[Unreachable] = field(default_factory=list)

    @property
    def harmed(self) -> int:
        """How many copies are damaged, or gone and not accepted."""
        return self.checked - self.ok - self.unproven - self.accepted

    @property
    def is_ok(self) -> bool:
        """Whether every copy that was to be checked was read, and none is damaged."""
        return not self.damaged and not self.unreachable

    def as_json(self) -> dict[str, object]:
        """Return the document of ``verify``."""
        return {
            "checked": self.checked,
            "ok": self.ok,
            "damaged": [damage.as_json() for damage in self.damaged],
            "bytes": self.octets,
            "unproven": self.unproven,
            "accepted": self.accepted,
            "present": self.present,
            "errors": [
                {
                    "account": account,
                    "destination": one.destination,
                    "kind": str(one.error.kind),
                    "message": str(one.error),
                }
                for one in self.unreachable
                for account in one.accounts
            ],
        }


@dataclass(frozen=True, slots=True)
class Selection:
    """Which copies to check: of these accounts (of all, for none), a share of them, those archived since a moment.

    ``part`` of ``parts`` is a slice of the whole: together the parts are everything, each copy in exactly one of them.
    """

    accounts: tuple[str, ...] = ()
    share: float = 1.0
    since: float | None = None
    part: int = 0
    parts: int = 1

    def has(self, digest: Digest) -> bool:
        """Say whether a content belongs to the part."""
        return int.from_bytes(digest[:4]) * self.parts >> 32 == self.part
