"""What a configured destination is, however it is written, and which of them do not fit together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrator.config.model import Account, Destination, FolderDestination
from migrator.config.store import S3Destination
from migrator.model import mailbox_identity, store_identity


def identity_of(destination: Destination) -> str:
    """Return what a destination really is, whatever symbolic links lead there, however its mailbox is spelled."""
    if isinstance(destination, FolderDestination):
        return f"{destination.type}:{destination.path.resolve()}"
    if isinstance(destination, S3Destination):
        return store_identity(destination.bucket, destination.prefix, destination.endpoint or "")
    return mailbox_identity(destination.username, destination.host, destination.folder)


def problems_together(account: Account, state_dir: Path, kinds: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong only between tables, each with its key: folders that would hold two kinds of thing.

    ``kinds`` is which kind of archive each folder holds that has been seen; those of this account are added.
    """
    for destination in account.destinations:
        if isinstance(destination, FolderDestination):
            yield from _folder(account.name, destination, state_dir, kinds)
    if len(set(map(identity_of, account.destinations))) < len(account.destinations):
        yield f'account "{account.name}" has the same destination twice', ""


def _folder(
    account: str, destination: FolderDestination, state_dir: Path, kinds: dict[str, str]
) -> Iterator[tuple[str, str]]:
    path, real_state_dir = destination.path.resolve(), state_dir.resolve()  # a symbolic link hides nothing
    if real_state_dir == path or path in real_state_dir.parents:
        yield (
            f'state_dir {state_dir} lies in the archive folder {path} of account "{account}"; keep them apart',
            "state_dir",
        )
    if (other := kinds.setdefault(str(path), destination.type)) != destination.type:
        yield f'account "{account}" uses {path} as {destination.type}, another one as {other}', ""
