"""The words of the field as types: what a maildrop shows, what was retrieved, where a copy stands.

Pure: no input or output, no clock. Everything else speaks in these terms.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple, NewType
from urllib.parse import urlsplit

MessageNumber = NewType("MessageNumber", int)
"""A message's number in one POP3 session (RFC 1939, section 5); it means nothing in the next."""

UniqueId = NewType("UniqueId", bytes)
"""What UIDL says of a message, byte for byte; ``b""`` where the server says nothing. A hint, never proof."""

Digest = NewType("Digest", bytes)
"""SHA-256 (32 bytes) over a message as POP3 delivered it, dot-unstuffed, every line ending in CRLF."""

HeaderDigest = NewType("HeaderDigest", bytes)
"""SHA-256 over the header block without the headers that servers add of their own; see ``migrator.message.digest``."""

MessageRow = NewType("MessageRow", int)
"""The ledger's number for one message that was seen at a source."""


class ListedMessage(NamedTuple):
    """One line of LIST joined with one line of UIDL. ``octets`` is what LIST announced: a hint, not a size."""

    number: MessageNumber
    unique_id: UniqueId
    octets: int


class MboxLocator(NamedTuple):
    """Where a copy stands in an mbox folder: the whole record, From_ line and closing blank line included.

    ``frame_crc`` is the CRC-32 of the From_ line with its line feed, so that damage to it is seen too.
    """

    volume: str
    offset: int
    length: int
    frame_crc: int


class MaildirLocator(NamedTuple):
    """Where a copy stands in a Maildir: the unique part of its file name, before ``:2,``."""

    base_name: str


_FLAGS = re.compile(r":|[;!]2,")
"""Where the flags of a Maildir's file begin: after a colon, or after what stands for it where names may have none."""

_FIELDS = re.compile(r"(?:,[A-Za-z]=\d+)+\Z")
"""What programs append to the unique part: mbsync its ``,U=12``, Dovecot and Courier sizes, ``,S=2187,W=2230``."""


def base_name_of(file_name: str) -> str:
    """Return the unique part of a Maildir's file name: it stays the same whatever a mail program does with the file."""
    return _FIELDS.sub("", _FLAGS.split(file_name, maxsplit=1)[0])


class ImapLocator(NamedTuple):
    """Where a copy stands on an IMAP server; valid only under this UIDVALIDITY (RFC 9051, section 2.3.1.1)."""

    uid_validity: int
    uid: int


Locator = MboxLocator | MaildirLocator | ImapLocator


_MAILBOX = re.compile(r"imap:(?P<user>.*)@[^@/]*/(?P<folder>.*)", re.DOTALL)


def mailbox_name(folder: str) -> str:
    """Return a configured folder in its one spelling: INBOX has no case, and a delimiter at the end means nothing."""
    first, delimiter, rest = folder.rstrip("/").partition("/")
    return f"{'INBOX' if first.upper() == 'INBOX' else first}{delimiter}{rest}"


def folder_identity(kind: str, folder: str) -> str:
    """Return what names an archive folder for good; its path is absolute, and without symbolic links."""
    return f"{kind}:{folder}"


def mailbox_identity(username: str, host: str, folder: str) -> str:
    """Return what a mailbox is known by: hosts have no case, and a port is no other mailbox."""
    return f"imap:{username}@{host.lower()}/{mailbox_name(folder)}"


def is_same_mailbox_elsewhere(one: str, other: str) -> bool:
    """Say whether two identities of mailboxes differ in their host and in nothing else."""
    ours, theirs = _MAILBOX.fullmatch(one), _MAILBOX.fullmatch(other)
    return bool(ours and theirs and one != other and ours.groups() == theirs.groups())


AMAZON = "s3.amazonaws.com"
"""What all of Amazon's object stores are known by: the name of a bucket means the same one in every region."""

_AMAZONS_OWN = (".amazonaws.com", ".api.aws")


def store_identity(bucket: str, prefix: str, endpoint: str) -> str:
    """Return what a prefix of a bucket is known by: hosts have no case, and neither scheme nor region is a store."""
    return f"s3:{_store_at(endpoint)}/{_in_bucket(bucket, prefix)}"


def store_label(bucket: str, prefix: str, endpoint: str) -> str:
    """Return what a person calls a prefix of a bucket."""
    at = f" at {_store_at(endpoint)}" if endpoint else ""
    return f"s3 {_in_bucket(bucket, prefix)}{at}"


def _in_bucket(bucket: str, prefix: str) -> str:
    return f"{bucket}/{prefix.strip('/')}".rstrip("/")


def _store_at(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    host = (parts.hostname or AMAZON).lower()
    if host.endswith(_AMAZONS_OWN):
        return AMAZON
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


class Proof(StrEnum):
    """How well a copy was proven, best first. Only ``mbox`` and ``maildir`` always reach ``EXACT``."""

    EXACT = "exact"
    CANONICAL = "canonical"
    SEMANTIC = "semantic"
    NONE = "none"


def proof_setting(proof: Proof, place: str) -> str:
    """Return the setting with which copies that reach this proof count, and the place where it is written, if any."""
    return f'proof = "{proof}"' + (f" {place}" if place else "").replace("KEY=VALUE", f"proof={proof}")


class CopyState(StrEnum):
    """The life of one copy (content x destination).

    UNPROVEN, DAMAGED and GONE are judgements on what was read back, and each may become any other when it is read
    again. Only a DAMAGED copy is stored again, by ``mailferry repair``; the others wait for a person or a setting.
    """

    INTENDED = "intended"
    STORED = "stored"
    """It stands there as far as is known, and was not read back yet."""
    VERIFIED = "verified"
    UNPROVEN = "unproven"
    """The server altered it from the start: it falls short of the proof that the configuration requires."""
    DAMAGED = "damaged"
    """Something else stands in its place, or nothing can be read there."""
    GONE = "gone"
    """It was proven, and somebody took it out of the mailbox."""


class MessageState(StrEnum):
    """The life of one message seen at a source."""

    LISTED = "listed"
    COPIED = "copied"
    DELETE_REQUESTED = "delete-requested"
    DELETED = "deleted"
    VANISHED = "vanished"
    QUARANTINED = "quarantined"


class Content(NamedTuple):
    """What identifies a message, wherever it stands; ``message_id`` as in ``Message``."""

    digest: Digest
    header_digest: HeaderDigest
    message_id: bytes


class KnownMessage(NamedTuple):
    """One message of a listing with all that is known of it.

    ``content`` is the ledger's number for what it turned out to be, 0 where it was never retrieved. ``is_proven`` means
    a verified copy at every destination of the account (or one that was, and that the configuration lets go);
    ``is_kept`` that this is so but for copies that a person took out, for which the source keeps the message.
    ``failure`` is the kind of its last problem, or ``""``, after that many ``attempts``. Times are seconds since the
    epoch.
    """

    number: MessageNumber
    unique_id: UniqueId
    octets: int
    row: MessageRow
    content: int
    digest: Digest | None
    is_proven: bool
    copied_at: float | None
    failure: str
    attempts: int
    failed_at: float | None
    is_accepted: bool
    is_kept: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether no destination lacks it."""
        return self.is_proven or self.is_kept


class StoredCopy(NamedTuple):
    """What the ledger knows of one copy.

    ``verified_at`` is when it was last read back and found equal, in seconds since the epoch, None for never.
    """

    copy_id: int
    digest: Digest
    octets: int
    state: CopyState
    locator: Locator | None
    proof: Proof
    reason: str
    verified_at: float | None
