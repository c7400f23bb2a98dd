from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from migrator.errors import FerryError, Kind
from migrator.net.access_token import AccessToken
from migrator.net.login_order import LoginMemory
from migrator.net.stream import Clock
from migrator.pop3.opening import NotOpenedError
from migrator.pop3.server_profile import ServerProfile
from migrator.pop3.session import Session, open_session
from migrator.pop3.transport import HANG_UP, Saying, ScriptedStream
from tests.unit.pop3.scripted import PASSWORD, source

NO = b"-ERR [AUTH] wrong user or password\r\n"


@dataclass
class Door:
    """A server that offers these and answers each log-in as told; a challenge comes before."""

    offers: str | None
    """What CAPA lists; None: it is no command there."""
    answers: dict[str, list[Saying]]
    greeting: bytes = b"+OK ready\r\n"
    is_encrypted: bool = False
    tried: list[str] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    connections: int = 0

    def opening(self, host: str, port: int, *, timeout: float, clock: Clock) -> ScriptedStream:
        self.connections += 1
        return ScriptedStream(self.script(), greeting=self.greeting, is_encrypted=self.is_encrypted)

    def script(self) -> Callable[[bytes], Iterable[Saying]]:
        under_way = ""

        def answer(line: bytes) -> Iterable[Saying]:
            nonlocal under_way
            self.said.append(line)
            verb, _, rest = line.decode("latin-1").strip().partition(" ")
            match verb.upper():
                case "CAPA" if self.offers is None:
                    return [b"-ERR unknown command\r\n"]
                case "CAPA":
                    return [f"+OK\r\n{self.offers}\r\nUIDL\r\n.\r\n".replace(";", "\r\n").encode()]
                case "STLS" | "USER" | "STAT":
                    return [b"+OK 0 0\r\n"]
                case "PASS":
                    return self.answer("user")
                case "APOP":
                    return self.answer("apop")
                case "AUTH":
                    under_way = rest.split(" ")[0].lower()
                    return self.answer(under_way) if " " in rest else [b"+ PDFAbG9jYWxob3N0Pg==\r\n"]
                case _:
                    return self.answer(under_way)

        return answer

    def answer(self, mechanism: str) -> list[Saying]:
        self.tried.append(mechanism)
        return self.answers.get(mechanism, [NO])


def let_in(door: Door, memory: LoginMemory | None = None, secret: str = PASSWORD, **changes: object) -> Session:
    profile = ServerProfile(login=memory or LoginMemory())
    return open_session(source(**changes), lambda: secret, profile, clock=lambda: 0.0, connect=door.opening)


def kept_out(door: Door, memory: LoginMemory | None = None, secret: str = PASSWORD, **changes: object) -> FerryError:
    with pytest.raises(FerryError) as caught:
        let_in(door, memory, secret, **changes)
    return caught.value


OK: list[Saying] = [b"+OK in\r\n"]


@pytest.mark.parametrize(
    ("offers", "works", "tried"),
    [
        ("SASL CRAM-MD5 PLAIN", "plain", ["cram-md5", "plain"]),
        ("SASL CRAM-MD5;USER", "user", ["cram-md5", "user"]),
        ("SASL SCRAM-SHA-256 CRAM-MD5 LOGIN PLAIN", "plain", ["scram-sha-256", "plain"]),
    ],
)
def test_behind_a_refused_challenge_comes_the_password_itself_on_a_line_of_its_own(
    offers: str, works: str, tried: list[str]
) -> None:
    door = Door(offers, {works: OK})
    session = let_in(door)
    assert door.tried == tried
    assert door.connections == len(tried)
    assert session.profile.login.worked == works
    assert set(tried[:-1]) <= set(session.profile.login.refused)


@pytest.mark.parametrize("offers", ["USER", None])
def test_apop_is_refused_and_user_works(offers: str | None) -> None:
    door = Door(offers, {"user": OK}, greeting=b"+OK hi <1.2@example.org>\r\n")
    session = let_in(door)
    assert door.tried == ["apop", "user"]
    door.tried.clear()
    let_in(door, session.profile.login)
    assert door.tried == ["user"]


def test_an_auth_that_is_no_command_there_is_no_refused_password() -> None:
    door = Door("SASL PLAIN;USER", {"plain": [b"-ERR Invalid command in current state.\r\n"], "user": OK})
    let_in(door)
    assert door.tried == ["plain", "user"]


def test_what_worked_is_what_the_next_session_begins_with() -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"plain": OK})
    memory = let_in(door).profile.login
    again = Door("SASL CRAM-MD5 PLAIN", {"plain": OK})
    assert let_in(again, memory).profile.login == memory
    assert again.tried == ["plain"]


def test_who_takes_the_password_itself_is_asked_no_other_challenge_the_next_time() -> None:
    door = Door("SASL SCRAM-SHA-1 CRAM-MD5 PLAIN", {"plain": OK})
    memory = let_in(door).profile.login
    again = Door("SASL SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN", {"plain": OK})
    let_in(again, memory)
    assert again.tried == ["scram-sha-256", "plain"]  # that one is new


