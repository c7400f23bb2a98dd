"""The table of a destination in an object store, as pydantic checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from migrator.config import values
from migrator.config.secrets import Secret
from migrator.config.store import S3Destination
from migrator.config.table import Duration, ExistingFile, SecretValue, Table, Text, Written
from migrator.net.tls import is_loopback

MISSING = "needs one more package: pip install 'mailferry[s3]'"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


def _bucket(written: object) -> str:
    name = values.one_line(written)
    if not _BUCKET.fullmatch(name):
        raise ValueError(f"{values.shown(name)} is not the name of a bucket; a folder in it is its prefix")
    return name


def _prefix(written: object) -> str:
    if written == "":
        return ""
    name = values.one_line(written).strip("/")
    if "//" in name:
        raise ValueError(f"{values.shown(name)} has an empty level; write one slash between levels")
    return name


def _endpoint(written: object) -> str:
    try:
        parts = urlsplit(values.one_line(written))
        is_right = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_right, parts = False, SplitResult("", "", "", "", "")
    if not is_right or parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        # What was written is not repeated: a key may stand in it.
        raise ValueError('must be the URL of the store alone, such as "https://minio.example.org:9000"')
    return f"{parts.scheme}://{parts.netloc}"


def _is_own_store(table: Mapping[str, object]) -> bool:
    return table.get("endpoint") is not None


class S3Table(Table):
    """A prefix of a bucket in Amazon S3 or any store that speaks its protocol."""

    type: Literal["s3"] = Field(description="the kind of destination; needs `mailferry[s3]`")
    bucket: Annotated[str, BeforeValidator(_bucket), Written("text")] = Field(
        description="the bucket; it must be there: mailferry makes none"
    )
    prefix: Annotated[str, BeforeValidator(_prefix), Written("text")] = Field(
        "",
        description="what all names in it begin with, without the slash that follows; accounts may share one, as a "
        "folder of mbox",
    )
    endpoint: Annotated[str, BeforeValidator(_endpoint), Written("URL")] | None = Field(
        None, description="the store's URL, without bucket or folder; without it, Amazon's"
    )
    region: Text | None = Field(
        None, description="the bucket's region; without it what the SDK finds, at an `endpoint` `us-east-1`"
    )
    path_style: Annotated[bool, Field(strict=True)] = Field(
        default_factory=_is_own_store,
        description="whether the bucket stands in the path and not in the host's name; `true` where there is an "
        "`endpoint`, else `false`",
    )
    access_key_id: SecretValue | None = Field(
        None,
        description="what to sign requests with, together with `secret_access_key`: any source of “Passwords” (the "
        "keyring's user is the bucket). Without both the SDK looks: its variables, its files, the machine's role",
    )
    secret_access_key: Annotated[SecretValue | None, Field(validate_default=True)] = Field(
        None, description="the secret half of the key"
    )
    ca_file: ExistingFile | None = Field(None, description="trust this certification authority only (a PEM file)")
    allow_plaintext: Annotated[bool, Field(strict=True, validate_default=True)] = Field(
        False,  # noqa: FBT003  # a default stands first
        description="an `endpoint` with `http:` on anything but this machine needs `true`",
    )
    timeout: Duration = Field(timedelta(seconds=45), description="how long silence is tolerated; connecting has 10 s")

    @field_validator("type")
    @classmethod
    def _is_installed(cls, kind: Literal["s3"]) -> Literal["s3"]:
        if find_spec("boto3") is None:
            raise ValueError(MISSING)
        return kind

    @field_validator("secret_access_key")
    @classmethod
    def _both_or_none(cls, secret: Secret | None, info: ValidationInfo) -> Secret | None:
        if (secret is None) != (info.data.get("access_key_id") is None):
            raise ValueError("access_key_id and secret_access_key go together; leave out both to let the SDK look")
        return secret

    @field_validator("allow_plaintext")
    @classmethod
    def _plaintext_is_allowed(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic's signature
        parts = urlsplit(info.data.get("endpoint") or "")
        if parts.scheme == "http" and not allowed and not is_loopback(parts.hostname or ""):
            raise ValueError(
                f"http: would send mail to {parts.hostname} unencrypted; "
                "write https, or accept that with allow_plaintext = true"
            )
        return allowed

    def value(self) -> S3Destination:
        """Return what the table says."""
        return S3Destination(**self.told(), written=self.written)
