"""What a POP3 server without faults does for each command (RFC 1939, 2449, 2595, 5034)."""

from __future__ import annotations

from collections.abc import Callable

from tests.servers.pop3_auth import apop, respond
from tests.servers.pop3_session import Command, Obey, Session, Shown
from tests.servers.pop3_wire import HangUp, Wire, content, multi, one, top_of


def obey(session: Session, command: Command) -> Wire:
    """Do what a command asks, where it is known and allowed, and return the reply."""
    handler = (_ONCE_IN if session.login else _BEFORE_LOGIN).get(command.verb)
    return handler(session, command) if handler else one(b"-ERR unknown or not allowed here")


def _greeting(session: Session, _: Command) -> Wire:
    return one(b"+OK ready " + session.greeting_stamp if "APOP" in session.server.auth else b"+OK ready")


def _capa(session: Session, _: Command) -> Wire:
    return multi(b"+OK", iter(session.offered()))


def _stls(session: Session, _: Command) -> Wire:
    if session.server.tls != "starttls" or session.encrypted:
        yield b"-ERR no TLS here\r\n"
        return
    yield b"+OK begin TLS\r\n"
    session.upgrade_to_tls()


def _user(session: Session, command: Command) -> Wire:
    if "USER" not in session.server.auth:
        return one(b"-ERR no USER here")
    session.user = command.line.partition(b" ")[2].decode()
    return one(b"+OK password, please")


def _pass(session: Session, command: Command) -> Wire:
    if not session.user:
        return one(b"-ERR who are you?")
    if command.line.partition(b" ")[2].decode() != session.server.secrets.password:
        return one(b"-ERR [AUTH] wrong user or password")
    return session.enter(session.user, "USER")


def _apop(session: Session, command: Command) -> Wire:
    if "APOP" not in session.server.auth:
        return one(b"-ERR no APOP here")
    user, _, digest = command.line.partition(b" ")[2].rpartition(b" ")
    if digest != apop(session.greeting_stamp, session.server.secrets):
        return one(b"-ERR [AUTH] wrong user or password")
    return session.enter(user.decode(), "APOP")


def _auth(session: Session, command: Command) -> Wire:
    name, _, initial = command.line.partition(b" ")[2].partition(b" ")
    mechanism = name.decode("latin-1").upper()
    if mechanism not in session.server.auth:
        return one(b"-ERR no such mechanism")
    return session.begin(respond(mechanism, session.server.secrets, initial or None))


def _stat(session: Session, _: Command) -> Wire:
    remaining = [message.octets for _, message in session.remaining()]
    return one(b"+OK %d %d" % (len(remaining), sum(remaining)))


def _list(session: Session, command: Command) -> Wire:
    return _listing(session, command, lambda message: b"%d" % message.octets)


def _uidl(session: Session, command: Command) -> Wire:
    return _listing(session, command, lambda message: message.unique_id)


def _listing(session: Session, command: Command, tell: Callable[[Shown], bytes]) -> Wire:
    if command.line.partition(b" ")[2].strip():
        message = session.existing(command.number)
        return one(b"+OK %d %b" % (command.number or 0, tell(message)) if message else b"-ERR no such message")
    return multi(b"+OK", (b"%d %b" % (number, tell(message)) for number, message in session.remaining()))


def _retr(session: Session, command: Command) -> Wire:
    message = session.existing(command.number)
    return content(b"+OK %d octets" % message.octets, message.content) if message else one(b"-ERR no such message")


def _top(session: Session, command: Command) -> Wire:
    message = session.existing(command.number)
    arguments = command.line.split()[1:]
    if message is None or len(arguments) != 2 or not arguments[1].isdigit():
        return one(b"-ERR no such message")
    return content(b"+OK", top_of(message.content, int(arguments[1])))


def _dele(session: Session, command: Command) -> Wire:
    if command.number is None or session.existing(command.number) is None:
        return one(b"-ERR no such message")
    session.marked.add(command.number)
    return one(b"+OK marked")


def _rset(session: Session, _: Command) -> Wire:
    session.marked.clear()
    return one(b"+OK nothing is marked")


def _noop(_session: Session, _: Command) -> Wire:
    return one(b"+OK")


def _quit(session: Session, _: Command) -> Wire:
    session.commit()
    yield b"+OK bye\r\n"
    raise HangUp("close-notify")


_ALWAYS: dict[str, Obey] = {"CAPA": _capa, "QUIT": _quit}
_BEFORE_LOGIN: dict[str, Obey] = {
    **_ALWAYS,
    "GREETING": _greeting,
    "STLS": _stls,
    "USER": _user,
    "PASS": _pass,
    "APOP": _apop,
    "AUTH": _auth,
}
_ONCE_IN: dict[str, Obey] = {
    **_ALWAYS,
    "STAT": _stat,
    "LIST": _list,
    "UIDL": _uidl,
    "RETR": _retr,
    "TOP": _top,
    "DELE": _dele,
    "RSET": _rset,
    "NOOP": _noop,
}