def test_a_wrong_password_is_refused_twice_at_most() -> None:
    door = Door("SASL SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN;USER", {})
    error = kept_out(door)
    assert error.kind is Kind.AUTH
    assert door.tried == ["scram-sha-1", "plain"]
    assert "scram-sha-1, then plain" in str(error)


@pytest.mark.parametrize("answer", [b"-ERR\r\n", b"-ERR no\r\n", b"-ERR unknown command\r\n"])
def test_never_are_more_than_three_log_ins_refused(answer: bytes) -> None:
    names = ("scram-sha-1", "cram-md5", "plain", "login", "user")
    door = Door("SASL SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN;USER", {name: [answer] for name in names})
    assert kept_out(door).kind is Kind.AUTH
    assert len(door.tried) == 3


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (b"-ERR [IN-USE] x\r\n", Kind.IN_USE),
        (b"-ERR duplicate login!\r\n", Kind.IN_USE),
        (b"-ERR login too frequent\r\n", Kind.LOGIN_DELAY),
        (b"-ERR too many connections\r\n", Kind.TEMPORARY),
        (b"-ERR account locked\r\n", Kind.AUTH),
        (b"-ERR POP3 is disabled for this mailbox\r\n", Kind.AUTH),
        (b"-ERR the moon is down\r\n", Kind.TEMPORARY),
    ],
)
def test_nothing_else_is_tried_where_the_password_is_not_at_fault(words: bytes, kind: Kind) -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"cram-md5": [words], "plain": OK})
    assert kept_out(door).kind is kind
    assert door.tried == ["cram-md5"]


def test_where_the_second_answer_is_no_refusal_the_first_way_is_not_tried_again() -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"plain": [b"-ERR [IN-USE] x\r\n"]})
    error = kept_out(door)
    assert isinstance(error, NotOpenedError)
    assert error.kind is Kind.IN_USE
    assert error.profile.login == LoginMemory("", ("cram-md5",))


def test_a_line_that_may_be_heard_carries_no_password() -> None:
    door = Door("SASL CRAM-MD5 PLAIN;USER", {"plain": OK, "user": OK})
    error = kept_out(door, host="pop.example.org")
    assert door.tried == ["cram-md5"]
    assert 'auth = "plain"' in error.cure
    assert all(PASSWORD.encode() not in line for line in door.said)


def test_a_challenge_that_worked_before_is_refused_for_the_passwords_sake() -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"plain": OK})
    assert kept_out(door, LoginMemory("cram-md5")).kind is Kind.AUTH
    assert door.tried == ["cram-md5"]


def test_an_open_line_that_offers_less_than_last_time_is_not_used() -> None:
    door = Door("SASL PLAIN", {"plain": OK})
    error = kept_out(door, LoginMemory("scram-sha-256"))
    assert error.kind is Kind.AUTH
    assert "took scram-sha-256 before" in error.message
    assert 'auth = "plain"' in error.cure
    assert door.tried == []
    let_in(door, LoginMemory("scram-sha-256"), auth="plain")
    assert door.tried == ["plain"]


def test_an_encrypted_line_may_offer_less_than_last_time() -> None:
    door = Door("SASL PLAIN", {"plain": OK}, is_encrypted=True)
    assert let_in(door, LoginMemory("scram-sha-256")).profile.login.worked == "plain"


def test_a_configured_mechanism_is_tried_once() -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"plain": OK})
    assert kept_out(door, auth="cram-md5").kind is Kind.AUTH
    assert door.tried == ["cram-md5"]


@pytest.mark.parametrize(
    ("offers", "mechanism"),
    [("SASL PLAIN XOAUTH2", "xoauth2"), ("SASL OAUTHBEARER PLAIN", "oauthbearer"), ("USER", "xoauth2")],
)
def test_a_token_goes_by_a_mechanism_for_tokens(offers: str, mechanism: str) -> None:
    door = Door(offers, {mechanism: OK})
    let_in(door, is_token=True)
    assert door.tried == [mechanism]


@pytest.mark.parametrize("auth", ["plain", "user", "login", "cram-md5"])
def test_a_token_never_travels_as_a_password(auth: str) -> None:
    door = Door("SASL PLAIN LOGIN CRAM-MD5;USER", {})
    assert "token" in kept_out(door, auth=auth, is_token=True).message
    assert door.tried == []


def test_a_refused_token_is_not_tried_as_something_else() -> None:
    door = Door("SASL XOAUTH2 PLAIN;USER", {})
    assert "token" in kept_out(door, is_token=True).cure
    assert door.tried == ["xoauth2"]


