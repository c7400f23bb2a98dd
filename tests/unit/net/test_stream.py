from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from migrator.errors import Advice, FerryError, Kind
from migrator.net.stream import (
    Stream,
    check_pin,
    connect,
    open_stream,
    ssl_context,
    wrap_tls,
)
from migrator.net.tls import TlsMode, TlsSettings

HOST = "localhost"
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def fingerprint_of(certificate: trustme.LeafCert) -> str:
    return sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()


Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Serve connections on loopback, one after the other, until the block ends; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with closing(sock), suppress(OSError):
                sock.settimeout(10)
                serve(sock)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def tls_server(certificate: trustme.LeafCert, then: Serve, *, newest: ssl.TLSVersion | None = None) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if newest:
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = newest
    certificate.configure_cert(context)

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            then(wrapped)

    return serve


def greet(sock: socket.socket) -> None:
    sock.sendall(b"+OK hello\r\n")
    sock.recv(1)


@pytest.fixture(params=["stream", "socket"])
def hello(request: pytest.FixtureRequest) -> Callable[[int, TlsSettings], bytes]:
    """Return what connects by either of the two ways, encrypts, and reads the greeting."""

    def by_stream(port: int, tls: TlsSettings) -> bytes:
        stream = open_stream(HOST, port, timeout=10)
        with closing(stream):
            stream.start_tls(HOST, tls)
            return stream.receive()

    def by_socket(port: int, tls: TlsSettings) -> bytes:
        with wrap_tls(connect(HOST, port, timeout=10), HOST, tls) as sock:
            return sock.recv(100)

    return by_stream if request.param == "stream" else by_socket


Hello = Callable[[int, TlsSettings], bytes]


def refusal(hello: Hello, port: int, tls: TlsSettings) -> FerryError:
    with pytest.raises(FerryError) as caught:
        hello(port, tls)
    assert caught.value.kind is Kind.TLS
    assert caught.value.advice is Advice.NEVER
    return caught.value


def test_a_certificate_of_the_given_authority_is_trusted(hello: Hello, authority: trustme.CA, ca_file: Path) -> None:
    with serving(tls_server(authority.issue_cert(HOST), greet)) as port:
        assert hello(port, TlsSettings(ca_file=ca_file)) == b"+OK hello\r\n"


def test_an_unknown_authority_is_refused_and_the_certificate_shown(hello: Hello, authority: trustme.CA) -> None:
    certificate = authority.issue_cert(HOST, common_name="mail of mine")
    with serving(tls_server(certificate, greet)) as port:
        words = str(refusal(hello, port, TlsSettings()))
    assert fingerprint_of(certificate) in words
    assert "CN=mail of mine" in words
    assert "valid " in words
    assert "expected: a valid certificate for localhost" in words


def test_with_a_ca_file_no_other_authority_is_trusted(hello: Hello, ca_file: Path) -> None:
    with serving(tls_server(trustme.CA().issue_cert(HOST), greet)) as port:
        assert str(ca_file) in str(refusal(hello, port, TlsSettings(ca_file=ca_file)))


def test_a_wrong_name_is_refused(hello: Hello, authority: trustme.CA, ca_file: Path) -> None:
    with serving(tls_server(authority.issue_cert("pop.example.org"), greet)) as port:
        error = refusal(hello, port, TlsSettings(ca_file=ca_file))
    assert "localhost" in error.message
    assert "pop.example.org" in error.message


def test_an_expired_certificate_is_refused(hello: Hello, authority: trustme.CA, ca_file: Path) -> None:
    with serving(tls_server(authority.issue_cert(HOST, not_after=LONG_AGO), greet)) as port:
        error = refusal(hello, port, TlsSettings(ca_file=ca_file))
    assert "expired" in error.message
    assert "2001-01-01" in error.message


@pytest.mark.parametrize("as_written", [str, str.upper, lambda pin: ":".join(pin[i : i + 2] for i in range(0, 64, 2))])
def test_a_pin_alone_replaces_chain_and_name(hello: Hello, as_written: Callable[[str], str]) -> None:
    certificate = trustme.CA().issue_cert("elsewhere.example.org", not_after=LONG_AGO)
    with serving(tls_server(certificate, greet)) as port:
        assert hello(port, TlsSettings(fingerprint=as_written(fingerprint_of(certificate)))) == b"+OK hello\r\n"


