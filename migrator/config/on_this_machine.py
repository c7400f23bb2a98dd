"""What is right or wrong of a configuration only by what this machine has: files, symbolic links, packages, zones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config.model import Config, Server
from migrator.config.places import problems_together
from migrator.config.store import S3Destination
from migrator.config.vault_key import KeyPlaces

if TYPE_CHECKING:
    from migrator.config.worker import Schedule


def holds_here(config: Config) -> bool:
    """Say whether a configuration that was once right is so still, as far as that depends on the machine.

    Raises ``OSError`` where a path cannot be looked at.
    """
    kinds: dict[str, str] = {}
    return (
        all(map(Path.is_file, _files(config)))
        and not any(problem for one in config.accounts for problem in problems_together(one, config.state_dir, kinds))
        and not _is_key_with_state(config)
        and all(map(_is_known, _zones(config)))
        and (
            not any(isinstance(end, S3Destination) for one in config.accounts for end in one.destinations) or _has_s3()
        )
    )


def _files(config: Config) -> Iterator[Path]:
    """Yield every file that must be there."""
    for account in config.accounts:
        for end in (account.source, *account.destinations):
            if isinstance(end, Server | S3Destination) and end.ca_file is not None:
                yield end.ca_file
    if config.notify is not None and config.notify.smtp is not None and config.notify.smtp.ca_file is not None:
        yield config.notify.smtp.ca_file
    if config.web is not None:
        yield from filter(None, (config.web.tls_certificate, config.web.tls_key))


def _is_key_with_state(config: Config) -> bool:
    key = config.web.vault_key if config.web is not None else None
    return key is not None and KeyPlaces(config.state_dir).is_inside_state(key)


def _zones(config: Config) -> Iterator[str]:
    schedules: Iterator[Schedule | None] = (account.schedule for account in config.accounts)
    yield from {one.timezone for one in (config.schedule, *schedules) if one is not None and one.timezone is not None}


def _is_known(zone: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _needs_s3(config: Config) -> bool:
    return any(isinstance(end, S3Destination) for account in config.accounts for end in account.destinations)


def _has_s3() -> bool:
    from importlib.util import find_spec

    return find_spec("boto3") is not None
