"""The SDK's client for one store, bounded and quiet. boto3 (``mailferry[s3]``) is imported here and only when needed.

Its waits are bounded, and it tries nothing twice: when to try again is decided in ``store``. It sends nothing anywhere
but to the configured store, unless it is the SDK that is to find what to sign with. Where keys are configured, no
metadata service is asked, and no file or variable of the SDK moves the endpoint.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from migrator.destinations.s3.failures import translated
from migrator.destinations.s3.settings import S3Settings
from migrator.errors import Advice, FerryError, Kind, Scope

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.loaders import Loader
    from botocore.session import Session

CONNECT_TIMEOUT = 10.0
"""Seconds for each address of a store that does not answer; Amazon's have eight."""

_LOUD = ("boto3", "botocore", "urllib3", "s3transfer")
MISSING = "an archive in an object store needs one more package: pip install 'mailferry[s3]'"


def open_client(settings: S3Settings) -> tuple[BaseClient, tuple[bytes, ...]]:
    """Return a client for the store, and the secrets that no word may show; connects to nothing yet.

    Raises ``FerryError`` where the package is missing, or what to sign with cannot be had.
    """
    _silence()
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise FerryError(Kind.REFUSED, MISSING, scope=Scope.ACCOUNT, advice=Advice.NEVER, finding="refused") from error
    keys = settings.keys() if settings.keys else None
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=settings.timeout,
        retries={"total_max_attempts": 1, "mode": "standard"},  # ``store`` tries again, within its patience
        s3={"addressing_style": "path" if settings.path_style else "auto"},
        request_checksum_calculation="when_required",  # many stores know no trailing checksum; Content-MD5 all know
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
        max_pool_connections=2,
    )
    try:
        client = boto3.session.Session(botocore_session=_session()).client(
            "s3",
            region_name=settings.region or ("us-east-1" if settings.endpoint else None),
            endpoint_url=settings.endpoint or None,
            aws_access_key_id=keys.access_key_id if keys else None,
            aws_secret_access_key=keys.secret_access_key if keys else None,
            verify=str(settings.ca_file) if settings.ca_file else None,
            config=config,
        )
    except BotoCoreError as error:
        raise translated(settings, error, ()) from None
    return client, tuple(key.encode("utf-8", "surrogateescape") for key in keys or ())


def _session() -> Session:
    """Return a session of its own, so that what it signs with is looked for again; its models are read once."""
    from botocore.session import get_session

    session = get_session()
    session.register_component("data_loader", _models())
    return session


@cache
def _models() -> Loader:
    """Read megabytes of descriptions of what the store can do, of which most clients need the same."""
    from botocore.loaders import create_loader

    return create_loader()


def _silence() -> None:
    """Keep the SDK's log to itself: at its finest levels it writes whole requests, signatures and keys included."""
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
