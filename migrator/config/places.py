"""What a configured destination is, however it is written."""

from __future__ import annotations

from migrator.config.model import Destination, FolderDestination
from migrator.config.store import S3Destination
from migrator.model import mailbox_identity, store_identity


def identity_of(destination: Destination) -> str:
    """Return what a destination really is, whatever symbolic links lead there, however its mailbox is spelled."""
    if isinstance(destination, FolderDestination):
        return f"{destination.type}:{destination.path.resolve()}"
    if isinstance(destination, S3Destination):
        return store_identity(destination.bucket, destination.prefix, destination.endpoint or "")
    return mailbox_identity(destination.username, destination.host, destination.folder)
