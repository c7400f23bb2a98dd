"""Where an archive in an object store is, and what it is known by. Pure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from migrator.errors import Endpoint
from migrator.lazy_dataclasses import dataclass
from migrator.model import AMAZON, store_identity, store_label
from migrator.net.tls import TlsMode, TlsSettings


class Keys(NamedTuple):
    """What requests are signed with. Its repr shows nothing."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        """Show stars."""
        return "Keys(***)"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """One prefix of a bucket. ``endpoint`` is a URL, empty for Amazon's own; ``region`` is empty for the SDK's choice.

    ``keys`` fetches what to sign with; None leaves that to the SDK: its variables, its files, the machine's role.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    ca_file: Path | None = None
    timeout: float = 45.0
    keys: Callable[[], Keys] | None = None

    @property
    def identity(self) -> str:
        """What the archive is known by for good."""
        return store_identity(self.bucket, self.prefix, self.endpoint)

    @property
    def label(self) -> str:
        """What a person calls it."""
        return store_label(self.bucket, self.prefix, self.endpoint)

    @property
    def server(self) -> Endpoint:
        """The store as a server."""
        parts = urlsplit(self.endpoint)
        implied = 80 if parts.scheme == "http" else 443
        return Endpoint(parts.hostname or AMAZON, parts.port or implied)

    @property
    def tls(self) -> TlsSettings:
        """How the store is talked to, for the words of an error."""
        mode = TlsMode.NONE if self.endpoint.startswith("http:") else TlsMode.IMPLICIT
        return TlsSettings(mode, self.ca_file, None)