def test_another_certificate_than_the_pinned_one_is_refused(hello: Hello, authority: trustme.CA) -> None:
    certificate = authority.issue_cert(HOST)
    with serving(tls_server(certificate, greet)) as port:
        error = refusal(hello, port, TlsSettings(fingerprint="ab" * 32))
    assert f'fingerprint = "{fingerprint_of(certificate)}"' in error.cure
    assert "ab" * 32 in error.message
    assert error.finding == "certificate"


def test_pin_and_ca_file_must_both_hold(hello: Hello, authority: trustme.CA, ca_file: Path) -> None:
    good, stranger = authority.issue_cert(HOST), trustme.CA().issue_cert(HOST)
    with serving(tls_server(good, greet)) as port:
        assert hello(port, TlsSettings(ca_file=ca_file, fingerprint=fingerprint_of(good))) == b"+OK hello\r\n"
        refusal(hello, port, TlsSettings(ca_file=ca_file, fingerprint="ab" * 32))
    with serving(tls_server(stranger, greet)) as port:
        refusal(hello, port, TlsSettings(ca_file=ca_file, fingerprint=fingerprint_of(stranger)))


def test_tls_older_than_1_2_is_refused(hello: Hello, authority: trustme.CA, ca_file: Path) -> None:
    assert ssl_context(TlsSettings()).minimum_version is ssl.TLSVersion.TLSv1_2
    with serving(tls_server(authority.issue_cert(HOST), greet, newest=ssl.TLSVersion.TLSv1_1)) as port:
        assert "TLS 1.2" in refusal(hello, port, TlsSettings(ca_file=ca_file)).cure


def test_a_server_that_does_not_speak_tls_is_a_tls_error(hello: Hello) -> None:
    with serving(greet) as port:
        refusal(hello, port, TlsSettings())


def test_a_connection_closed_in_the_handshake_is_an_error_and_no_hang(hello: Hello) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(10)

    with serving(serve) as port, pytest.raises(FerryError) as caught:
        hello(port, TlsSettings())
    assert (caught.value.kind, caught.value.advice) == (Kind.CONNECT, Advice.NOW)


def test_a_ca_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    for path in (nonsense, tmp_path / "missing.pem"):
        with pytest.raises(FerryError, match=path.name):
            ssl_context(TlsSettings(ca_file=path))


def test_nothing_pinned_needs_no_certificate_and_a_pin_does() -> None:
    check_pin(HOST, TlsSettings(), None)
    with pytest.raises(FerryError, match="no certificate"):
        check_pin(HOST, TlsSettings(fingerprint="00" * 32), None)
    with pytest.raises(FerryError, match="unreadable"):
        check_pin(HOST, TlsSettings(fingerprint="00" * 32), b"no DER")


# --- lines ---


def test_nothing_listening_and_no_such_host_are_connect_errors() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    for host, words in (
        (HOST, "nothing answers"),
        ("no-such-host.invalid", "not known"),
        ("a" * 70 + ".b", "cannot connect"),
    ):
        with pytest.raises(FerryError, match=words) as caught:
            connect(host, port, timeout=5)
        assert caught.value.kind is Kind.CONNECT


