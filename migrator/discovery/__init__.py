"""From an address to its server: where mail is fetched from, or uploaded to, for ``alice@example.org``.

Sources have a rank, and all are asked at once within one budget of time: shipped presets, autoconfig over https, the
mail exchanger of the domain (MX), service records (SRV, RFC 6186), third parties with consent, guessing. Nobody is sent
more than the domain: no user name, no password, no token. Every server but a shipped one has proven its name by TLS
before it is shown. Reading order: ``address``, ``found``, ``presets``, ``autoconfig``, ``https``, ``name_servers``,
``proving``, ``guessing``, ``at_once``, ``discover``.
"""

from migrator.discovery.address import Address, is_address, read_address
from migrator.discovery.discover import Discovery, Outside, discover
from migrator.discovery.found import Found, Origin
from migrator.discovery.presets import Provider, SecretKind

__all__ = [
    "Address",
    "Discovery",
    "Found",
    "Origin",
    "Outside",
    "Provider",
    "SecretKind",
    "discover",
    "is_address",
    "read_address",
]
