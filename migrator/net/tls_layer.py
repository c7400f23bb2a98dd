"""TLS between two memory buffers, for ``migrator.net.stream``: bytes in, bytes out, no socket."""

from __future__ import annotations

import contextlib
import ssl

_RECORD_SIZE = 16 * 1024  # the most that one TLS record holds


class TlsLayer:
    """The client's side of one encrypted line. Errors are OpenSSL's own: the line knows what they mean."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.is_closed = False

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate in DER, None before the handshake."""
        return self.tls.getpeercert(binary_form=True)

    def shake_hands(self) -> bool:
        """Take one step of the handshake; True when it is complete."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes) -> None:
        """Take what has arrived; nothing is the end of the stream."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def outgoing(self) -> bytes:
        """Return what is to be sent now."""
        return self._outgoing.read()

    def encrypt(self, data: bytearray) -> bytes:
        """Return what goes on the wire for plain bytes."""
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
        return b"".join(records)

    def close_notify(self) -> bytes:
        """Return what says that nothing follows."""
        with contextlib.suppress(ssl.SSLError, ValueError):  # the other side's is not waited for
            self.tls.unwrap()
        return self._outgoing.read()


def unverified_certificate(tls: ssl.SSLObject | ssl.SSLSocket) -> bytes | None:
    """Return the certificate the server showed though it failed verification, if this Python can tell."""
    inner = getattr(tls, "_sslobj", None)  # public only from Python 3.13 on
    try:
        chain = inner.get_unverified_chain() if inner is not None else None
        return chain[0].public_bytes(2) if chain else None  # 2: DER
    except (AttributeError, ValueError, ssl.SSLError):
        return None


def client_hello(host: str) -> bytes:
    """Return the first message of a handshake with this host; it holds no secret."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    return outgoing.read()