def test_a_server_that_offers_what_nobody_here_speaks_names_what_to_set() -> None:
    door = Door("SASL NTLM GSSAPI", {"user": OK})
    error = kept_out(door)
    assert 'auth = "user"' in error.cure
    let_in(door, auth="user")
    assert door.tried == ["user"]


def test_a_password_that_is_no_text_is_no_matter_of_scram() -> None:
    door = Door("SASL SCRAM-SHA-256 PLAIN", {"plain": OK})
    let_in(door, secret="gr\udcfcn")
    assert door.tried == ["plain"]
    assert b"gr\xfcn" in b64decode(door.said[2])


def test_a_server_that_hangs_up_at_a_challenge_is_asked_in_another_way() -> None:
    door = Door("SASL CRAM-MD5 PLAIN", {"cram-md5": [HANG_UP], "plain": OK})
    let_in(door)
    assert door.tried == ["cram-md5", "plain"]


def test_the_password_is_asked_for_once() -> None:
    asked: list[str] = []

    def password() -> str:
        asked.append("")
        return PASSWORD

    door = Door("SASL CRAM-MD5 PLAIN", {"plain": OK})
    open_session(source(), password, clock=lambda: 0.0, connect=door.opening)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (b"Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", 'tls = "starttls"'),
        (b"Command is not valid in this state.", 'tls = "starttls"'),
        (b"[AUTH] wrong", 'tls = "starttls"'),
        (b"POP3 is disabled for this mailbox", "switch POP3 on"),
    ],
)
def test_a_refusal_on_an_open_line_names_what_the_server_offers(words: bytes, cure: str) -> None:
    door = Door("USER;STLS;SASL XOAUTH2", {"user": [b"-ERR " + words + b"\r\n"]})
    assert cure in kept_out(door).cure


def test_a_refused_password_at_a_known_provider_names_its_app_passwords() -> None:
    door = Door("SASL PLAIN XOAUTH2", {}, is_encrypted=True)
    assert "app password" in kept_out(door, host="pop.gmail.com").cure
    door = Door("SASL PLAIN XOAUTH2", {}, is_encrypted=True)
    cure = kept_out(door, host="pop.example.org").cure
    assert "the server also offers xoauth2; many such providers take no passwords any more" in cure


class Tokens:
    """A provider whose first token is refused by everybody."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def password(self) -> AccessToken:
        return AccessToken(self.fetch, self.renewed, self.given_up, "alice")

    def fetch(self) -> str:
        self.events.append("fetched")
        return "old"

    def renewed(self, refused: str) -> str:
        self.events.append(f"renewed {refused}")
        return "new"

    def given_up(self, refused: str) -> None:
        self.events.append(f"gave {refused} up")


class TokenDoor(Door):
    """A server that lets the new token in, if any, and notes when it was connected to."""

    accepts = b"Bearer new"

    def opening(self, host: str, port: int, *, timeout: float, clock: Clock) -> ScriptedStream:
        tokens.events.append("connected")
        return super().opening(host, port, timeout=timeout, clock=clock)

    def answer(self, mechanism: str) -> list[Saying]:
        is_right = self.accepts in b64decode(self.said[-1])
        return OK if is_right else super().answer(mechanism)


tokens = Tokens()


def with_tokens(door: Door) -> Session:
    tokens.events.clear()
    return open_session(source(is_token=True), tokens.password(), clock=lambda: 0.0, connect=door.opening)


@pytest.mark.parametrize("words", [b"[AUTH] no", b"[SYS/TEMP] Temporary authentication failure."])
def test_a_refused_token_is_renewed_once_on_a_new_connection(words: bytes) -> None:
    with_tokens(TokenDoor("SASL XOAUTH2", {"xoauth2": [b"-ERR " + words + b"\r\n"]}))
    assert tokens.events == ["fetched", "connected", "renewed old", "connected"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [(b"[AUTH] no", Kind.AUTH), (b"[SYS/TEMP] Temporary authentication failure.", Kind.TEMPORARY)],
)
def test_a_fresh_token_that_is_refused_is_the_end(words: bytes, kind: Kind) -> None:
    door = TokenDoor("SASL XOAUTH2 PLAIN;USER", {"xoauth2": [b"-ERR " + words + b"\r\n"]})
    door.accepts = b"Bearer another"
    with pytest.raises(FerryError) as caught:
        with_tokens(door)
    assert tokens.events == ["fetched", "connected", "renewed old", "connected", "gave new up"]
    assert caught.value.kind is kind
    assert (caught.value.finding == "sign-in-needed") == (kind is Kind.AUTH)
    assert door.tried == ["xoauth2", "xoauth2"]


def test_a_server_that_turns_everybody_away_costs_no_token() -> None:
    door = TokenDoor("SASL XOAUTH2", {}, greeting=b"-ERR [SYS/TEMP] too busy\r\n")
    with pytest.raises(FerryError) as caught:
        with_tokens(door)
    assert tokens.events == ["fetched", "connected"]
    assert caught.value.kind is Kind.TEMPORARY
