"""What only ``mailferry run`` reads: when to work, how much at once, whom to tell; with what holds unsaid."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from migrator.config.openid import OpenId
from migrator.config.secrets import Secret
from migrator.config.settings import NO_SETTING
from migrator.lazy_dataclasses import dataclass, field
from migrator.net.tls import TlsMode, TlsSettings

NEVER = "never"
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104  # nothing is bound here
USUAL_ROUND = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When ``mailferry run`` works an account: exactly one of ``every`` and ``cron`` is there.

    ``timezone`` is for ``cron`` (the machine's own, by default). ``jitter`` delays each round by up to so much.
    """

    cron: str | None = None
    every: timedelta | None = None
    timezone: str | None = None
    jitter: timedelta | None = None

    def __post_init__(self) -> None:
        """Work an account now and then where nothing is said."""
        if self.cron is None and self.every is None:
            object.__setattr__(self, "every", USUAL_ROUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifySchedule:
    """How often ``mailferry run`` reads the whole archive again."""

    every: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many accounts ``mailferry run`` works at one time: in all, and with any one host."""

    accounts: int = 4
    per_host: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The page of ``mailferry run``."""

    listen: str
    hosts: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    allow_plaintext: bool = False
    vault_key: Path | None = None
    oidc: OpenId | None = None

    @property
    def is_tls(self) -> bool:
        """Whether the page is served over TLS."""
        return self.tls_certificate is not None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the page answers to, beside those of loopback. "Every address" is none of them."""
        address = address_of(self.listen)
        return self.hosts if address in EVERY_ADDRESS else (*self.hosts, address)


def address_of(listen: str) -> str:
    """Return the address of one with a port, without brackets."""
    return listen.rpartition(":")[0].removeprefix("[").removesuffix("]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Where ``mailferry run`` answers Prometheus (an address and a port), and the textfile of one-shot runs."""

    listen: str | None = None
    textfile: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """Through which server notifications are mailed, and to whom."""

    host: str
    tls: TlsMode
    port: int
    username: str | None
    password: Secret | None
    allow_plaintext: bool
    ca_file: Path | None
    fingerprint: str | None
    sender: str
    to: tuple[str, ...]

    @property
    def tls_settings(self) -> TlsSettings:
        """How the connection is encrypted and whom it trusts."""
        return TlsSettings(self.tls, self.ca_file, self.fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Whom ``mailferry run`` tells, and of what. ``written`` are the keys that stand in its table."""

    apprise: tuple[Secret, ...] = ()
    smtp: Smtp | None = None
    after_failures: int = 2
    silence: timedelta = timedelta(hours=24)
    disk_free: int = 10**9
    digest: str = "0 7 * * mon"
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False, metadata=NO_SETTING)

    @property
    def wants_digest(self) -> bool:
        """Whether a digest is sent at all."""
        return self.digest != NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """Dead-man switches in the manner of healthchecks: one for the whole worker, and one for any account."""

    url: Secret | None = None
    accounts: Mapping[str, Secret] = field(default_factory=dict)
