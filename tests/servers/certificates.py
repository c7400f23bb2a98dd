"""Throw-away certificates for servers on loopback: a good one, and each kind of bad one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = ("localhost", "127.0.0.1")


class Certificate(StrEnum):
    """What a server shows of itself."""

    GOOD = "good"
    WRONG_NAME = "wrong name"
    EXPIRED = "expired"
    SELF_SIGNED = "self-signed"
    OTHER_AUTHORITY = "signed by an authority that nobody trusts"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its chain, and its private key, as PEM."""

    chain: bytes
    key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate (DER), as hexadecimal digits."""
        return x509.load_pem_x509_certificate(self.chain).fingerprint(hashes.SHA256()).hex()

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write certificate and key into ``folder`` and return their paths."""
        chain_file, key_file = folder / "certificate.pem", folder / "key.pem"
        chain_file.write_bytes(self.chain)
        key_file.touch(mode=0o600)
        key_file.write_bytes(self.key)
        return chain_file, key_file

    def server_context(self) -> ssl.SSLContext:
        """A TLS context for a server with this identity."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with TemporaryDirectory() as folder:
            context.load_cert_chain(*self.write(Path(folder)))
        return context


class Authority:
    """A throw-away certification authority."""

    def __init__(self) -> None:
        self._authority = trustme.CA()
        self.certificate: bytes = self._authority.cert_pem.bytes()

    def issue(self, kind: Certificate = Certificate.GOOD) -> Identity:
        """Make a new key and a certificate of this kind for it."""
        match kind:
            case Certificate.GOOD:
                return _identity(self._authority.issue_cert(*NAMES))
            case Certificate.WRONG_NAME:
                return _identity(self._authority.issue_cert("mail.elsewhere.example"))
            case Certificate.EXPIRED:
                return _identity(self._authority.issue_cert(*NAMES, not_after=datetime(2020, 1, 1, tzinfo=UTC)))
            case Certificate.OTHER_AUTHORITY:
                return Authority().issue()
            case Certificate.SELF_SIGNED:
                return _self_signed()

    def issue_for(self, *names: str) -> Identity:
        """Make a new key and a good certificate for these names."""
        return _identity(self._authority.issue_cert(*names))

    def client_context(self) -> ssl.SSLContext:
        """A TLS context for a client that trusts this authority only."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        # Some builds of Python take a torn line for a properly ended one; our tests want to know.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", ssl.Options(0))
        return context


def authority() -> Authority:
    """The one authority of this process: making keys costs time."""
    with _ONE_AT_A_TIME:
        return _authority()


def identity(kind: Certificate = Certificate.GOOD) -> Identity:
    """The one identity of each kind of this process, issued by ``authority()``."""
    with _ONE_AT_A_TIME:
        return _identity_of(kind)


_ONE_AT_A_TIME = Lock()  # functools.cache alone lets two threads make two authorities


@cache
def _authority() -> Authority:
    return Authority()


@cache
def _identity_of(kind: Certificate) -> Identity:
    return _authority().issue(kind)


def _identity(issued: trustme.LeafCert) -> Identity:
    return Identity(b"".join(blob.bytes() for blob in issued.cert_chain_pems), issued.private_key_pem.bytes())


def _self_signed() -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAMES[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAMES[0])]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(certificate.public_bytes(serialization.Encoding.PEM), private)
