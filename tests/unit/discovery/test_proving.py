from __future__ import annotations

from pathlib import Path

import pytest

from migrator.discovery.found import Found, Origin
from migrator.discovery.proving import name_for, prove, proven
from migrator.errors import FerryError
from migrator.net.certificates import OtherNameError
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from tests.servers.certificates import Certificate, authority
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server, Tls
from tests.servers.pop3_faults.greeting import StlsInjected, StlsStripped


@pytest.fixture(autouse=True)
def _trusts_the_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes(authority().certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def at(server: Pop3Server, host: str = "localhost") -> Found:
    mode = TlsMode(server.tls)
    return Found(host, server.port, mode, "alice", Origin.AUTOCONFIG, "is named by a file", is_trusted=True)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_server_proves_its_name_and_hears_nobodys(tls: Tls) -> None:
    with Pop3Server(Maildrop(), tls=tls) as server:
        outcome = proven([at(server)], Service.POP3)
        assert [one.has_proven_name for one in outcome.found] == [True]
        assert outcome.found[0].is_trusted
        assert set(server.verbs()) <= {"STLS"}


@pytest.mark.parametrize(
    "certificate", [Certificate.EXPIRED, Certificate.SELF_SIGNED, Certificate.OTHER_AUTHORITY, Certificate.WRONG_NAME]
)
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_certificate_that_is_not_trusted_proves_nothing(tls: Tls, certificate: Certificate) -> None:
    with Pop3Server(Maildrop(), tls=tls, certificate=certificate) as server:
        outcome = proven([at(server)], Service.POP3)
    assert outcome.found == ()
    assert "not trusted" in outcome.notes[0]


def test_a_certificate_of_another_name_says_which() -> None:
    with Pop3Server(Maildrop(), tls="implicit", shows=authority().issue_for("localhost")) as server:
        with pytest.raises(OtherNameError) as error:
            prove(at(server, "127.0.0.1"), Service.POP3)
        assert set(server.verbs()) == set()
    assert error.value.names == ("localhost",)


def test_the_first_that_proves_its_name_is_taken() -> None:
    with (
        Pop3Server(Maildrop(), tls="implicit", certificate=Certificate.EXPIRED) as bad,
        Pop3Server(Maildrop(), tls="implicit") as good,
    ):
        outcome = proven([at(bad), at(good)], Service.POP3)
    assert [one.port for one in outcome.found] == [good.port]


@pytest.mark.parametrize("fault", [StlsStripped(), StlsInjected(b"+OK\r\n")])
def test_a_line_that_somebody_meddles_with_proves_nothing(fault: StlsStripped | StlsInjected) -> None:
    with Pop3Server(Maildrop(), tls="starttls", faults=[fault]) as server, pytest.raises(FerryError):
        prove(at(server), Service.POP3)


def test_another_service_proves_nothing() -> None:
    with Pop3Server(Maildrop(), tls="implicit") as server, pytest.raises(FerryError, match="no IMAP server"):
        prove(at(server), Service.IMAP)


@pytest.mark.parametrize(
    ("host", "certified", "name"),
    [
        ("mail.customer.example", "mail.hoster.example", "mail.hoster.example"),
        ("mail.customer.example", "*.hoster.example", "mail.hoster.example"),
        ("mail.customer.example", "MAIL.customer.example", None),
        ("mail.customer.example", "192.0.2.1", None),
        ("mail.customer.example", "2001:db8::1", None),
        ("mail.customer.example", "a*.hoster.example", None),
    ],
)
def test_which_host_a_certificates_name_stands_for(host: str, certified: str, name: str | None) -> None:
    assert name_for(host, certified) == name
