"""Names of message files in a Maildir: what of them says which message it is, and what others append to it. Pure."""

from __future__ import annotations

import re

_INFO = re.compile(r":|[;!]2,")
"""Where the flags begin: after a colon, or after what stands for it where file names may have none."""

_FIELDS = re.compile(r"(?:,[A-Za-z]=\d+)+\Z")
"""What programs append to the unique part: mbsync its ``,U=12``, Dovecot and Courier sizes, ``,S=2187,W=2230``."""


def base_of(file_name: str) -> str:
    """Return the unique part of a file name, which stays the same whatever a mail program does with the file."""
    unique = _INFO.split(file_name, maxsplit=1)[0]
    return _FIELDS.sub("", unique)
