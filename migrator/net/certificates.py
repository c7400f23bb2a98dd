"""A server's certificate in words, for the error that says why it is not trusted, and what to do about it.

What a certificate says of itself was written by anybody: each part of it is made ``legible`` before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from migrator.errors import Correction, FerryError, Kind, legible
from migrator.net.tls import TlsSettings

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

_NAMES_SHOWN = 5
_LONGEST_NAME = 200
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED = frozenset({18, 19})
_NO_ISSUER = frozenset({20, 21})
_OTHER_NAME = frozenset({62, 64})  # 64: the address, where one is configured in place of a name

_UNREADABLE = (ValueError, TypeError, KeyError)
"""What asn1crypto raises for bytes that are no certificate, sooner or later: it reads each part when asked for it."""
_SHORT_NAMES = {
    "common_name": "CN",
    "country_name": "C",
    "domain_component": "DC",
    "locality_name": "L",
    "organization_name": "O",
    "organizational_unit_name": "OU",
    "state_or_province_name": "ST",
}

Now = Callable[[], datetime]
NOW: Final[Now] = partial(datetime.now, UTC)


class OtherNameError(FerryError):
    """A certificate for other names than the host's; ``names`` are those, as they stand in it."""

    def __init__(self, refused: FerryError, names: tuple[str, ...]) -> None:
        """Say what ``refused`` says, and know the names besides."""
        super().__init__(
            Kind.TLS, refused.message, cure=refused.cure, finding=refused.finding, settings=refused.settings
        )
        self.names = names

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], FerryError], tuple[dict[str, Any]]]:
        """Travel between processes as a plain error."""
        rebuilt, (facts,) = super().__reduce__()
        return rebuilt, ({name: value for name, value in facts.items() if name != "names"},)


def distrusted(
    host: str, tls: TlsSettings, *, code: int, reason: str, certificate: bytes | None, now: Now = NOW
) -> FerryError:
    """Return the error of a certificate that is not trusted; ``code`` and ``reason`` are OpenSSL's.

    It has three lines (why, what was seen, what was expected) and a cure that fits the reason.
    """
    refused = _refused(
        f"the certificate of {host} is not trusted: {reason.rstrip('.')}",
        certificate,
        _expected(host, tls),
        _cure(code, certificate, now),
        () if code == _NOT_YET_VALID else _pin(certificate, tls),
    )
    if code not in _OTHER_NAME or certificate is None:
        return refused
    return OtherNameError(refused, tuple(_alternatives(certificate)))


def not_pinned(host: str, pin: str, certificate: bytes | None) -> FerryError:
    """Return the error of a certificate that is another one than the pinned."""
    cure = "ask its operator whether it was renewed"
    return _refused(
        f"{host} shows another certificate than the pinned one",
        certificate,
        f"one with SHA-256 {pin}",
        f"{cure}; then set {_pasted(certificate)}" if certificate else cure,
        _pin(certificate, None),
    )


def _refused(
    what: str, certificate: bytes | None, expected: str, cure: str, settings: tuple[Correction, ...]
) -> FerryError:
    message = f"{what}\n    seen: {described(certificate)}\n    expected: {expected}"
    return FerryError(Kind.TLS, message, cure=cure, finding="certificate", settings=settings)


def _pin(certificate: bytes | None, tls: TlsSettings | None) -> tuple[Correction, ...]:
    """Return what trusts just this certificate; together with ``ca_file`` a pin would not do."""
    if certificate is None:
        return ()
    pin = Correction("fingerprint", sha256(certificate).hexdigest())
    return (pin, Correction("ca_file", None)) if tls is not None and tls.ca_file else (pin,)


def described(certificate: bytes | None) -> str:
    """Describe a DER certificate for a person: subject, names, validity; None was not seen at all."""
    if certificate is None:
        return "no certificate was seen"
    try:
        parsed = _read(certificate)
        subject = _shown(_subject(parsed))
        valid = f"valid {parsed.not_valid_before:%Y-%m-%d} to {parsed.not_valid_after:%Y-%m-%d}"
        names = ", ".join(_names(parsed))
    except _UNREADABLE:
        return f"an unreadable certificate with SHA-256 {sha256(certificate).hexdigest()}"
    return f"{subject or 'no subject'}{f' for {names}' if names else ''}, {valid}"


def _shown(written: str) -> str:
    return legible(written if len(written) <= _LONGEST_NAME else f"{written[:_LONGEST_NAME]}…")


def _read(certificate: bytes) -> Certificate:
    from asn1crypto.x509 import Certificate  # only when an error is explained

    return Certificate.load(certificate, strict=True)


def _subject(certificate: Certificate) -> str:
    """Write whom a certificate is for as RFC 4514 does: the last part first."""
    parts = [
        f"{_SHORT_NAMES.get(part['type'].native, part['type'].native)}={part['value'].native}"
        for together in certificate.subject.chosen
        for part in together
    ]
    return ",".join(reversed(parts))


def _names(certificate: Certificate) -> list[str]:
    alternatives = certificate.subject_alt_name_value or ()
    return [_shown(str(name.native)) for name in list(alternatives)[:_NAMES_SHOWN]]


def _expected(host: str, tls: TlsSettings) -> str:
    issuer = f"the authority in {tls.ca_file}" if tls.ca_file else "an authority this system trusts"
    return f"a valid certificate for {host} from {issuer}"


def _pasted(certificate: bytes) -> str:
    """Write the pin as it stands in the configuration."""
    return f'fingerprint = "{sha256(certificate).hexdigest()}"'


def _cure(code: int, certificate: bytes | None, now: Now) -> str:
    """Return what to do by OpenSSL's reason (X509_V_ERR_…); a pin, ready to paste, wherever that is a way."""
    if code == _NOT_YET_VALID:
        return f"this machine's clock says {now():%Y-%m-%d %H:%M} UTC: set it right, if that is wrong"
    advice = _advice(code, certificate, now)
    if certificate is None:
        return advice
    return f"{advice}; or trust just this one: {_pasted(certificate)}"


def _advice(code: int, certificate: bytes | None, now: Now) -> str:
    if code == _EXPIRED:
        return f"its operator must renew it (this machine's clock says {now():%Y-%m-%d})"
    if code in _SELF_SIGNED:
        return "set ca_file to the certificate that signed it"
    if code in _NO_ISSUER:
        return "its operator must add the intermediate certificate, or set ca_file if the authority is a private one"
    if code in _OTHER_NAME:
        names = "" if certificate is None else ", ".join(_alternatives(certificate))
        return f"set host to a name that it is for{f' ({names})' if names else ''}"
    return "correct the host name, or set ca_file"


def _alternatives(certificate: bytes) -> list[str]:
    try:
        return _names(_read(certificate))
    except _UNREADABLE:
        return []
