"""Asks the system's name servers for mail exchangers and for service records (RFC 5321, RFC 6186, RFC 8314).

dnspython reads /etc/resolv.conf; it is imported when somebody asks. An answer counts as validated (DNSSEC) only where
the name server that says so is this machine's own, or /etc/resolv.conf says ``options trust-ad``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import values
from migrator.errors import FerryError, Kind
from migrator.lazy_dataclasses import dataclass
from migrator.net.tls import is_loopback

if TYPE_CHECKING:
    from dns.resolver import Answer, Resolver

LIFETIME = 3.0
"""Seconds for one question."""

_RESOLV_CONF = Path("/etc/resolv.conf")


@dataclass(frozen=True, slots=True)
class Offered:
    """A server that a service record names."""

    host: str
    port: int
    is_validated: bool


def _system() -> Resolver:
    from dns.resolver import Resolver

    return Resolver()


class NameServers:
    """The name servers that this machine asks; ``resolver`` makes dnspython's idea of them."""

    def __init__(self, resolver: Callable[[], Resolver] = _system, resolv_conf: Path = _RESOLV_CONF) -> None:
        self._resolver = resolver
        self._resolv_conf = resolv_conf

    def mail_exchanger(self, domain: str) -> str | None:
        """Return the most preferred host that takes mail for a domain, None where none is named.

        An empty name: the domain takes no mail at all (RFC 7505). Raises ``timeout`` where nobody answers.
        """
        answer = self._asked(domain, "MX")
        if answer is None:
            return None
        best = min(answer, key=lambda record: (record.preference, str(record.exchange)))
        return str(best.exchange).rstrip(".").lower()

    def offered(self, service: str, domain: str) -> list[Offered]:
        """Return the servers that ``_service._tcp.domain`` names, by priority and weight; none for ``.``.

        Raises ``timeout`` where nobody answers.
        """
        answer = self._asked(f"_{service}._tcp.{domain}", "SRV")
        if answer is None:
            return []
        is_validated = self._is_validated(answer)
        records = sorted(answer, key=lambda record: (record.priority, -record.weight, str(record.target)))
        named = [(str(record.target).rstrip(".").lower(), record.port) for record in records]
        return [Offered(host, port, is_validated) for host, port in named if port and _is_host(host)]

    def _asked(self, name: str, kind: str) -> Answer | None:
        from dns import flags
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, NoAnswer

        try:
            resolver = self._resolver()
            resolver.flags = flags.RD | flags.AD
            return resolver.resolve(f"{name}.", kind, lifetime=LIFETIME, search=False)
        except (NXDOMAIN, NoAnswer):
            return None
        except DNSException as error:
            reason = type(error).__name__
            raise FerryError(Kind.TIMEOUT, f"no name server answered for {name} ({kind}, {reason})") from error

    def _is_validated(self, answer: Answer) -> bool:
        from dns import flags

        return bool(answer.response.flags & flags.AD) and self.trusts_flag_of(answer.nameserver or "")

    def trusts_flag_of(self, server: str) -> bool:
        """Say whether a name server is believed that an answer is validated (resolv.conf(5), ``trust-ad``)."""
        if is_loopback(server):
            return True
        try:
            lines = self._resolv_conf.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return False
        return any("trust-ad" in line.split()[1:] for line in lines if line.startswith("options"))


def _is_host(name: str) -> bool:
    try:
        return bool(values.host(name))
    except ValueError:
        return False
