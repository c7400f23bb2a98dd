"""One run at a time stores into a mailbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.destinations.imap_lock import MailboxLock
from migrator.errors import FerryError, Kind


def test_another_holder_of_the_same_mailbox_is_kept_out_and_named(tmp_path: Path) -> None:
    ours, theirs, other = (
        MailboxLock(tmp_path / "locks", identity, "INBOX of ann", timeout=0.01)
        for identity in ("imap:ann@host/INBOX", "imap:ann@host/INBOX", "imap:ann@host/Old")
    )
    with ours.held(), other.held():
        with pytest.raises(FerryError, match="another run is storing into INBOX of ann") as raised, theirs.held():
            raise AssertionError("both hold it")
        with ours.held():  # it may be asked for twice
            pass
    assert raised.value.kind is Kind.LOCKED
    with theirs.held():
        pass
