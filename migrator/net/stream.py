"""TCP and TLS for POP3 and IMAP alike: connect, verify, pin, time out. Nobody else connects.

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
from typing import TypeVar

from migrator.errors import Endpoint, FerryError, Kind
from migrator.net import failures
from migrator.net.certificates import not_pinned
from migrator.net.connecting import CONNECT_TIMEOUT, connect
from migrator.net.first_words import (
    FIRST_WORDS_SECONDS,
    Service,
    check_greeting,
    check_service,
    patience,
    service_of,
)
from migrator.net.patience import Patience, Stop
from migrator.net.tls import TlsMode, TlsSettings
from migrator.net.tls_layer import TlsLayer, client_hello, unverified_certificate

RECEIVE_SIZE = 256 * 1024
DATAGRAM_SECONDS = 0.5
__all__ = [
    "CONNECT_TIMEOUT",
    "Clock",
    "Stream",
    "await_plain_greeting",
    "check_pin",
    "connect",
    "open_stream",
    "patiently",
    "send_datagram",
    "service_in_waiting",
    "ssl_context",
    "wrap_tls",
]

_T = TypeVar("_T")
_PEEKED = 256  # of a server's first words: enough to tell what it is

Clock = Callable[[], float]


def service_in_waiting(sock: socket.socket, host: str) -> Service | None:
    """Return what is at the other end of a line on which the server waits for us; None where it stays unknown.

    A server that begins with TLS says nothing until it is spoken to, and neither does one of HTTP. It is asked over
    a second connection to the same address, by the first message of a TLS handshake, which holds no secret.
    """
    try:
        with socket.create_connection(sock.getpeername()[:2], timeout=FIRST_WORDS_SECONDS) as other:
            other.sendall(client_hello(host))
            return service_of(other.recv(_PEEKED))
    except OSError:
        return None


def await_plain_greeting(
    sock: socket.socket, host: str, expected: Service, mode: TlsMode, stop: Stop | None = None
) -> None:
    """Wait a little for a greeting in the clear on a blocking socket, without taking it.

    Raises ``tls`` or ``protocol`` where what comes is of another service, or where another waits for its client; then
    the socket is closed.
    """
    endpoint = Endpoint(host, _port_of(sock))
    try:
        seconds = patience(endpoint.port, sock.gettimeout() or CONNECT_TIMEOUT)
        if _has_data(sock, Patience(seconds, time.monotonic, stop)):
            check_greeting(sock.recv(_PEEKED, socket.MSG_PEEK), expected, endpoint, mode)
        else:
            check_service(service_in_waiting(sock, host), expected, endpoint, mode)
    except BaseException:
        sock.close()
        raise


def _port_of(sock: socket.socket) -> int:
    try:
        return int(sock.getpeername()[1])
    except OSError:  # the other side has gone already
        return 0


def _has_data(sock: socket.socket, patience: Patience) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    while (left := patience.left()) > 0:
        if poll.poll(max(1, left * 1000)):
            return True
    return False


def ssl_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return a client context of TLS 1.2 or newer that verifies chain and name, unless a pin alone replaces that.

    A caller that does not use ``wrap_tls`` must call ``check_pin`` after the handshake, before it sends anything.
    """
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise FerryError(
            Kind.TLS,
            f"the ca_file {tls.ca_file} cannot be used: {failures.plain(error)}",
            cure="it must hold PEM certificates",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.fingerprint and tls.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def wrap_tls(
    sock: socket.socket, host: str, tls: TlsSettings, expected: Service | None = None, stop: Stop | None = None
) -> ssl.SSLSocket:
    """Encrypt a blocking socket and verify the server; on failure the socket is closed and nothing was sent over it.

    The socket's time-out bounds the handshake. ``expected`` is what should be spoken there. Raises ``tls``,
    ``timeout``, ``connect``, or ``protocol`` where something else is spoken; ``StoppedError`` once ``stop`` is set.
    """
    endpoint = Endpoint(host, _port_of(sock))
    try:
        wrapped = ssl_context(tls).wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except OSError as error:
        sock.close()
        raise failures.handshake_error(endpoint, tls, error) from error
    try:
        patiently(wrapped, wrapped.do_handshake, stop)
        check_pin(host, tls, wrapped.getpeercert(binary_form=True))
    except OSError as error:
        seen = unverified_certificate(wrapped)
        is_plain = failures.may_be_plain(error) and tls.mode is TlsMode.IMPLICIT
        words = _words_in_the_clear(wrapped) if is_plain else b""
        wrapped.close()
        raise failures.handshake_error(endpoint, tls, error, seen=seen, words=words, expected=expected) from error
    except FerryError:
        wrapped.close()
        raise
    return wrapped


def patiently(sock: socket.socket, action: Callable[[], _T], stop: Stop | None) -> _T:
    """Return what a blocking socket's action does within its time-out; raises ``StoppedError`` once ``stop`` is set.

    The action is asked for in short stretches, so it must be one that can be asked for again after a ``TimeoutError``.
    """
    seconds = sock.gettimeout()
    if stop is None or seconds is None:
        return action()
    patience = Patience(seconds, time.monotonic, stop)
    try:
        while True:
            if (left := patience.left()) <= 0:
                raise TimeoutError("timed out")
            sock.settimeout(left)
            with contextlib.suppress(TimeoutError):
                return action()
    finally:
        sock.settimeout(seconds)


def _words_in_the_clear(sock: socket.socket) -> bytes:
    """Return what the server greets with over a second connection that is left in the clear; nothing if it is silent.

    What it said on the first one has gone into OpenSSL and is lost.
    """
    try:
        with socket.create_connection(sock.getpeername()[:2], timeout=FIRST_WORDS_SECONDS) as other:
            return other.recv(_PEEKED)
    except OSError:
        return b""


def check_pin(host: str, tls: TlsSettings, certificate: bytes | None) -> None:
    """Raise ``tls`` unless the DER certificate has the pinned fingerprint, or nothing is pinned."""
    if tls.fingerprint is None:
        return
    pin = _normal(tls.fingerprint)
    if certificate is None or sha256(certificate).hexdigest() != pin:
        raise not_pinned(host, pin, certificate)


def _normal(fingerprint: str) -> str:
    return "".join(fingerprint.replace(":", "").split()).lower()


def send_datagram(address: str, message: bytes) -> None:
    """Send one datagram to a Unix socket (sd_notify(3)); an address that begins with ``@`` is an abstract one.

    Where nobody takes what was sent before, it is given up after ``DATAGRAM_SECONDS``, by ``TimeoutError``.
    """
    where = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(DATAGRAM_SECONDS)
        sock.sendto(message, where)


class Stream:
    """One connection as two directions of bytes that never wait for each other.

    ``queue`` takes bytes to send; ``receive`` sends what the line takes and returns what has arrived. ``certificate``
    is the server's in DER once encrypted. Not shared between threads.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout: float,
        clock: Clock = time.monotonic,
        host: str = "the server",
        stop: Stop | None = None,
    ) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._host = host
        self._port = _port_of(sock)  # now: a line that has broken has none any more
        self._timeout = timeout
        self._clock = clock
        self._stop = stop
        self._unsent = bytearray()
        self._outgoing = self._unsent
        """What goes on the wire: the same, or once encrypted what TLS makes of it."""
        self._layer: TlsLayer | None = None
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
        Raises ``connect`` when the line, or the encryption on it, breaks; ``StoppedError`` where the server is silent
        once the run is to stop.
        """
        patience = self._patience(timeout)
        while not self._is_closed():
            self._send()
            arrived = self._arrived()
            if arrived is None:
                self._wait(patience, timeout)
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
        try:
            plain = self._layer.decrypt(arrived)
        except ssl.SSLError as error:  # a hang-up too, whatever class this Python has for it
            raise failures.broken_line(error, self._host) from error
        self._outgoing += self._layer.outgoing()
        return plain

    def _is_closed(self) -> bool:
        return self._layer is not None and self._layer.is_closed

    def service_in_waiting(self) -> Service | None:
        """Return what is at the other end, where it is silent because it waits for us; None where none can tell."""
        return service_in_waiting(self._sock, self._host)

    def start_tls(self, host: str, tls: TlsSettings, expected: Service | None = None) -> None:
        """Encrypt the connection from here on and verify the server. Nothing may be queued or left unread.

        ``expected`` is what should be spoken there. Raises ``tls``, ``timeout``, ``connect``, or ``protocol`` where
        something else is spoken; then the connection must be closed.
        """
        layer = TlsLayer(ssl_context(tls), host)
        endpoint = Endpoint(host, self._port)
        patience = self._patience(None)
        words = b""
        try:
            while not layer.shake_hands():
                self._outgoing += layer.outgoing()
                self._send()
                arrived = self._read()
                if arrived is None:
                    self._wait(patience, None)
                else:
                    words = words or arrived[:_PEEKED]
                    layer.feed(arrived)
        except OSError as error:
            self._outgoing += layer.outgoing()  # the alert, so that the server's log tells why
            self._send_quietly()
            seen = unverified_certificate(layer.tls)
            raise failures.handshake_error(endpoint, tls, error, seen=seen, words=words, expected=expected) from error
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
            raise failures.broken_line(error, self._host) from error
        del self._outgoing[:sent]

    def _send_quietly(self) -> None:
        with contextlib.suppress(OSError):  # a close_notify that cannot be sent changes nothing
            self._sock.send(self._outgoing)

    def _arrived(self) -> bytes | None:
        """Return what has arrived, ``b""`` at the end of the stream, None if nothing has."""
        try:
            return self._read()
        except OSError as error:
            raise failures.broken_line(error, self._host) from error

    def _read(self) -> bytes | None:
        try:
            return self._sock.recv(RECEIVE_SIZE)
        except BlockingIOError:
            return None

    def _patience(self, timeout: float | None) -> Patience:
        return Patience(self._timeout if timeout is None else timeout, self._clock, self._stop)

    def _wait(self, patience: Patience, timeout: float | None) -> None:
        left = patience.left()
        if left <= 0:
            raise failures.silence(self._timeout if timeout is None else timeout, is_configured=timeout is None)
        self._poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
        self._poll.poll(max(1, left * 1000))


def open_stream(
    host: str, port: int, *, timeout: float, clock: Clock = time.monotonic, stop: Stop | None = None
) -> Stream:
    """Return a connected stream that is not encrypted yet; ``start_tls`` does that. Raises ``timeout``, ``connect``."""
    sock = connect(host, port, timeout=timeout, stop=stop)
    return Stream(sock, timeout=timeout, clock=clock, host=host, stop=stop)
