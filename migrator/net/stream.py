"""TCP and TLS for POP3 and IMAP alike: connect, verify, pin, time out. The only module that imports socket and ssl.

Two ways to use a connection. ``connect`` and ``wrap_tls`` give a blocking socket to a library that wants one.
``open_stream`` gives a ``Stream``: it never blocks on sending while there is something to read, so thousands of
pipelined commands cannot dead-lock with their replies, and it decrypts through ``ssl.MemoryBIO``, where one system
call feeds many TLS records (``SSLSocket.recv`` gives one record of at most 16 KB per call).

A certificate is always verified: against the system's authorities, or ``ca_file`` alone, or a SHA-256
``fingerprint`` (RFC 8314, section 3.3; RFC 9325 for the floor of TLS 1.2). Every failure is a ``FerryError`` of kind
``connect``, ``tls`` or ``timeout``.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from hashlib import sha256

from migrator.errors import Endpoint, FerryError, Kind
from migrator.net.certificates import described, expected
from migrator.net.tls import TlsSettings

CONNECT_TIMEOUT = 20.0
"""Seconds that a connection attempt may take, name resolution aside."""

RECEIVE_SIZE = 256 * 1024
_RECORD_SIZE = 16 * 1024  # the most that one TLS record holds

Clock = Callable[[], float]


def connect(host: str, port: int, *, timeout: float = CONNECT_TIMEOUT) -> socket.socket:
    """Return a connected blocking socket with no delay and keep-alive; its time-out is ``timeout`` seconds.

    Every address of the host is tried, all of them within that time. Raises ``timeout`` or ``connect``.
    """
    endpoint = Endpoint(host, port)
    try:
        sock = _connected(host, port, timeout)
    except TimeoutError as error:
        words = f"{host}:{port} did not answer within {timeout:g} seconds"
        raise FerryError(Kind.TIMEOUT, words, endpoint=endpoint) from error
    except (OSError, UnicodeError) as error:
        words = f"cannot connect to {host}:{port}: {_plain(error)}"
        raise FerryError(Kind.CONNECT, words, endpoint=endpoint) from error
    sock.settimeout(timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _connected(host: str, port: int, timeout: float) -> socket.socket:
    *others, last = (info[4] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    share = timeout / (len(others) + 1)  # an address that swallows everything must leave time for the next
    for address in others:
        with contextlib.suppress(OSError):
            return socket.create_connection((str(address[0]), port), timeout=share)
    return socket.create_connection((str(last[0]), port), timeout=share)


def ssl_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return a client context of TLS 1.2 or newer that verifies chain and name, unless a pin alone replaces that.

    A caller that does not use ``wrap_tls`` must call ``check_pin`` after the handshake, before it sends anything.
    """
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise FerryError(
            Kind.TLS, f"the ca_file {tls.ca_file} cannot be used: {_plain(error)}", cure="it must hold PEM certificates"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.fingerprint and tls.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def wrap_tls(sock: socket.socket, host: str, tls: TlsSettings) -> ssl.SSLSocket:
    """Encrypt a blocking socket and verify the server; on failure the socket is closed and nothing was sent over it.

    The socket's time-out bounds each step of the handshake. Raises ``tls``, ``timeout`` or ``connect``.
    """
    try:
        wrapped = ssl_context(tls).wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError as error:
        sock.close()
        raise handshake_error(host, tls, error, None) from error
    try:
        wrapped.do_handshake()
        check_pin(host, tls, wrapped.getpeercert(binary_form=True))
    except OSError as error:
        seen = _unverified_certificate(wrapped)
        wrapped.close()
        raise handshake_error(host, tls, error, seen) from error
    except FerryError:
        wrapped.close()
        raise
    return wrapped


def check_pin(host: str, tls: TlsSettings, certificate: bytes | None) -> None:
    """Raise ``tls`` unless the DER certificate has the pinned fingerprint, or nothing is pinned."""
    if tls.fingerprint is None:
        return
    if certificate is None or sha256(certificate).hexdigest() != _normal(tls.fingerprint):
        raise FerryError(
            Kind.TLS,
            f"{host} shows another certificate than the pinned one; {described(certificate)};"
            f" expected SHA-256 {_normal(tls.fingerprint)}",
            cure="if the server renewed its certificate, check the new fingerprint with its operator and configure it",
        )


def _normal(fingerprint: str) -> str:
    return "".join(fingerprint.replace(":", "").split()).lower()


def send_datagram(address: str, message: bytes) -> None:
    """Send one datagram to a Unix socket (sd_notify(3)); an address that begins with ``@`` is an abstract one."""
    where = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(message, where)


class Stream:
    """One connection as two directions of bytes that never wait for each other.

    ``queue`` takes bytes to send; ``receive`` sends what the line takes and returns what has arrived. ``certificate``
    is the server's in DER once encrypted. Not shared between threads.
    """

    def __init__(self, sock: socket.socket, *, timeout: float, clock: Clock = time.monotonic) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._timeout = timeout
        self._clock = clock
        self._unsent = bytearray()
        self._outgoing = self._unsent
        """What goes on the wire: the same, or once encrypted what TLS makes of it."""
        self._layer: _TlsLayer | None = None
        self._poll = select.poll()

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._layer is not None

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate in DER, None while there is no encryption."""
        return self._layer.certificate if self._layer else None

    def queue(self, data: bytes) -> None:
        """Take bytes to be sent by the next ``receive``."""
        self._unsent += data

    def receive(self, timeout: float | None = None) -> bytes:
        """Send what is queued as far as the line takes it and return what arrives; ``b""`` at the end of the stream.

        Waits at most ``timeout`` seconds (default: the stream's) for the first byte, then raises ``timeout``.
        Raises ``connect`` when the line, or the encryption on it, breaks.
        """
        patience = self._timeout if timeout is None else timeout
        until = self._clock() + patience
        while not self._is_closed():
            self._send()
            arrived = self._arrived()
            if arrived is None:
                self._wait(until, patience)
            elif plain := self._plain(arrived):
                return plain
            elif not arrived:
                break
        return b""

    def receive_now(self) -> bytes:
        """Return what has already arrived, ``b""`` if nothing has; never waits."""
        return self._plain(self._arrived() or b"")

    def _plain(self, arrived: bytes) -> bytes:
        if self._layer is None or not arrived:
            return arrived
        plain = self._layer.decrypt(arrived)
        self._outgoing += self._layer.outgoing()
        return plain

    def _is_closed(self) -> bool:
        return self._layer is not None and self._layer.is_closed

    def start_tls(self, host: str, tls: TlsSettings) -> None:
        """Encrypt the connection from here on and verify the server. Nothing may be queued or left unread.

        Raises ``tls``, ``timeout`` or ``connect``; then the connection must be closed.
        """
        layer = _TlsLayer(ssl_context(tls), host)
        until = self._clock() + self._timeout
        try:
            while not layer.shake_hands():
                self._outgoing += layer.outgoing()
                self._send()
                arrived = self._arrived()
                if arrived is None:
                    self._wait(until, self._timeout)
                else:
                    layer.feed(arrived)
        except ssl.SSLError as error:
            self._outgoing += layer.outgoing()  # the alert, so that the server's log tells why
            self._send_quietly()
            raise handshake_error(host, tls, error, _unverified_certificate(layer.tls)) from error
        self._outgoing += layer.outgoing()
        check_pin(host, tls, layer.certificate)
        self._layer = layer
        self._unsent = bytearray()

    def close(self) -> None:
        """Close the connection; what is still queued is dropped. Never raises."""
        self._outgoing.clear()
        if self._layer:
            self._outgoing += self._layer.close_notify()
            self._send_quietly()
        self._sock.close()

    def _send(self) -> None:
        if self._layer and self._unsent:  # not in queue: thousands of small commands make few records
            self._outgoing += self._layer.encrypt(self._unsent)
            self._unsent.clear()
        if not self._outgoing:
            return
        try:
            sent = self._sock.send(self._outgoing)
        except BlockingIOError:
            return
        except ConnectionError:
            # The server may have said why before it hung up: let the reading side find out.
            self._outgoing.clear()
            return
        except OSError as error:
            raise FerryError(Kind.CONNECT, f"the connection broke while sending: {_plain(error)}") from error
        del self._outgoing[:sent]

    def _send_quietly(self) -> None:
        with contextlib.suppress(OSError):  # a close_notify that cannot be sent changes nothing
            self._sock.send(self._outgoing)

    def _arrived(self) -> bytes | None:
        """Return what has arrived, ``b""`` at the end of the stream, None if nothing has."""
        try:
            return self._sock.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            raise FerryError(Kind.CONNECT, f"the connection broke: {_plain(error)}") from error

    def _wait(self, until: float, patience: float) -> None:
        left = until - self._clock()
        if left <= 0:
            raise FerryError(Kind.TIMEOUT, f"the server was silent for {patience:g} seconds")
        self._poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        self._poll.poll(max(1, left * 1000))


def open_stream(host: str, port: int, *, timeout: float, clock: Clock = time.monotonic) -> Stream:
    """Return a connected stream that is not encrypted yet; ``start_tls`` does that. Raises ``timeout``, ``connect``."""
    return Stream(connect(host, port, timeout=min(timeout, CONNECT_TIMEOUT)), timeout=timeout, clock=clock)


class _TlsLayer:
    """TLS between two memory buffers."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.is_closed = False

    @property
    def certificate(self) -> bytes | None:
        return self.tls.getpeercert(binary_form=True)

    def shake_hands(self) -> bool:
        """Take one step of the handshake; True when it is complete."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        return self._outgoing.read()

    def encrypt(self, data: bytearray) -> bytes:
        self.tls.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """Return all plain bytes that ``data`` completes: one call for many records."""
        self._incoming.write(data)
        records: list[bytes] = []
        try:
            while record := self.tls.read(_RECORD_SIZE):
                records.append(record)
            self.is_closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:  # a hang-up too, whatever class this Python has for it
            raise FerryError(Kind.CONNECT, f"the encrypted connection broke: {_plain(error)}") from error
        return b"".join(records)

    def close_notify(self) -> bytes:
        with contextlib.suppress(ssl.SSLError, ValueError):  # the other side's is not waited for
            self.tls.unwrap()
        return self._outgoing.read()


def _unverified_certificate(tls: ssl.SSLObject | ssl.SSLSocket) -> bytes | None:
    """Return the certificate the server showed though it failed verification, if this Python can tell."""
    inner = getattr(tls, "_sslobj", None)  # public only from Python 3.13 on
    try:
        chain = inner.get_unverified_chain() if inner is not None else None
        return chain[0].public_bytes(2) if chain else None  # 2: DER
    except (AttributeError, ValueError, ssl.SSLError):
        return None


def handshake_error(host: str, tls: TlsSettings, error: OSError, seen: bytes | None) -> FerryError:
    """Return what a failed handshake is: ``connect`` and ``timeout`` may pass, ``tls`` is a matter for a person."""
    if isinstance(error, TimeoutError):
        return FerryError(Kind.TIMEOUT, f"{host} did not finish the TLS handshake in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return FerryError(
            Kind.TLS,
            f"the certificate of {host} is not trusted: {error.verify_message.rstrip('.')}; {described(seen)};"
            f" expected {expected(host, tls.ca_file)}",
            cure="correct the host name, or set ca_file or fingerprint if this certificate is the right one",
        )
    if isinstance(error, ssl.SSLError) and not is_hang_up(error):
        return FerryError(
            Kind.TLS,
            f"no TLS connection with {host}: {_plain(error)}",
            cure="check port and tls mode (implicit, starttls); TLS 1.2 or newer is needed",
        )
    return FerryError(Kind.CONNECT, f"the connection to {host} broke during the TLS handshake: {_plain(error)}")


def is_hang_up(error: OSError) -> bool:
    """Tell whether the other side ended an encrypted line without a close_notify, or in the handshake.

    Python 3.11.2 with OpenSSL 3 (Debian 12) knows no class for it: there it is an ``SSLError`` with a reason.
    """
    if isinstance(error, ssl.SSLEOFError):
        return True
    return isinstance(error, ssl.SSLError) and error.reason == "UNEXPECTED_EOF_WHILE_READING"


def _plain(error: BaseException) -> str:
    """Say in a few words what an operating system or TLS error means."""
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nothing answers on that port"
    if isinstance(error, ConnectionResetError):
        return "the other side reset it"
    if isinstance(error, OSError) and is_hang_up(error):
        return "the other side hung up"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
