"""Which folder on this server a configured name means, whether it is there, and making it.

A server may list a folder in another spelling than it was asked for (case, blanks, composed letters, its own delimiter
and prefix), or not at all and open it all the same. What opens is there; a folder is made only where nothing opens.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from migrator.errors import FerryError, Kind, Scope, printable
from migrator.imap.client import Client, words_of
from migrator.imap.folder_names import (
    FolderName,
    Namespace,
    is_composed_alike,
    spelled_like,
    spellings,
    without_blanks,
)
from migrator.imap.refusals import has_time_words, judge_command, says_exists
from migrator.imap.replies import UID_LIMIT
from migrator.model import mailbox_name

_UNUSABLE = frozenset({rb"\noselect", rb"\nonexistent"})


class Folders:
    """The folders of a user who is logged in. Raises what imaplib raises, for the session's seam, or ``FerryError``."""

    def __init__(self, client: Client, host: str, *, has_namespace: bool, secrets: tuple[bytes, ...]) -> None:
        self._client = client
        self._host = host
        self._has_namespace = has_namespace
        self._secrets = secrets
        self._namespace: Namespace | None = None
        self._written: dict[str, bytes] = {}

    def written(self, shown: str) -> bytes:
        """Return a folder's name as it stands in a command, without quotes."""
        return self._written.get(shown) or FolderName.of(shown).wire

    def resolve(self, folder: str) -> tuple[str, bool]:
        """Return the server's name for a configured folder, and whether it exists.

        A name that exists as it stands is taken; else ``/`` becomes the server's delimiter and the prefix of the
        personal namespace is put before it (RFC 2342); each in any spelling under which the server has it.
        """
        folder = mailbox_name(folder)
        if folder == "INBOX":
            return "INBOX", True
        known = self._find([folder])
        if known is not None:
            return known, True
        namespace = self.namespace
        placed = namespace.placed(folder)
        tried = [name for name in spellings(placed, namespace.delimiter) if name != folder]
        known = self._find(tried) or self._composed_otherwise(placed)
        new = without_blanks(placed, namespace.delimiter)
        if known is None and self._opens(new):
            known = new
        return known or new, known is not None

    def _find(self, names: list[str]) -> str | None:
        for name in names:
            found = self._listed(name)
            if found is not None:
                self._written[found.shown] = found.wire
                return found.shown
        return None

    def _composed_otherwise(self, wanted: str) -> str | None:
        """Look through all folders for one of the same letters, where letters can be written in more than one way."""
        if wanted.isascii():
            return None
        same = next((name for name in self._list(b"*") if is_composed_alike(name.shown, wanted)), None)
        if same is None:
            return None
        self._written[same.shown] = same.wire
        return same.shown

    def _listed(self, name: str) -> FolderName | None:
        return spelled_like(name, self._list(self.written(name)))

    def _list(self, pattern: bytes) -> Iterator[FolderName]:
        for flags, _, name in self._client.list_folders("", pattern):
            wire = name if isinstance(name, bytes) else str(name).encode()
            if not _UNUSABLE.intersection(flag.lower() for flag in flags):
                yield FolderName.listed(wire)

    def _opens(self, name: str) -> bool:
        """Say whether a folder that is not listed is there nevertheless; nothing is opened for it."""
        try:
            shown: dict[bytes, Any] = self._client.folder_status(self.written(name), ["UIDVALIDITY"])
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if has_time_words(words_of(error)):
                raise
            return False
        except (LookupError, TypeError, ValueError):  # it says OK, and nothing of a folder
            return False
        return 0 < int(shown.get(b"UIDVALIDITY", 0)) < UID_LIMIT

    @property
    def namespace(self) -> Namespace:
        """What the server puts before and between the names of a user's own folders."""
        if self._namespace is None:
            self._namespace = self._asked_namespace()
        return self._namespace

    def _asked_namespace(self) -> Namespace:
        personal = self._personal_namespaces() if self._has_namespace else ()
        if personal:
            prefix, delimiter = personal[0]
            return Namespace.told(FolderName.listed(prefix or b"").shown, delimiter or "")
        listed = self._client.list_folders("", "INBOX")
        shown: bytes | None = listed[0][1] if listed else b"/"
        return Namespace("", (shown or b"").decode("ascii"))

    def _personal_namespaces(self) -> Sequence[tuple[bytes | None, str | None]]:
        try:
            personal: Sequence[tuple[bytes | None, str | None]] = self._client.namespace().personal or ()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:  # announced, and refused: INBOX tells the delimiter as well
            if has_time_words(words_of(error)):
                raise
            return ()
        return personal

    def create(self, folder: str) -> str:
        """Create a folder and subscribe to it, so that mail programs show it; return its name as the server has it.

        One that is there already is fine. A server that keeps no subscriptions, or not this one, is as good.
        """
        found: str | None
        try:
            self._client.create_folder(self.written(folder))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            found = self._find([folder])
            if found is None and not self._opens(folder):
                raise self._not_created(folder, words_of(error)) from error
        else:
            found = self._find([folder])  # it may have got another spelling
        name = found or folder
        with _is_optional():
            self._client.subscribe_folder(self.written(name))
        return name

    def _not_created(self, folder: str, words: bytes) -> FerryError:
        if has_time_words(words):
            return judge_command(words, self._host, secrets=self._secrets)
        message, cure = f"the folder {folder} cannot be created", "create it by hand, or name another one"
        if says_exists(words):
            other = spelled_like(folder, self._list(b"*"))
            if other is not None:
                message = f"the folder {folder} exists under another spelling: {other.shown}"
                cure = f'set folder = "{other.shown}"'
        return FerryError(
            Kind.REFUSED,
            message,
            server_words=printable(words, secrets=self._secrets),
            scope=Scope.ACCOUNT,
            cure=cure,
            finding="refused",
        )


@contextmanager
def _is_optional() -> Iterator[None]:
    """Let a command be refused."""
    try:
        yield
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return
