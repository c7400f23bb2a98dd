"""How much a provider lets us upload: allowances of bytes and messages per second and per day, kept over restarts.

Each allowance is one number, the moment at which it is fully refilled (the generic cell rate algorithm): nothing has
to tick, and a restart forgets nothing. The presets are what the providers publish, else what other tools were
measured to get through with; see docs/providers.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from migrator.files import replace_file
from migrator.lazy_dataclasses import dataclass

DAY = 86_400.0
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """``amount`` per ``seconds``: so much at once if nothing was used before, and evenly after that."""

    name: str
    amount: float
    seconds: float

    def wait(self, full_at: float, cost: float, now: float) -> float:
        """Return for how many seconds ``cost`` must wait. What costs more than ``amount`` waits for a full one."""
        used = min(max(full_at - now, 0.0), 2 * self.seconds)  # a clock that was set back must not lock us out
        return max(used + min(cost, self.amount) * self.seconds / self.amount - self.seconds, 0.0)

    def spend(self, full_at: float, cost: float, now: float) -> float:
        """Return when the allowance is full again after ``cost``."""
        return max(full_at, now) + cost * self.seconds / self.amount


@dataclass(frozen=True, slots=True)
class Allowances:
    """What one provider lets one user do; nothing where there is none of it."""

    octets: tuple[Allowance, ...] = ()
    messages: tuple[Allowance, ...] = ()
    rebuilds_messages: bool = False
    """Whether the provider is known to rebuild messages from parts (Exchange), which changes their bytes."""

    @property
    def burst(self) -> int | None:
        """How many messages to send at once so that a rate per second stays one; None if there is no such rate."""
        rates = [one.amount / one.seconds for one in self.messages]
        return max(1, int(5 * min(rates))) if rates else None


_GMAIL = Allowances(octets=(Allowance("octets per day", 500 * MB, DAY),))
_MICROSOFT = Allowances(
    octets=(Allowance("octets per hour", 300 * MB, 3600.0),),
    messages=(Allowance("messages per second", 4, 1.0),),
    rebuilds_messages=True,
)
_YAHOO = Allowances(
    octets=(Allowance("octets per day", 2000 * MB, DAY),), messages=(Allowance("messages per second", 10, 1.0),)
)
_ICLOUD = Allowances(
    octets=(Allowance("octets per day", 1000 * MB, DAY),), messages=(Allowance("messages per second", 5, 1.0),)
)
_FASTMAIL = Allowances(
    octets=(Allowance("octets per day", 4000 * MB, DAY),), messages=(Allowance("messages per second", 30, 1.0),)
)
PRESETS: Mapping[str, Allowances] = {
    "imap.gmail.com": _GMAIL,
    "imap.googlemail.com": _GMAIL,
    "outlook.office365.com": _MICROSOFT,
    "imap-mail.outlook.com": _MICROSOFT,
    "outlook.office.com": _MICROSOFT,
    "imap.mail.yahoo.com": _YAHOO,
    "imap.mail.me.com": _ICLOUD,
    "imap.fastmail.com": _FASTMAIL,
}


def preset_for(host: str) -> Allowances:
    """Return the allowances known for a host; none for a host that is not known."""
    return PRESETS.get(host.lower().rstrip("."), Allowances())


class AllowanceStore(Protocol):
    """Where it is kept when the allowances of a user at a host are full again: seconds since the epoch, by their names.

    It is no promise: where it is lost, the provider says stop a little earlier than we do.
    """

    def read(self, owner: str) -> Mapping[str, float]:
        """Return what was written of an owner last, by whatever run; nothing where that is not known."""

    def write(self, owner: str, full_at: Mapping[str, float]) -> None:
        """Keep this in place of what was known of an owner."""


class AllowanceFiles:
    """A small file for each owner, in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, owner: str) -> Mapping[str, float]:
        """Read afresh: another run may upload for the same user into another folder."""
        with suppress(OSError, ValueError, AttributeError, TypeError):
            kept = json.loads(self._path(owner).read_bytes())
            return {str(name): float(moment) for name, moment in kept.items()}
        return {}

    def write(self, owner: str, full_at: Mapping[str, float]) -> None:
        """Keep it; a full disk must not stop an upload that the provider allows."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replace_file(self._path(owner), is_durable=False) as file:
                file.write(json.dumps(dict(full_at)).encode())

    def _path(self, owner: str) -> Path:
        return self._folder / f"{sha256(owner.encode()).hexdigest()[:32]}.json"


class UploadAllowance:
    """The allowances of one user at one host, and what is left of them in a store."""

    def __init__(
        self, allowances: Allowances, owner: str, store: AllowanceStore, *, clock: Callable[[], float]
    ) -> None:
        self._allowances = allowances
        self._owner = owner
        self._clock = clock
        self.store = store

    def wait(self, octets: int, messages: int = 1) -> float:
        """Return for how many seconds an upload of so much has to wait; 0 if it may go now."""
        costs = self._costs(octets, messages)
        now, full_at = self._clock(), self.store.read(self._owner) if costs else {}
        return max((one.wait(full_at.get(one.name, 0.0), cost, now) for one, cost in costs), default=0.0)

    def spend(self, octets: int, messages: int = 1) -> None:
        """Note that so much was uploaded."""
        costs = self._costs(octets, messages)
        if costs:
            now, full_at = self._clock(), self.store.read(self._owner)
            spent = {one.name: one.spend(full_at.get(one.name, 0.0), cost, now) for one, cost in costs}
            self.store.write(self._owner, {**full_at, **spent})

    def _costs(self, octets: int, messages: int) -> list[tuple[Allowance, int]]:
        return [(one, octets) for one in self._allowances.octets] + [
            (one, messages) for one in self._allowances.messages
        ]
