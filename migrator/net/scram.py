"""The client's side of SCRAM (RFC 5802, RFC 7677), without channel binding. Pure: messages in, messages out.

Our own because the library, scramp, imports what reads certificates and packages: a sixth of the time of a run that
finds nothing new. It is as strict as that one, which the tests ask beside it.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

FEWEST_ITERATIONS = 4096
"""What RFC 5802 asks for: with fewer, a listener tries passwords quickly."""
MOST_ITERATIONS = 10_000_000
"""Some seconds of work; a server that asks for more means no good."""
SHORTEST_SALT = 12

_OF_THE_PROTOCOL = frozenset("anmrcsipve")


class ScramClient:
    """One log-in; ``digest`` is what ``hashlib`` calls it. What makes no sense is a ``ValueError``."""

    def __init__(self, digest: str, username: str, password: str, nonce: str) -> None:
        name = prepared(username)
        if not name:
            raise ValueError("there is no username")
        self._digest, self._password, self._nonce = digest, prepared(password).encode(), nonce
        self._first = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._server_signature = b""

    @property
    def first(self) -> str:
        """What the client says first."""
        return f"n,,{self._first}"

    def final(self, server_first: str) -> str:
        """Return the proof that we know the password, for what the server said first."""
        said = _attributes(server_first, "rsi")
        nonce, salt = said["r"], b64decode(said["s"], validate=True)
        if (
            not nonce.startswith(self._nonce)
            or nonce == self._nonce
            or not all("!" <= letter <= "~" for letter in nonce)
        ):
            raise ValueError("the server answers another log-in than ours")
        if len(salt) < SHORTEST_SALT:
            raise ValueError("the salt is too short")
        without_proof = f"c=biws,r={nonce}"
        about = f"{self._first},{server_first},{without_proof}".encode()
        salted = hashlib.pbkdf2_hmac(self._digest, self._password, salt, _iterations(said["i"]))
        client_key = self._keyed(salted, b"Client Key")
        signature = self._keyed(hashlib.new(self._digest, client_key).digest(), about)
        self._server_signature = self._keyed(self._keyed(salted, b"Server Key"), about)
        proof = bytes(key ^ sign for key, sign in zip(client_key, signature, strict=True))
        return f"{without_proof},p={b64encode(proof).decode()}"

    def check(self, server_final: str) -> None:
        """Return if what the server says last proves that it knows the password too; it must come after ``final``."""
        signature = b64decode(_attributes(server_final, "v")["v"], validate=True)
        if not self._server_signature or not hmac.compare_digest(self._server_signature, signature):
            raise ValueError("the server does not know the password")

    def _keyed(self, key: bytes, text: bytes) -> bytes:
        return hmac.digest(key, text, self._digest)


def _attributes(message: str, expected: str) -> dict[str, str]:
    """Take a message apart: the attributes that are expected, in this order, and then only ones that nobody knows."""
    found: dict[str, str] = {}
    for part in message.split(","):
        name, _, value = part.partition("=")
        if len(name) != 1 or not (name.isascii() and name.isalpha()) or not value or "\0" in value or name in found:
            raise ValueError("this is no message of SCRAM")
        found[name] = value
    names = "".join(found)
    if not names.startswith(expected) or not _OF_THE_PROTOCOL.isdisjoint(names[len(expected) :]):
        raise ValueError("the server refuses, or says what was not asked")
    return found


def _iterations(written: str) -> int:
    if (
        not (written.isascii() and written.isdigit())
        or written.startswith("0")
        or len(written) > len(str(MOST_ITERATIONS))
    ):
        raise ValueError("the number of iterations is none")
    iterations = int(written)
    if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
        raise ValueError("the number of iterations is out of bounds")
    return iterations


def prepared(text: str) -> str:
    """Return a name or password in the one form that both sides hash (SASLprep, RFC 4013); ``ValueError`` if none."""
    if text.isascii() and text.isprintable():
        return text
    import stringprep as table
    import unicodedata

    mapped = "".join(" " if table.in_table_c12(one) else one for one in text if not table.in_table_b1(one))
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    prohibited = (
        *(table.in_table_a1, table.in_table_b1, table.in_table_c12, table.in_table_c21_c22, table.in_table_c3),
        *(
            table.in_table_c4,
            table.in_table_c5,
            table.in_table_c6,
            table.in_table_c7,
            table.in_table_c8,
            table.in_table_c9,
        ),
    )
    if any(is_in(one) for one in normal for is_in in prohibited):
        raise ValueError("a character that no name and no password may have")
    if any(map(table.in_table_d1, normal)):  # RFC 3454, section 6: from right to left as a whole, or not at all
        ends = table.in_table_d1(normal[0]) and table.in_table_d1(normal[-1])
        if not ends or any(map(table.in_table_d2, normal)):
            raise ValueError("directions of writing are mixed")
    return normal
