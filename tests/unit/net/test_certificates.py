from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, strategies as st

from migrator.errors import FerryError, Kind
from migrator.net.certificates import OtherNameError, described, distrusted, not_pinned
from migrator.net.tls import TlsSettings


def now() -> datetime:
    return datetime(2026, 11, 29, 12, tzinfo=UTC)


def certificate(common_name: str = "mail", names: tuple[str, ...] = ("pop.example.org",)) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now()).not_valid_after(now() + timedelta(days=30))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


SHOWN = certificate()
PIN = f'fingerprint = "{sha256(SHOWN).hexdigest()}"'


def refusal(code: int, seen: bytes | None = SHOWN) -> FerryError:
    return distrusted("pop.example.org", TlsSettings(), code=code, reason="it is so.", certificate=seen, now=now)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (10, "operator must renew it"),
        (18, "set ca_file"),
        (19, "set ca_file"),
        (20, "intermediate certificate"),
        (21, "intermediate certificate"),
        (62, "set host to a name that it is for (pop.example.org)"),
        (64, "set host to a name that it is for (pop.example.org)"),
        (24, "correct the host name"),
    ],
)
def test_each_reason_has_its_own_advice_and_a_pin_to_paste(code: int, advice: str) -> None:
    error = refusal(code)
    assert (error.kind, error.finding) == (Kind.TLS, "certificate")
    assert advice in error.cure
    assert error.cure.endswith(PIN)


def test_a_certificate_of_the_future_is_a_matter_of_the_clock() -> None:
    assert refusal(9).cure == "this machine's clock says 2026-11-29 12:00 UTC: set it right, if that is wrong"


def test_what_is_said_has_four_lines() -> None:
    first, seen, expected, cure = str(refusal(10)).splitlines()
    assert first == "the certificate of pop.example.org is not trusted: it is so"
    assert seen.strip() == "seen: CN=mail for pop.example.org, valid 2026-11-29 to 2026-12-29"
    assert expected.strip().startswith("expected: a valid certificate for pop.example.org from ")
    assert PIN in cure


def test_without_a_certificate_there_is_no_pin() -> None:
    assert "fingerprint" not in str(refusal(18, None))
    assert "no certificate was seen" in str(refusal(18, None))


def test_another_certificate_than_the_pinned_one_is_shown_with_both() -> None:
    error = not_pinned("pop.example.org", "ab" * 32, SHOWN)
    assert "ab" * 32 in error.message
    assert error.cure.endswith(PIN)
    assert "fingerprint" not in not_pinned("pop.example.org", "ab" * 32, None).cure


@pytest.mark.parametrize(
    "written", ["a\nb: all is well", "a\r\nb", "\x1b[2Jgone", "\u202egro.elpmaxe", "a\u2028b", "\x85b"]
)
def test_a_name_writes_no_line_and_steers_no_terminal(written: str) -> None:
    for shown in (
        certificate(common_name=written),
        certificate(names=("x", written.encode("ascii", "replace").decode())),
    ):
        error = distrusted("h", TlsSettings(), code=62, reason="no", certificate=shown, now=now)
        assert len(str(error).splitlines()) == 4
        assert all(line.isprintable() for line in str(error).split("\n"))
        assert "\n" not in described(shown)


def test_names_without_end_are_cut() -> None:
    assert len(described(certificate(common_name="x" * 60, names=tuple("y" * 5000 for _ in range(50))))) < 1500
    assert "unreadable" in described(b"no DER")


def test_a_certificate_of_other_names_says_which_and_travels_between_processes() -> None:
    for code, is_other in ((62, True), (64, True), (10, False)):
        error = distrusted("pop.example.org", TlsSettings(), code=code, reason="no", certificate=SHOWN)
        assert isinstance(error, OtherNameError) is is_other
        arrived = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
        assert (arrived.message, arrived.cure, arrived.finding) == (error.message, error.cure, "certificate")
        if isinstance(error, OtherNameError):
            assert error.names == ("pop.example.org",)


@given(at=st.integers(0, len(SHOWN) - 1), octet=st.integers(0, 255), cut=st.booleans())
def test_what_is_no_certificate_is_described_all_the_same(at: int, octet: int, cut: bool) -> None:
    harmed = SHOWN[:at] if cut else SHOWN[:at] + bytes([octet]) + SHOWN[at + 1 :]
    assert described(harmed)
    assert distrusted("x", TlsSettings(), code=62, reason="it is so", certificate=harmed, now=now).kind is Kind.TLS
