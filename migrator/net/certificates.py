"""A server's certificate in words, for the error that says why it is not trusted."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_NAMES_SHOWN = 5


def described(certificate: bytes | None) -> str:
    """Describe a DER certificate for a person: subject, names, validity, SHA-256; None was not seen at all."""
    if certificate is None:
        return "no certificate was seen"
    digest = sha256(certificate).hexdigest()
    from cryptography import x509  # only when an error is explained

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        subject = parsed.subject.rfc4514_string()
        valid = f"valid {parsed.not_valid_before_utc:%Y-%m-%d} to {parsed.not_valid_after_utc:%Y-%m-%d}"
    except ValueError:
        return f"seen an unreadable certificate with SHA-256 {digest}"
    return f"seen {subject!r}{_names(parsed)}, {valid}, SHA-256 {digest}"


def expected(host: str, ca_file: Path | None) -> str:
    """Say what would have been trusted instead."""
    issuer = f"the authority in {ca_file}" if ca_file else "an authority this system trusts"
    return f"a valid certificate for {host} from {issuer}"


def _names(certificate: Certificate) -> str:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    shown = [str(name.value) for name in names][:_NAMES_SHOWN]
    return f" for {', '.join(shown)}" if shown else ""
