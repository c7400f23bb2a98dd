"""The tables that only ``mailferry run`` reads: when to work, how much at once, whom to tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic.functional_validators import PlainValidator

from migrator.config import passwords, values
from migrator.config.secrets import Secret, TextSecret
from migrator.config.table import (
    Duration,
    ExistingFile,
    Folder,
    Host,
    Octets,
    Port,
    SecretValue,
    Table,
    Text,
    context_of,
)
from migrator.net.tls import TlsMode, TlsSettings

NEVER = "never"


def _crontab(written: str, zone: str | None = None) -> str:
    from apscheduler.triggers.cron import CronTrigger

    try:
        CronTrigger.from_crontab(written, timezone=zone or "UTC")
    except ValueError as error:
        raise ValueError(f'{values.shown(written)} is no cron line such as "*/15 * * * *": {error}') from error
    return written


class Schedule(Table):
    """When ``mailferry run`` works an account: exactly one of ``every`` and ``cron`` is there.

    ``timezone`` is for ``cron`` (the machine's own, by default). ``jitter`` delays each round by up to so much.
    """

    cron: str | None = None
    every: Annotated[Duration | None, Field(validate_default=True)] = None
    timezone: str | None = None
    jitter: Duration | None = None

    @field_validator("cron")
    @classmethod
    def _cron_is_understood(cls, written: str | None) -> str | None:
        return None if written is None else _crontab(written)

    @field_validator("every")
    @classmethod
    def _one_of_both(cls, every: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if every and info.data.get("cron"):
            raise ValueError("every and cron stand side by side; keep one of them")
        return None if info.data.get("cron") else every or timedelta(minutes=15)

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, written: str | None) -> str | None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        if written is not None:
            try:
                ZoneInfo(written)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f'{values.shown(written)} is no time zone such as "Europe/Berlin"') from error
        return written


class VerifySchedule(Table):
    """How often ``mailferry run`` reads the whole archive again."""

    every: Duration = timedelta(days=30)


class LimitsTable(Table):
    """How many accounts ``mailferry run`` works at one time: in all, and with any one host."""

    accounts: Annotated[int, Field(strict=True, ge=1, le=100)] = 4
    per_host: Annotated[int, Field(strict=True, ge=1, le=100)] = 4


class Metrics(Table):
    """Where ``mailferry run`` answers Prometheus (an address and a port), and the textfile of one-shot runs."""

    listen: Text | None = None
    textfile: Folder | None = None

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, written: str | None) -> str | None:
        if written is None:
            return None
        host, colon, port = written.rpartition(":")
        if not (colon and port.isdecimal() and int(port) <= 65535):
            raise ValueError(f'{values.shown(written)} must be an address and a port, such as "127.0.0.1:9300"')
        values.host(host)
        return written


def _smtp_port(table: dict[str, object]) -> int:
    return {TlsMode.IMPLICIT: 465, TlsMode.STARTTLS: 587}.get(TlsMode(str(table.get("tls", "implicit"))), 25)


class Smtp(Table):
    """Through which server notifications are mailed, and to whom."""

    host: Host
    tls: TlsMode = TlsMode.STARTTLS
    port: Port = Field(default_factory=_smtp_port)
    username: Text | None = None
    password: SecretValue | None = None
    ca_file: ExistingFile | None = None
    fingerprint: Annotated[str | None, PlainValidator(values.fingerprint)] = None
    sender: Text
    to: Annotated[tuple[Text, ...], Field(min_length=1)]

    @property
    def tls_settings(self) -> TlsSettings:
        """How the connection is encrypted and whom it trusts."""
        return TlsSettings(self.tls, self.ca_file, self.fingerprint)


def _urls(written: object, info: ValidationInfo) -> tuple[Secret, ...]:
    listed = written if isinstance(written, (list, tuple)) else [written]
    context = context_of(info)
    return tuple(
        one if isinstance(one, Secret) else passwords.secret(one, path=context.path, withheld=context.withheld)
        for one in listed
    )


class Notify(Table):
    """Whom ``mailferry run`` tells, and of what. An Apprise URL is a secret, written as passwords are."""

    apprise: Annotated[tuple[Secret, ...], PlainValidator(_urls)] = ()
    smtp: Smtp | None = None
    after_failures: Annotated[int, Field(strict=True, ge=1)] = 2
    silence: Duration = timedelta(hours=24)
    disk_free: Octets = 10**9
    digest: str = "0 7 * * mon"

    @field_validator("digest")
    @classmethod
    def _digest_is_understood(cls, written: str) -> str:
        return written if written == NEVER else _crontab(written)

    @property
    def wants_digest(self) -> bool:
        """Whether a digest is sent at all."""
        return self.digest != NEVER


def _ping_url(written: object) -> Secret:
    if isinstance(written, Secret):
        return written
    parts = urlsplit(written) if isinstance(written, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without a query")  # not shown: it is a secret
    return TextSecret(str(written))


def _ping_urls(written: object) -> dict[str, Secret]:
    if not isinstance(written, dict):
        raise ValueError('must be a table: { alice = "https://…" }')  # noqa: TRY004  # pydantic wants ValueError
    return {str(name): _ping_url(url) for name, url in written.items()}


class Pings(Table):
    """Dead-man switches in the manner of healthchecks: one for the whole worker, and one for any account."""

    url: Annotated[Secret | None, PlainValidator(lambda written: None if written is None else _ping_url(written))] = (
        None
    )
    accounts: Annotated[dict[str, Secret], PlainValidator(_ping_urls)] = Field(default_factory=dict)
