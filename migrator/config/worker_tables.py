"""The tables that only ``mailferry run`` reads, as pydantic checks them; what they say is in ``worker``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic.functional_validators import PlainValidator

from migrator.config import passwords, values
from migrator.config.openid_table import OpenIdTable
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
    Written,
    context_of,
)
from migrator.config.worker import (
    NEVER,
    USUAL_ROUND,
    Limits,
    Metrics,
    Notify,
    Pings,
    Schedule,
    Smtp,
    VerifySchedule,
    Web,
    address_of,
)
from migrator.net.tls import TlsMode, is_loopback

_VERIFY, _LIMITS, _NOTIFY = VerifySchedule(), Limits(), Notify()
"""What holds where nothing is written."""


def _crontab(written: str, zone: str | None = None) -> str:
    from apscheduler.triggers.cron import CronTrigger

    try:
        CronTrigger.from_crontab(written, timezone=zone or "UTC")
    except ValueError as error:
        raise ValueError(f'{values.shown(written)} is not a cron line such as "*/15 * * * *": {error}') from error
    return written


class ScheduleTable(Table):
    """When ``mailferry run`` works an account: exactly one of ``every`` and ``cron`` is there.

    ``timezone`` is for ``cron`` (the machine's own, by default). ``jitter`` delays each round by up to so much.
    """

    cron: str | None = Field(None, description="a cron line of five fields, in place of `every`")
    every: Annotated[Duration | None, Field(validate_default=True)] = Field(
        None, description="from round to round; the first is at start, and accounts are spread over the interval"
    )
    timezone: str | None = Field(None, description="for `cron`, such as `Europe/Berlin`; the machine's own by default")
    jitter: Duration | None = Field(None, description="each round may come up to this much later")

    @field_validator("cron")
    @classmethod
    def _cron_is_understood(cls, written: str | None) -> str | None:
        return None if written is None else _crontab(written)

    @field_validator("every")
    @classmethod
    def _one_of_both(cls, every: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if every and info.data.get("cron"):
            raise ValueError("every and cron stand side by side; keep one of them")
        return None if info.data.get("cron") else every or USUAL_ROUND

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, written: str | None) -> str | None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        if written is not None:
            try:
                ZoneInfo(written)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f'{values.shown(written)} is not a time zone such as "Europe/Berlin"') from error
        return written

    def value(self) -> Schedule:
        """Return what the table says."""
        return Schedule(**self.told())


class VerifyTable(Table):
    """How often ``mailferry run`` reads the whole archive again."""

    every: Duration = Field(_VERIFY.every, description="the whole archive is read again in this time, in slices")

    def value(self) -> VerifySchedule:
        """Return what the table says."""
        return VerifySchedule(**self.told())


class LimitsTable(Table):
    """How many accounts ``mailferry run`` works at one time: in all, and with any one host."""

    accounts: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        _LIMITS.accounts, description="accounts worked at one time"
    )
    per_host: Annotated[int, Field(strict=True, ge=1, le=100)] = Field(
        _LIMITS.per_host, description="of these, with any one server"
    )

    def value(self) -> Limits:
        """Return what the table says."""
        return Limits(**self.told())


def _listen(written: str, example: str) -> str:
    host, colon, port = written.rpartition(":")
    if not (colon and port.isdecimal() and int(port) <= 65535):
        raise ValueError(f'{values.shown(written)} must be an address and a port, such as "{example}"')
    values.host(host)
    return written


class WebTable(Table):
    """The page of ``mailferry run``. Away from loopback it wants TLS, or somebody who says that it may do without."""

    listen: Text = Field(description="the address and port of the page, such as `127.0.0.1:8025`")
    hosts: tuple[Host, ...] = Field(
        (),
        description="the names by which browsers reach it, beside `localhost` and its address; it answers to no other",
    )
    tls_certificate: ExistingFile | None = Field(None, description="its certificate with the chain (a PEM file)")
    tls_key: Annotated[ExistingFile | None, Field(validate_default=True)] = Field(
        None, description="the key of that certificate (a PEM file without a password)"
    )
    allow_plaintext: Annotated[bool, Field(strict=True, validate_default=True)] = Field(
        False,  # noqa: FBT003  # a default stands first
        description="listening unencrypted at anything but this machine's own loopback address needs `true`",
    )

    vault_key: Folder | None = Field(
        None,
        description="the file with the key of the passwords that are typed into the page, outside `state_dir`; it is "
        "made where it is not there ([web](web.md))",
    )
    oidc: OpenIdTable | None = Field(None, description="`[web.oidc]`: an OpenID provider at which users may sign in")

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, written: str) -> str:
        return _listen(written, "127.0.0.1:8025")

    @field_validator("tls_key")
    @classmethod
    def _both_or_none(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "tls_certificate" in info.data and (key is None) != (info.data["tls_certificate"] is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or none")
        return key

    @field_validator("allow_plaintext")
    @classmethod
    def _plaintext_is_allowed(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic's signature
        listen = info.data.get("listen", "127.0.0.1:0")
        is_open = info.data.get("tls_certificate") is None and not is_loopback(address_of(listen))
        if is_open and not allowed:
            raise ValueError(
                f"the page would be served unencrypted at {listen}; "
                "give tls_certificate and tls_key, or accept that with allow_plaintext = true"
            )
        return allowed

    def value(self) -> Web:
        """Return what the table says."""
        return Web(**self.told())


class MetricsTable(Table):
    """Where ``mailferry run`` answers Prometheus (an address and a port), and the textfile of one-shot runs."""

    listen: Text | None = Field(
        None, description="the address and port of `/metrics` and `/healthz`, such as `127.0.0.1:9300`"
    )
    textfile: Folder | None = Field(None, description="the file that `mailferry migrate` writes its numbers to")

    @field_validator("listen")
    @classmethod
    def _has_a_port(cls, written: str | None) -> str | None:
        return None if written is None else _listen(written, "127.0.0.1:9300")

    def value(self) -> Metrics:
        """Return what the table says."""
        return Metrics(**self.told())


def _smtp_port(table: dict[str, object]) -> int:
    return {TlsMode.IMPLICIT: 465, TlsMode.STARTTLS: 587}.get(TlsMode(str(table.get("tls", "implicit"))), 25)


class SmtpTable(Table):
    """Through which server notifications are mailed, and to whom."""

    host: Host = Field(description="the mail server")
    tls: TlsMode = Field(TlsMode.STARTTLS, description="how the connection is encrypted")
    port: Port = Field(default_factory=_smtp_port, description="the server's port")
    username: Text | None = Field(None, description="the name to log in with; without one, nobody logs in")
    password: SecretValue | None = Field(None, description="see “Passwords”")
    allow_plaintext: Annotated[bool, Field(strict=True, validate_default=True)] = Field(
        False,  # noqa: FBT003  # a default stands first
        description="a password over an unencrypted connection to anything but this machine needs `true`",
    )
    ca_file: ExistingFile | None = Field(None, description="trust this certification authority only (a PEM file)")
    fingerprint: Annotated[str | None, PlainValidator(values.fingerprint), Written("fingerprint")] = Field(
        None, description="trust this certificate only"
    )
    sender: Text = Field(description="the address in From")
    to: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(description="the addresses that are written to")

    @field_validator("allow_plaintext")
    @classmethod
    def _plaintext_is_allowed(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  # pydantic's signature
        host = info.data.get("host", "localhost")
        is_sent = info.data.get("password") is not None and info.data.get("tls") is TlsMode.NONE
        if is_sent and not allowed and not is_loopback(host):
            raise ValueError(
                f'tls = "none" would send the password to {host} unencrypted; '
                "use tls, or accept that with allow_plaintext = true"
            )
        return allowed

    def value(self) -> Smtp:
        """Return what the table says."""
        return Smtp(**self.told())


def _urls(written: object, info: ValidationInfo) -> tuple[Secret, ...]:
    listed = written if isinstance(written, (list, tuple)) else [written]
    context = context_of(info)
    return tuple(
        one
        if isinstance(one, Secret)
        else passwords.secret(one, path=context.path, withheld=context.withheld, kept=context.kept)
        for one in listed
    )


class NotifyTable(Table):
    """Whom ``mailferry run`` tells, and of what. An Apprise URL is a secret, written as passwords are."""

    apprise: Annotated[tuple[Secret, ...], PlainValidator(_urls), Written("list of passwords")] = Field(
        (), description="URLs of services that Apprise knows, each a secret; needs `mailferry[apprise]`"
    )
    smtp: SmtpTable | None = Field(None, description="`[notify.smtp]`: by mail")
    after_failures: Annotated[int, Field(strict=True, ge=1)] = Field(
        _NOTIFY.after_failures, description="failed runs in a row before anybody hears of them"
    )
    silence: Duration = Field(_NOTIFY.silence, description="no run came to its end for this long, and for two rounds")
    disk_free: Octets = Field(
        _NOTIFY.disk_free,
        description="less free space than this counts as nearly full; without it a tenth of the disk, if that is less",
    )
    digest: str = Field(_NOTIFY.digest, description="when the weekly digest is sent: a cron line, or `never`")

    @field_validator("digest")
    @classmethod
    def _digest_is_understood(cls, written: str) -> str:
        return written if written == NEVER else _crontab(written)

    def value(self) -> Notify:
        """Return what the table says."""
        return Notify(**self.told(), written=self.written)


def _ping_url(written: object, info: ValidationInfo) -> Secret:
    if isinstance(written, Secret):
        return written
    if isinstance(written, Mapping):
        context = context_of(info)
        return passwords.secret(written, path=context.path, withheld=context.withheld, kept=context.kept)
    parts = urlsplit(written) if isinstance(written, str) else None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http or https URL without a query")  # not shown: it is a secret
    return TextSecret(str(written))


def _ping_urls(written: object, info: ValidationInfo) -> dict[str, Secret]:
    if not isinstance(written, dict):
        raise ValueError('must be a table: { alice = "https://…" }')  # noqa: TRY004  # pydantic wants ValueError
    return {str(name): _ping_url(url, info) for name, url in written.items()}


class PingsTable(Table):
    """Dead-man switches in the manner of healthchecks: one for the whole worker, and one for any account."""

    url: Annotated[
        Secret | None,
        PlainValidator(lambda written, info: None if written is None else _ping_url(written, info)),
        Written("URL"),
    ] = Field(None, description="the worker's: every 5 minutes, `/fail` while something is wrong")
    accounts: Annotated[dict[str, Secret], PlainValidator(_ping_urls), Written("table of URLs")] = Field(
        default_factory=dict,
        description='`{ alice = "https://…" }`: `/start`, success and `/fail` of each run, with its run id',
    )

    def value(self) -> Pings:
        """Return what the table says."""
        return Pings(**self.told())
