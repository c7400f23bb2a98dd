"""Arrays as PostgreSQL reads them: a batch's values, each kind of them as one value. Pure.

An array of 500 digests that psycopg puts together element by element takes as long as all else that a batch says.
"""

from __future__ import annotations

from collections.abc import Iterable


def numbers(values: Iterable[int]) -> str:
    """Return an array of whole numbers."""
    return f"{{{','.join(map(str, values))}}}"


def octets(values: Iterable[bytes]) -> str:
    """Return an array of octets, in hexadecimal digits."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """Return an array of texts."""
    quoted = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return "{" + ",".join([f'"{value}"' for value in quoted]) + "}"