def test_connections_do_not_delay_and_are_kept_alive() -> None:
    with serving(greet) as port, closing(connect(HOST, port)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.gettimeout()


def test_silence_is_a_timeout() -> None:
    def mute(sock: socket.socket) -> None:
        sock.recv(1)

    with serving(mute) as port, closing(open_stream(HOST, port, timeout=0.05)) as stream:
        with pytest.raises(FerryError) as caught:
            stream.receive()
        assert caught.value.kind is Kind.TIMEOUT
        assert "0.05 seconds" in caught.value.message
        with pytest.raises(FerryError, match=r"0\.01"):
            stream.receive(0.01)


def test_silence_in_the_handshake_is_a_timeout() -> None:
    def mute(sock: socket.socket) -> None:
        sock.recv(5)
        sock.recv(100_000)
        sock.recv(1)

    with serving(mute) as port, closing(open_stream(HOST, port, timeout=0.05)) as stream:
        with pytest.raises(FerryError) as caught:
            stream.start_tls(HOST, TlsSettings())
        assert caught.value.kind is Kind.TIMEOUT


def exchange(stream: Stream, command: bytes, count: int, reply: bytes) -> bytes:
    """Say many commands at once and read all replies."""
    stream.queue(command * count)
    received = bytearray()
    while len(received) < count * len(reply):
        piece = stream.receive()
        assert piece
        received += piece
    return bytes(received)


REPLY = b"+OK\r\n" + b"x" * 4000 + b"\r\n.\r\n"


def answer_each_line(sock: socket.socket) -> None:
    """Answer each line before the next is read: dead-locks with a client that sends everything before it reads."""
    with sock.makefile("rb") as lines:
        for _ in lines:
            sock.sendall(REPLY)


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_thousands_of_commands_in_flight_never_lock_up(
    is_encrypted: bool, authority: trustme.CA, ca_file: Path
) -> None:
    count = 3000
    command = b"RETR 1" + b" " * 3000 + b"\r\n"  # far more than the line's buffers hold
    serve = tls_server(authority.issue_cert(HOST), answer_each_line) if is_encrypted else answer_each_line
    with serving(serve) as port, closing(open_stream(HOST, port, timeout=30)) as stream:
        if is_encrypted:
            stream.start_tls(HOST, TlsSettings(ca_file=ca_file))
            assert stream.is_encrypted
            assert stream.certificate
        assert exchange(stream, command, count, REPLY) == REPLY * count


@pytest.mark.parametrize("is_encrypted", [False, True])
def test_what_was_sent_before_the_end_is_read_and_then_the_end(
    is_encrypted: bool, authority: trustme.CA, ca_file: Path
) -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(b"+OK last words\r\n")
        if isinstance(sock, ssl.SSLSocket):
            with suppress(OSError):
                sock.unwrap()

    server = tls_server(authority.issue_cert(HOST), serve) if is_encrypted else serve
    with serving(server) as port, closing(open_stream(HOST, port, timeout=10)) as stream:
        if is_encrypted:
            stream.start_tls(HOST, TlsSettings(ca_file=ca_file))
        assert stream.receive() == b"+OK last words\r\n"
        assert stream.receive() == b""


def test_tls_can_begin_in_the_middle_of_a_connection(authority: trustme.CA, ca_file: Path) -> None:
    encrypted = tls_server(authority.issue_cert(HOST), greet)

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"+OK\r\n")
        assert sock.recv(100) == b"STLS\r\n"
        sock.sendall(b"+OK begin\r\n")
        encrypted(sock)

    with serving(serve) as port, closing(open_stream(HOST, port, timeout=10)) as stream:
        assert not stream.is_encrypted
        assert stream.receive() == b"+OK\r\n"
        stream.queue(b"STLS\r\n")
        assert stream.receive() == b"+OK begin\r\n"
        assert stream.receive_now() == b""
        stream.start_tls(HOST, TlsSettings(TlsMode.STARTTLS, ca_file))
        assert stream.receive() == b"+OK hello\r\n"


def test_a_server_that_demands_a_certificate_of_ours_says_so(authority: trustme.CA, ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.recv(1)

    with serving(serve) as port, closing(open_stream(HOST, port, timeout=10)) as stream:
        stream.start_tls(HOST, TlsSettings(ca_file=ca_file))
        with pytest.raises(FerryError, match="client certificate") as caught:
            stream.receive()
        assert (caught.value.kind, caught.value.advice) == (Kind.TLS, Advice.NEVER)


def test_garbage_in_an_encrypted_line_is_a_broken_line(authority: trustme.CA, ca_file: Path) -> None:
    raw: list[socket.socket] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)

    def serve(sock: socket.socket) -> None:
        raw.append(sock.dup())
        with context.wrap_socket(sock, server_side=True) as wrapped, closing(raw[0]):
            wrapped.recv(1)
            raw[0].sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
            wrapped.recv(1)

    with serving(serve) as port, closing(open_stream(HOST, port, timeout=10)) as stream:
        stream.start_tls(HOST, TlsSettings(ca_file=ca_file))
        stream.queue(b"x")
        with pytest.raises(FerryError) as caught:
            stream.receive()
        assert (caught.value.kind, caught.value.advice) == (Kind.CONNECT, Advice.NOW)


def test_a_reset_line_is_a_connect_error() -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with serving(serve) as port, closing(open_stream(HOST, port, timeout=10)) as stream:
        stream.queue(b"xx")
        with pytest.raises(FerryError) as caught:
            stream.receive()
        assert caught.value.kind is Kind.CONNECT
