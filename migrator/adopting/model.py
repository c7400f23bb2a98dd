"""What is known of an account of another program, and what a program must say of itself to be taken over from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from migrator.lazy_dataclasses import dataclass, field
from migrator.net.tls import TlsMode, is_loopback


@dataclass(frozen=True, slots=True)
class OldAccount:
    """One POP3 account as its program was set up for it.

    ``password`` is what goes under that key of ours: text, a table that names its source, or None where it is not
    known. ``marks`` are the words by which the program's own header fields name the account. ``state_files`` and
    ``stores`` are where the program notes what it fetched and puts its mail, whether or not anything is there;
    ``noted_as`` is the account's name in a state file. ``deletes``: the program takes fetched mail off the server.
    """

    host: str
    username: str
    port: int | None = None
    tls: TlsMode = TlsMode.IMPLICIT
    auth: str = "auto"
    password: object = field(default=None, repr=False)
    ca_file: str = ""
    fingerprint: str = ""
    marks: frozenset[str] = frozenset()
    noted_as: str = ""
    state_files: tuple[Path, ...] = ()
    stores: tuple[Path, ...] = ()
    deletes: bool = False


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Something of a configuration that is no account of ours, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Restored:
    """A header block without what the program added to it.

    ``unique_id`` is what the program wrote there of the message, empty if nothing; ``mark`` names the account.
    """

    block: bytes
    unique_id: bytes = b""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read."""

    path: Path
    content: bytes

    @property
    def text(self) -> str:
        """What stands in it; octets that are no UTF-8 are taken as Latin-1."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.content.decode("latin-1")


Accounts = Sequence[OldAccount | NotTaken]


def as_it_is(unique_id: bytes) -> bytes:
    """Return a unique-id as the server gives it."""
    return unique_id


def no_ending(_is_record: bool) -> bytes:  # noqa: FBT001  # the signature of ``Program.ending``
    """Return nothing: the program adds nothing behind a message."""
    return b""


@dataclass(frozen=True, slots=True)
class Program:
    """One program. Its files are known by their names and by what they hold.

    ``fetched`` reads a state file for an account; ``noted`` is how a unique-id of the server is written there.
    ``restored`` takes off a header block what the program added, None where there is no mark of its own. ``ending`` is
    what it adds behind a message, given whether that stands in an mbox.
    """

    name: str
    usual_places: Callable[[Path], Sequence[Path]]
    is_configuration: Callable[[Document], bool]
    is_state: Callable[[Document], bool]
    accounts: Callable[[Document, Path], Accounts]
    fetched: Callable[[Document, OldAccount], frozenset[bytes]]
    restored: Callable[[bytes], Restored | None]
    noted: Callable[[bytes], bytes] = as_it_is
    ending: Callable[[bool], bytes] = no_ending


def tls_of(host: str, port: int | None, *, is_implicit: bool) -> TlsMode:
    """Return how a line was encrypted: where it was not, or only if the server offered it, STLS is what is asked for.

    Nothing that leaves this machine goes unencrypted because another program allowed that.
    """
    if is_implicit or port == 995:
        return TlsMode.IMPLICIT
    return TlsMode.NONE if is_loopback(host) else TlsMode.STARTTLS


def expanded(written: str, home: Path) -> Path:
    """Return a path as it was meant: ``~`` and what is relative begin at the home folder."""
    if written == "~" or written.startswith("~/"):
        written = written[2:]
    elif written.startswith(("$HOME/", "${HOME}/")):
        written = written.partition("/")[2]
    return home / written
