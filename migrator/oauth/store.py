"""Sign-ins, each in a file of its own below ``state_dir/secrets``, 0600 in 0700, and in no backup.

A file is replaced as a whole, durably, before anybody uses what is new in it; one process at a time has the lock that
goes with it (``lock``). A sign-in is never deleted by the program itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from migrator.errors import FerryError, Kind
from migrator.files import Device, LockTimeout, lock_file, make_folder, replace_file, storage_error
from migrator.lazy_dataclasses import asdict, dataclass, field, fields

MARGIN = 300.0
"""Seconds that an access token must live on to be handed out; of one that is short-lived, half its life."""

_BACKWARDS = 5.0  # a clock that is corrected by so little makes no token suspect
_DAY = 86_400.0
UNUSED_DAYS = 60
"""After this many days without use a sign-in is near its end: Microsoft's end after 90, Google's after six months."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is known of one sign-in. Times are seconds since the epoch by our own clock, 0.0 for never."""

    provider: str
    user: str
    client_id: str
    serial: str
    """New with each sign-in; it says nothing about the tokens."""
    signed_in_at: float
    refresh: str = field(default="", repr=False)
    access: str = field(default="", repr=False)
    fetched_at: float = 0.0
    """When the access token was asked for."""
    lifetime: int = 0
    scopes: tuple[str, ...] = ()
    ends_at: float = 0.0
    """When the provider said that the sign-in ends, as a whole."""
    ends_after: int = 0
    """How many seconds that was ahead."""
    broken: str = ""
    """Why the provider does not accept it any more, in its own words; empty while it does."""
    given_up: str = ""
    """What tells the access token that was fetched in place of a refused one, and was refused, too."""

    def is_good(self, now: float) -> bool:
        """Say whether the access token may be handed out. A clock that went back makes it suspect."""
        age = now - self.fetched_at
        return self.access != "" and -_BACKWARDS <= age < self.lifetime - min(MARGIN, self.lifetime / 2)

    def is_alive(self, now: float) -> bool:
        """Say whether the access token is accepted still, perhaps not for long."""
        return self.access != "" and -_BACKWARDS <= now - self.fetched_at < self.lifetime

    def ending(self, now: float) -> str:
        """Say how the sign-in will end by itself, if that is near; else ``""``."""
        if not self.refresh or self.broken:
            return ""
        left = self.ends_at - now
        if self.ends_at and self.ends_after > _DAY and left < min(7 * _DAY, self.ends_after / 4):
            return f"ends within {max(1, round(left / _DAY))} days" if left > _DAY else "ends within a day"
        unused = (now - max(self.fetched_at, self.signed_in_at)) / _DAY
        return f"was not used for {unused:.0f} days, and ends if that goes on" if unused > UNUSED_DAYS else ""


def digest(token: str) -> str:
    """Return what tells one token from another, and nothing else."""
    return sha256(token.encode()).hexdigest()[:16]


class Store:
    """The files of one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, key: str) -> Path:
        """Return the file of a sign-in."""
        return self._folder / f"sign-in-{key}.json"

    def read(self, key: str) -> SignIn | None:
        """Return a sign-in as it stands now, None where there is none. Raises ``archive`` if it cannot be read."""
        path = self.path(key)
        try:
            return _read(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise storage_error(error, f"reading the sign-in {path}") from error
        except (ValueError, TypeError, RecursionError):
            return None  # whatever stands there is none; the next one takes its place

    def write(self, key: str, sign_in: SignIn) -> None:
        """Keep a sign-in in place of what stood there; durable on return. Raises ``archive`` or ``disk-full``."""
        path = self.path(key)
        content = json.dumps(asdict(sign_in), indent=1, sort_keys=True) + "\n"
        try:
            make_folder(self._folder)
            self._folder.chmod(0o700)
            with replace_file(path) as file:
                file.write(content.encode())
        except OSError as error:
            raise storage_error(error, f"writing the sign-in {path}") from error

    def forget(self, key: str) -> None:
        """Remove a sign-in: a person took its account away."""
        self.path(key).unlink(missing_ok=True)
        self.path(key).with_suffix(".lock").unlink(missing_ok=True)

    @contextmanager
    def lock(self, key: str, timeout: LockTimeout) -> Iterator[None]:
        """Be the only one, over all processes, who fetches tokens with a sign-in. Raises ``locked``."""
        with lock_file(self.path(key).with_suffix(".lock"), timeout, Device(), "the sign-in"):
            yield


_KINDS: dict[str, type | tuple[type, ...]] = {"str": str, "float": (int, float), "int": int}


def _read(document: object) -> SignIn:
    if not isinstance(document, Mapping):
        raise TypeError(type(document).__name__)
    known = {one.name for one in fields(SignIn)}
    values: dict[str, Any] = {name: value for name, value in document.items() if name in known}
    scopes = values.get("scopes", ())
    values["scopes"] = tuple(map(str, scopes)) if isinstance(scopes, list) else ()
    for one in fields(SignIn):
        value = values.get(one.name, "")
        if one.name in values and not isinstance(value, _KINDS.get(str(one.type), object)):
            raise TypeError(one.name)
    return SignIn(**values)  # looked at just now


def is_locked(error: FerryError) -> bool:
    """Say whether another process has the lock."""
    return error.kind is Kind.LOCKED
