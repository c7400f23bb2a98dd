"""A destination in an object store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from migrator.config.secrets import Secret
from migrator.config.settings import NO_SETTING
from migrator.lazy_dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Destination:
    """A prefix of a bucket in Amazon S3 or any store that speaks its protocol."""

    type: Literal["s3"]
    bucket: str
    prefix: str
    endpoint: str | None
    region: str | None
    path_style: bool
    access_key_id: Secret | None
    secret_access_key: Secret | None
    ca_file: Path | None
    allow_plaintext: bool
    timeout: timedelta
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False, metadata=NO_SETTING)

    def signing_keys(self) -> tuple[Secret, ...]:
        """Return what requests are signed with: two secrets, or none where the SDK is to look."""
        if self.access_key_id is None or self.secret_access_key is None:
            return ()
        return (self.access_key_id, self.secret_access_key)
