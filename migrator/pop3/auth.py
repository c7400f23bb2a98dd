"""Logging in: USER and PASS, APOP (RFC 1939, section 7), AUTH with any SASL mechanism (RFC 5034).

Once a secret is known here, no error of this session repeats it, in whatever form it was sent.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from hashlib import md5

from migrator.errors import Advice, FerryError, Kind, printable
from migrator.net.sasl import Credentials, Exchange, begin, choose, secrets_of
from migrator.pop3.connection import Conversation
from migrator.pop3.protocol import Challenge, Reply, Verb
from migrator.pop3.replies import Capabilities, Stage, apop_timestamp, refusal

_MAX_AUTH_LINE = 255


def log_in(
    line: Conversation,
    credentials: Credentials,
    mechanism: str,
    *,
    greeting: bytes,
    capabilities: Capabilities,
    host: str,
    port: int,
) -> None:
    """Log in by the mechanism with this configuration name (never ``auto``); afterwards the maildrop is ours.

    Raises ``auth``, ``in-use``, ``login-delay``, ``temporary`` or ``refused`` as the server means it. A line that is
    closed in answer to a secret is a refusal, too: some servers do that instead of ``-ERR``.
    """
    if any(character in credentials.username for character in "\r\n\0") or set(b"\r\n\0") & set(credentials.secret):
        raise FerryError(Kind.AUTH, "username or password has a line end or NUL in it", cure="POP3 cannot send that")
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
        raise refusal(
            Stage.LOGIN, reply.text, secrets=line.protocol.secrets, wait=capabilities.login_delay, about=mechanism
        )


def mechanism_for(wanted: str, greeting: bytes, capabilities: Capabilities, *, may_reveal: bool) -> str:
    """Choose by what the server offers. One that offers nothing at all is taken to know USER and PASS."""
    offered = {name.lower() for name in capabilities.sasl}
    if apop_timestamp(greeting):
        offered.add("apop")
    if "USER" in capabilities or not offered:
        offered.add("user")
    return choose(offered, wanted, may_reveal=may_reveal)


def _dropped_at_login(error: FerryError) -> FerryError:
    if error.kind is not Kind.CONNECT:
        return error
    return FerryError(
        Kind.AUTH,
        "the server closed the connection instead of answering the login",
        cure="that is how some servers refuse a wrong username or password: check both, and auth",
        advice=Advice.LATER,
    )


def _user_pass(line: Conversation, credentials: Credentials) -> Reply:
    reply = line.ask(Verb.USER, credentials.username.encode())
    return line.ask(Verb.PASS, credentials.secret) if reply.is_ok else reply


def _apop(line: Conversation, credentials: Credentials, timestamp: bytes) -> Reply:
    if not timestamp:
        raise FerryError(
            Kind.AUTH, "the server's greeting has no timestamp, so APOP cannot be used", cure="change auth"
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
