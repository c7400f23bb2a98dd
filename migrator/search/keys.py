"""What one message is looked up by in the index: keys of eight octets, in place of what they stand for. Pure.

A digest is looked for by its first eight octets and then compared. A Message-ID is kept as a number of 64 bits only.
"""

from __future__ import annotations

from hashlib import sha256

IS_DIGEST = "substr(digest, 1, 8) = substr(?1, 1, 8) and digest = ?1"


def message_key(message_id: str) -> int | None:
    """Return what stands for a Message-ID, with or without its brackets; None where there is none."""
    bare = message_id.strip("<> ")
    return int.from_bytes(sha256(bare.encode(errors="surrogatepass")).digest()[:8], signed=True) if bare else None
