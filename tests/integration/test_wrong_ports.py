"""A line that cannot be used is named within seconds, over real sockets, and nothing secret was said on it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from migrator.destinations.imap import ImapSettings
from migrator.errors import Advice, FerryError, Kind
from migrator.imap.session import ImapSession
from migrator.net.tls import TlsMode, TlsSettings
from migrator.pop3.session import Source, open_session
from tests.command_line import Site, alice
from tests.mail import letters
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.pop3_auth import Secrets
from tests.servers.pop3_faults import HandshakeHangsUp

MODES = [TlsMode.NONE, TlsMode.STARTTLS]
AT_ONCE = 10.0
"""Seconds; a second or three are taken."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, {"PASSWORD": Secrets().password})


def pop3_error(port: int, mode: TlsMode, *, timeout: float = 45.0) -> FerryError:
    source = Source("127.0.0.1", port, TlsSettings(mode), "alice", timeout=timeout)
    began = time.monotonic()
    with pytest.raises(FerryError) as caught:
        open_session(source, lambda: "sesame")
    assert time.monotonic() - began < AT_ONCE
    return caught.value


def imap_error(port: int, mode: TlsMode, *, timeout: float = 45.0) -> FerryError:
    settings = ImapSettings("127.0.0.1", port, "alice", tls=TlsSettings(mode), timeout=timeout)
    began = time.monotonic()
    with pytest.raises(FerryError) as caught:
        ImapSession(settings, lambda: "sesame")
    assert time.monotonic() - began < AT_ONCE
    return caught.value


@contextmanager
def saying(words: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Say this to each client and then listen; yield the port, and what was heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line, suppress(OSError):
                        line.settimeout(20)
                        line.sendall(words)
                        heard.append(line.recv(4096))

        thread = Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("mode", MODES)
def test_a_port_that_waits_for_tls_is_named_long_before_the_time_out(mode: TlsMode) -> None:
    with Pop3Server(Maildrop(), tls="implicit") as server:
        for error in (pop3_error(server.port, mode), imap_error(server.port, mode)):
            assert (error.kind, error.finding, error.advice) == (Kind.TLS, "wrong-tls", Advice.NEVER)
            assert error.cure == 'set tls = "implicit"'
        assert server.verbs() == []


def test_a_plain_port_spoken_to_with_tls_says_what_it_speaks() -> None:
    with Pop3Server(Maildrop(), tls="none") as server:
        error = pop3_error(server.port, TlsMode.IMPLICIT)
        assert (error.kind, error.finding) == (Kind.TLS, "wrong-tls")
        assert error.cure == 'the server offers no encryption there: set tls = "none"'
        error = imap_error(server.port, TlsMode.IMPLICIT)
        assert (error.kind, error.finding) == (Kind.PROTOCOL, "wrong-service")
        assert "this is a POP3 server (110 or 995); IMAP is 143 or 993" in error.cure


@pytest.mark.parametrize(
    ("words", "service"),
    [(b"* OK ready\r\n", "IMAP"), (b"220 mx ESMTP\r\n", "SMTP"), (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH")],
)
@pytest.mark.parametrize("mode", [*MODES, TlsMode.IMPLICIT])
def test_another_service_gets_no_word_of_ours(words: bytes, service: str, mode: TlsMode) -> None:
    with saying(words) as (port, heard):
        error = pop3_error(port, mode)
        assert (error.kind, error.finding, error.advice) == (Kind.PROTOCOL, "wrong-service", Advice.NEVER)
        assert f"this is an {service} server" in error.cure
        if service != "IMAP":
            assert imap_error(port, mode).finding == "wrong-service"
    assert not any(b"alice" in line or b"sesame" in line for line in heard)


def test_a_web_server_is_known_by_its_answer_to_the_probe() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    Thread(target=answer, args=[line], daemon=True).start()

        def answer(line: socket.socket) -> None:
            with line, suppress(OSError):
                line.settimeout(20)
                if line.recv(4096):
                    line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=serve)
        thread.start()
        error = pop3_error(listener.getsockname()[1], TlsMode.NONE, timeout=1.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert (error.finding, error.kind) == ("wrong-service", Kind.PROTOCOL)
    assert "HTTP" in error.message


def test_a_server_that_only_greets_late_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            first, _ = listener.accept()
            probe, _ = listener.accept()
            with first, probe:  # it greets once it has been looked at in another way
                first.sendall(b"-ERR [SYS/TEMP] later\r\n")

        thread = Thread(target=serve)
        thread.start()
        error = pop3_error(listener.getsockname()[1], TlsMode.NONE, timeout=2.0)
        thread.join()
    assert error.kind is Kind.TEMPORARY


def test_a_hang_up_in_the_handshake_is_tried_again(site: Site) -> None:
    fault = HandshakeHangsUp(times=1)
    with Pop3Server(Maildrop(letters(2)), tls="implicit", faults=[fault]) as server:
        (site.folder / "ca.pem").write_bytes(server.authority.certificate)
        site.writes(alice(server.port, tls="implicit", ca_file="ca.pem"))
        assert site.migrate().report["copied"] == 2
    with Pop3Server(Maildrop(), tls="implicit", faults=[HandshakeHangsUp()]) as server:
        for error in (pop3_error(server.port, TlsMode.IMPLICIT), imap_error(server.port, TlsMode.IMPLICIT)):
            assert (error.kind, error.advice) == (Kind.CONNECT, Advice.NOW)
            assert "during the TLS handshake" in error.message
            assert error.cure == "too many connections at once? wrong port?"


def test_a_hang_up_behind_stls_is_one_as_well() -> None:
    with Pop3Server(Maildrop(), tls="starttls", faults=[HandshakeHangsUp()]) as server:
        error = pop3_error(server.port, TlsMode.STARTTLS)
    assert (error.kind, error.advice) == (Kind.CONNECT, Advice.NOW)
    assert "during the TLS handshake" in error.message
