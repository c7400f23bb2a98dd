"""Logging in: USER and PASS, APOP (RFC 1939, section 7), AUTH with any SASL mechanism (RFC 5034).

Once a secret is known here, no error of this session repeats it, in whatever form it was sent.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import md5

from migrator.errors import Advice, Correction, FerryError, Kind, printable, without_secrets
from migrator.net.login_order import Says
from migrator.net.sasl import Credentials, Exchange, begin, secrets_of
from migrator.pop3.connection import Conversation
from migrator.pop3.protocol import Challenge, Reply, Verb
from migrator.pop3.refusals import Stage, refusal, what_is_said
from migrator.pop3.replies import Capabilities, apop_timestamp

_MAX_AUTH_LINE = 255


class LoginRefusedError(FerryError):
    """The server said no to this log-in; ``says`` tells whether another way to log in can help."""

    def __init__(self, cause: FerryError, says: Says) -> None:
        super().__init__(**vars(cause))
        self.says = says


def log_in(
    line: Conversation,
    credentials: Credentials,
    mechanism: str,
    *,
    about: str = "",
    greeting: bytes,
    capabilities: Capabilities,
    host: str,
    port: int,
) -> None:
    """Log in by the mechanism with this configuration name (never ``auto``); afterwards the maildrop is ours.

    Raises ``auth``, ``in-use``, ``login-delay``, ``temporary`` or ``refused`` as the server means it; a
    ``LoginRefusedError`` where it refuses the password, or this way to give it. A line that is closed in answer to a
    secret is a refusal, too: some servers do that instead of ``-ERR``. ``about`` names the attempt in an error.
    """
    if any(character in credentials.username for character in "\r\n\0") or set(b"\r\n\0") & set(credentials.secret):
        raise FerryError(
            Kind.AUTH,
            "username or password has a line end or NUL in it",
            cure="POP3 cannot send that",
            finding="auth-refused",
        )
    line.protocol.secrets = secrets_of(credentials)
    try:
        match mechanism:
            case "user":
                reply = _user_pass(line, credentials)
            case "apop":
                reply = _apop(line, credentials, apop_timestamp(greeting))
            case _:
                exchange = begin(mechanism, credentials, host=host, port=port)
                reply = _sasl(line, credentials, exchange)
    except FerryError as error:
        raise _dropped_at_login(error) from error
    if not reply.is_ok:
        raise _refused(reply, line.protocol.secrets, capabilities.login_delay, about or mechanism)


def offered_by(greeting: bytes, capabilities: Capabilities) -> frozenset[str]:
    """Return the ways to log in by their configuration names.

    Who has no CAPA, or offers nothing, is taken to know USER and PASS: solid-pop3d has no CAPA, greets with a
    timestamp, and refuses APOP for everybody whose password it keeps hashed.
    """
    offered = {name.lower() for name in capabilities.sasl}
    if apop_timestamp(greeting):
        offered.add("apop")
    if "USER" in capabilities or not capabilities.is_known or not offered:
        offered.add("user")
    return frozenset(offered)


def _refused(reply: Reply, secrets: tuple[bytes, ...], delay: float | None, about: str) -> FerryError:
    stage = Stage.USER_NAME if reply.verb is Verb.USER else Stage.LOGIN
    error = refusal(stage, reply.text, secrets=secrets, wait=delay, about=about)
    says = what_is_said(without_secrets(reply.text, secrets)) if error.kind is Kind.AUTH else None
    return LoginRefusedError(error, says) if says else error


def _dropped_at_login(error: FerryError) -> FerryError:
    if error.kind is not Kind.CONNECT:
        return error
    dropped = FerryError(
        Kind.AUTH,
        "the server closed the connection instead of answering the log-in",
        cure="that is how some servers refuse a wrong username or password: check both, and auth",
        advice=Advice.LATER,
        finding="auth-refused",
    )
    return LoginRefusedError(dropped, Says.PASSWORD)


def _user_pass(line: Conversation, credentials: Credentials) -> Reply:
    reply = line.ask(Verb.USER, credentials.username.encode())
    return line.ask(Verb.PASS, credentials.secret) if reply.is_ok else reply


def _apop(line: Conversation, credentials: Credentials, timestamp: bytes) -> Reply:
    if not timestamp:
        raise FerryError(
            Kind.AUTH,
            "the server's greeting has no timestamp that is one by RFC 1939, so APOP cannot be used",
            cure='set auth = "auto"',
            finding="auth-refused",
            settings=(Correction("auth", "auto"),),
        )
    digest = md5(timestamp + credentials.secret, usedforsecurity=False).hexdigest()  # RFC 1939 names the hash
    return line.ask(Verb.APOP, credentials.username.encode() + b" " + digest.encode())


def _sasl(line: Conversation, credentials: Credentials, exchange: Exchange) -> Reply:
    """Hold the exchange: challenges in, responses out, until the server says yes or no."""
    line.expect_silence()
    argument = _with_initial_response(exchange)
    unsaid = exchange.initial if argument is None else None
    line.send(Verb.AUTH, argument=argument or exchange.name.encode())
    answer = line.reply_or_challenge()
    responses: list[bytes] = []
    while isinstance(answer, Challenge):
        if unsaid is not None:  # the challenge only asks for the initial response; some servers put words there
            response, unsaid = unsaid, None
        else:
            response = exchange.respond(_decoded(answer.text, line.protocol.secrets))
        responses.append(response)
        line.protocol.secrets = secrets_of(credentials, responses)
        answer = line.respond(b64encode(response))
    if answer.is_ok:
        exchange.finish()
    return _explained(answer, exchange)


def _with_initial_response(exchange: Exchange) -> bytes | None:
    """Return AUTH's argument with the initial response, which saves a round trip; None where it must wait for a prompt.

    It goes along with SCRAM alone: servers that have it are younger than RFC 5034, which defines the initial response
    (section 4: the line has at most 255 octets). Older ones may refuse it, and Microsoft wants XOAUTH2 in two steps.
    """
    if exchange.initial is None or not exchange.name.startswith("SCRAM-"):
        return None
    argument = exchange.name.encode() + b" " + b64encode(exchange.initial)
    return argument if len(b"AUTH %b\r\n" % argument) <= _MAX_AUTH_LINE else None


def _decoded(challenge: bytes, secrets: tuple[bytes, ...]) -> bytes:
    try:
        return b64decode(challenge, validate=True)
    except binascii.Error as error:
        raise FerryError(
            Kind.PROTOCOL,
            "the server's SASL challenge is not base64",
            server_words=printable(challenge, secrets=secrets),
        ) from error


def _explained(reply: Reply, exchange: Exchange) -> Reply:
    """Put what an OAuth challenge told as the reason behind the words of the refusal."""
    if not reply.is_ok and (reason := exchange.explanation()):
        reply.text += f" ({reason})".encode()
    return reply
