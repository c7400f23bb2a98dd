"""What operating system and TLS library say when a line cannot be had, or breaks, as errors of ours.

Exceptions in, ``FerryError`` out. What may pass by itself is ``connect`` or ``timeout`` and is tried again; what
only a person can mend is ``tls``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from migrator.errors import Correction, Endpoint, FerryError, Kind
from migrator.net.certificates import distrusted
from migrator.net.first_words import Service, service_of, stranger
from migrator.net.tls import TlsSettings

_NAME_SERVERS_SILENT = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL})
_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

Attempt = tuple[str, OSError]
"""An address, and why it could not be reached."""


def name_error(endpoint: Endpoint, error: OSError | UnicodeError) -> FerryError:
    """Return the error of a host name that gives no address."""
    host, number = endpoint.host, error.errno if isinstance(error, OSError) else socket.EAI_NONAME
    if number in _NAME_SERVERS_SILENT:
        words = f"cannot connect to {host}:{endpoint.port}: the name servers do not answer for it"
        cure = "check this machine's network and its name servers"
        return FerryError(Kind.CONNECT, words, cure=cure, endpoint=endpoint, finding="host-unreachable")
    if number in _UNKNOWN:
        words = f"cannot connect to {host}:{endpoint.port}: the host name is not known"
        cure = "check the spelling of host"
        return FerryError(Kind.CONNECT, words, cure=cure, endpoint=endpoint, finding="host-unknown")
    return _unreachable(Kind.CONNECT, f"cannot connect to {host}:{endpoint.port}: {plain(error)}", endpoint)


def unreachable(endpoint: Endpoint, attempts: Sequence[Attempt], seconds: float) -> FerryError:
    """Return the error of a host none of whose addresses could be reached; each is named where they differ."""
    reasons = {address: _reason(error, seconds) for address, error in attempts}
    if len(set(reasons.values())) == 1:
        words = next(iter(reasons.values()))
    else:
        words = "; ".join(f"{address}: {reason}" for address, reason in reasons.items())
    is_silent = any(isinstance(error, TimeoutError) for _, error in attempts)
    what = f"cannot connect to {endpoint.host}:{endpoint.port}: {words}"
    return _unreachable(Kind.TIMEOUT if is_silent else Kind.CONNECT, what, endpoint)


def _reason(error: OSError, seconds: float) -> str:
    return f"no answer within {seconds:g} seconds" if isinstance(error, TimeoutError) else plain(error)


def _unreachable(kind: Kind, what: str, endpoint: Endpoint) -> FerryError:
    cure = "check host and port, and whether the server runs and this machine has a network"
    return FerryError(kind, what, cure=cure, endpoint=endpoint, finding="host-unreachable")


def line_error(endpoint: Endpoint, tls: TlsSettings, error: OSError | UnicodeError) -> FerryError:
    """Return what an error of a library's own connection is, which may come from any step of it."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return name_error(endpoint, error)
    if isinstance(error, ssl.SSLError):
        return handshake_error(endpoint, tls, error).blame(endpoint)
    if isinstance(error, TimeoutError):
        return FerryError(Kind.TIMEOUT, f"{endpoint} did not answer in time", endpoint=endpoint)
    return _unreachable(Kind.CONNECT, f"the connection to {endpoint} failed: {plain(error)}", endpoint)


def silence(seconds: float, *, is_configured: bool = True, what: str = "the server was silent") -> FerryError:
    """Return the error of a server that says nothing; the key that bounds it is named where it is that key's time."""
    words = f"{what} for {seconds:g} seconds"
    return too_slow(words, seconds) if is_configured else FerryError(Kind.TIMEOUT, words)


def too_slow(words: str, seconds: float) -> FerryError:
    """Return the error of a server that took more than the configured time, with the key that lets it take longer."""
    longer = Correction("timeout", f"{max(5, round(seconds / 60) * 2)} minutes")
    cure = f'if it is only slow, set timeout = "{longer.value}"'
    return FerryError(Kind.TIMEOUT, words, cure=cure, settings=(longer,))


def handshake_error(
    endpoint: Endpoint,
    tls: TlsSettings,
    error: OSError,
    *,
    seen: bytes | None = None,
    words: bytes = b"",
    expected: Service | None = None,
) -> FerryError:
    """Return what a failed handshake is: ``connect`` and ``timeout`` may pass, ``tls`` is a matter for a person.

    ``seen`` is the certificate that was shown, ``words`` what the server said first, ``expected`` what should be
    spoken there.
    """
    host, found = endpoint.host, service_of(words)
    if isinstance(error, TimeoutError):
        return FerryError(Kind.TIMEOUT, f"{host} did not finish the TLS handshake in time")
    if isinstance(error, ssl.SSLCertVerificationError):
        return distrusted(host, tls, code=error.verify_code, reason=error.verify_message, certificate=seen)
    if found not in {None, Service.TLS}:
        return stranger(found, expected or found or Service.TLS, endpoint, tls.mode, words)
    if may_be_plain(error):
        return client_certificate_demanded(host, error) or FerryError(
            Kind.TLS,
            f"no TLS connection with {host}: {plain(error)}",
            cure="check port and tls mode (implicit, starttls); TLS 1.2 or newer is needed, and a server that demands"
            " a client certificate cannot be used",
            finding="wrong-tls",
        )
    return FerryError(
        Kind.CONNECT,
        f"{host} closed the connection during the TLS handshake: {plain(error)}",
        cure="too many connections at once? wrong port?",
        finding="host-unreachable",
    )


def may_be_plain(error: OSError) -> bool:
    """Tell whether a handshake failed for what the server said, which need not have been TLS."""
    is_of_tls = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
    return is_of_tls and not is_hang_up(error)


def is_hang_up(error: OSError) -> bool:
    """Tell whether the other side ended an encrypted line without a close_notify, or in the handshake.

    Python 3.11.2 with OpenSSL 3 (Debian 12) knows no class for it: there it is an ``SSLError`` with a reason.
    """
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return True
    return isinstance(error, ssl.SSLError) and "UNEXPECTED_EOF" in (error.reason or "")


def broken_line(error: OSError, host: str) -> FerryError:
    """Return what a broken line is: ``tls`` where the server misses a client certificate, ``connect`` otherwise."""
    return client_certificate_demanded(host, error) or FerryError(Kind.CONNECT, f"the connection broke: {plain(error)}")


def client_certificate_demanded(host: str, error: OSError) -> FerryError | None:
    """Return the error where the server misses a certificate of ours; TLS 1.3 says so behind the handshake."""
    if not (isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (error.reason or "")):
        return None
    return FerryError(
        Kind.TLS,
        f"{host} demands a client certificate, and mailferry has none",
        cure="ask its operator for a log-in by password or token alone",
        finding="certificate",
    )


def plain(error: BaseException) -> str:
    """Say in a few words what an operating system or TLS error means."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing answers on that port"
    if isinstance(error, ConnectionResetError):
        return "the server reset it"
    if isinstance(error, OSError) and is_hang_up(error):
        return "the server hung up"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
