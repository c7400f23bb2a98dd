"""What a finding's entry in the catalogue is, and the entries of what could only be better. Pure data.

The order is that of importance; ``migrator.findings.catalogue`` has all of them.
"""

from __future__ import annotations

from migrator.findings.model import Severity
from migrator.lazy_dataclasses import dataclass

HINT = Severity.HINT


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of finding. ``text`` and ``cure`` are sentences without a full stop, as they are shown."""

    id: str
    severity: Severity
    meaning: str
    text: str
    cure: str


HINTS = (
    Entry(
        "message-too-large",
        HINT,
        "Messages are larger than the rule of the account allows, and are left at the source.",
        "{messages} left at the source by max_message_size",
        "nothing needs to be done if that is meant; otherwise raise max_message_size and run migrate",
    ),
    Entry("paused", HINT, "An account is paused.", "paused", "run resume when it is to be worked again"),
    Entry(
        "nobody-told",
        HINT,
        "Nobody hears of it when something goes wrong.",
        "nobody hears of it when something goes wrong",
        "add [notify.smtp] or [notify] apprise to the configuration",
    ),
    Entry(
        "vault-key-nearby",
        HINT,
        "The key of the passwords that were typed into the page stands where it was made: no place was named for it.",
        "the key of the passwords that were typed into the page stands in {file}, on this machine; a copy of that "
        "file and of {state_dir} together would give them away",
        "move it to where no backup of {state_dir} takes it along and name that file by vault_key in [web], or hand it "
        "over as the credential mailferry.vault-key (LoadCredentialEncrypted=)",
    ),
    Entry(
        "file-system",
        HINT,
        "The file system of an archive cannot promise something.",
        "{label}: {problem}",
        "nothing needs to be done; a local disk promises more",
    ),
    Entry(
        "no-versions",
        HINT,
        "The bucket of an archive keeps no versions: what somebody deletes there is gone at once.",
        "the bucket {bucket} keeps no versions of what is deleted or put over",
        "nothing needs to be done; with versioning turned on for the bucket, and no right to delete versions for the "
        "keys, a slip costs nothing",
    ),
    Entry(
        "provider-deletes",
        HINT,
        "The server says that it deletes messages by itself after a while.",
        "the server says that it deletes messages {when}",
        "nothing needs to be done while runs end well",
    ),
    Entry(
        "no-unique-ids",
        HINT,
        "The server does not say that it knows UIDL.",
        "the server does not say that it knows UIDL; without it messages are recognised by their headers",
        "nothing needs to be done",
    ),
)
