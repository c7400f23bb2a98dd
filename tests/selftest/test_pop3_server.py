"""What the scripted POP3 server claims to do when nothing is wrong with it."""

from __future__ import annotations

import hashlib
import hmac
import json
import poplib
import ssl
import subprocess
import sys
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from scramp import ScramClient

from tests.servers.certificates import Certificate
from tests.servers.line_client import TORN, LineClient
from tests.servers.maildrop import canonical
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.servers.process import answers

MESSAGES = [
    b"Subject: one\r\n\r\nfirst\r\nsecond\r\nthird\r\n",
    b".starts with a dot\r\n\r\n.\r\n..\r\n",
    b"Subject: odd\r\n\r\n\xff\x00bare\rcr bare\nlf\r\r\n.",
    b"",
]
AS_SENT = [MESSAGES[0], MESSAGES[1], MESSAGES[2] + b"\r\n", b""]


@contextmanager
def logged_in(server: Pop3Server, user: str = "ann") -> Iterator[LineClient]:
    with LineClient(server.port) as client:
        client.log_in(server.password, user)
        yield client


def unstuffed(body: bytes) -> bytes:
    return b"\r\n".join(line.removeprefix(b".") for line in body.split(b"\r\n"))


def test_sends_every_byte_of_a_message_stuffed() -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server, logged_in(server) as client:
        for number, message in enumerate(AS_SENT, 1):
            assert client.ask(b"RETR %d" % number) == b"+OK %d octets\r\n" % len(message)
            assert unstuffed(client.body()) == message


def test_lists_sizes_and_unique_ids_of_what_is_not_marked() -> None:
    with Pop3Server(Maildrop(MESSAGES), judges=False) as server, logged_in(server) as client:
        client.ask(b"DELE 2")
        sizes = [len(message) for message in AS_SENT]
        assert client.ask(b"STAT") == b"+OK 3 %d\r\n" % (sum(sizes) - sizes[1])
        client.ask(b"LIST")
        assert client.body() == b"1 %d\r\n3 %d\r\n4 0\r\n" % (sizes[0], sizes[2])
        client.ask(b"UIDL")
        assert client.body() == b"1 uid-00000001\r\n3 uid-00000003\r\n4 uid-00000004\r\n"
        assert client.ask(b"LIST 1") == b"+OK 1 %d\r\n" % sizes[0]
        assert client.ask(b"UIDL 1") == b"+OK 1 uid-00000001\r\n"


def test_top_gives_the_header_and_so_many_lines() -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server, logged_in(server) as client:
        client.ask(b"TOP 1 0")
        assert client.body() == b"Subject: one\r\n\r\n"
        client.ask(b"TOP 1 2")
        assert client.body() == b"Subject: one\r\n\r\nfirst\r\nsecond\r\n"
        client.ask(b"TOP 1 99")
        assert client.body() == MESSAGES[0]


@pytest.mark.parametrize("line", [b"RETR 9", b"RETR 0", b"RETR", b"DELE x", b"TOP 1", b"LIST 7", b"UIDL 7", b"XYZZY"])
def test_refuses_what_makes_no_sense(line: bytes) -> None:
    with Pop3Server(Maildrop(MESSAGES)) as server, logged_in(server) as client:
        assert client.ask(line).startswith(b"-ERR")
        assert client.ask(b"NOOP") == b"+OK\r\n"


def test_only_quit_makes_a_deletion_real() -> None:
    drop = Maildrop(MESSAGES)
    with Pop3Server(drop, judges=False) as server:
        with logged_in(server) as client:
            client.ask(b"DELE 1")
            assert client.ask(b"DELE 1").startswith(b"-ERR")
        with logged_in(server) as client:
            client.ask(b"DELE 1")
            client.ask(b"RSET")
            client.ask(b"DELE 2")
            assert client.ask(b"QUIT").startswith(b"+OK")
            assert client.rest() == b""
        assert [removal.content for removal in server.removed] == [MESSAGES[1]]
    assert drop.left() == [MESSAGES[0], *MESSAGES[2:]]


def test_works_pipelined_commands_in_order() -> None:
    drop = Maildrop(b"Subject: %d\r\n\r\n" % number for number in range(2000))
    with Pop3Server(drop) as server, logged_in(server) as client:
        client.say(*(b"RETR %d" % number for number in range(1, 2001)))
        for number in range(2000):
            client.reply()
            assert client.body() == b"Subject: %d\r\n\r\n" % number


def test_logs_every_command_with_its_time_and_session() -> None:
    clock = count()
    with Pop3Server(Maildrop(), clock=lambda: float(next(clock))) as server:
        with logged_in(server) as client:
            client.ask(b"noop")
        with logged_in(server):
            pass
        assert server.verbs(1) == ["USER", "PASS", "NOOP"]
        assert server.verbs() == ["USER", "PASS", "NOOP", "USER", "PASS"]
        assert server.counts()["PASS"] == 2
        assert [command.line for command in server.commands if command.session == 1][2] == b"noop"
        times = [command.time for command in server.commands]
        assert times == sorted(set(times))
        assert [(login.user, login.mechanism, login.session) for login in server.logins] == [
            ("ann", "USER", 1),
            ("ann", "USER", 2),
        ]


def test_gives_each_user_a_maildrop_of_their_own() -> None:
    with Pop3Server({"ann": Maildrop(MESSAGES), "bob": Maildrop()}) as server:
        with logged_in(server, "ann") as client:
            assert client.ask(b"STAT").startswith(b"+OK 4 ")
        with logged_in(server, "bob") as client:
            assert client.ask(b"STAT").startswith(b"+OK 0 ")


def test_refuses_a_wrong_password() -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        client.ask(b"USER ann")
        assert client.ask(b"PASS wrong").startswith(b"-ERR [AUTH]")
        assert client.ask(b"STAT").startswith(b"-ERR")
        assert server.logins == []


def test_takes_apop() -> None:
    with Pop3Server(Maildrop()) as server:
        session = poplib.POP3(server.host, server.port)
        session.apop("ann", server.password)
        session.quit()
        assert server.logins[0].mechanism == "APOP"


def test_takes_plain_and_oauth_with_and_without_an_initial_response() -> None:
    with Pop3Server(Maildrop()) as server:
        token = b"auth=Bearer " + server.token.encode() + b"\x01\x01"
        cases = {
            b"PLAIN": b"\0ann\0" + server.password.encode(),
            b"XOAUTH2": b"user=ann\x01" + token,
            b"OAUTHBEARER": b"n,a=ann,\x01host=localhost\x01" + token,
        }
        for mechanism, response in cases.items():
            with LineClient(server.port) as client:
                client.reply()
                assert client.ask(b"AUTH " + mechanism + b" " + b64encode(response)).startswith(b"+OK")
            with LineClient(server.port) as client:
                client.reply()
                assert client.ask(b"AUTH " + mechanism) == b"+ \r\n"
                assert client.ask(b64encode(response)).startswith(b"+OK")
        assert [login.user for login in server.logins] == ["ann"] * 6


def test_takes_login_and_cram_md5() -> None:
    with Pop3Server(Maildrop()) as server:
        with LineClient(server.port) as client:
            client.reply()
            assert client.ask(b"AUTH LOGIN") == b"+ " + b64encode(b"Username:") + b"\r\n"
            assert client.ask(b64encode(b"ann")) == b"+ " + b64encode(b"Password:") + b"\r\n"
            assert client.ask(b64encode(server.password.encode())).startswith(b"+OK")
        with LineClient(server.port) as client:
            client.reply()
            stamp = b64decode(client.ask(b"AUTH CRAM-MD5")[2:])
            digest = hmac.new(server.password.encode(), stamp, hashlib.md5).hexdigest()
            assert client.ask(b64encode(f"ann {digest}".encode())).startswith(b"+OK")


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_takes_scram_and_proves_itself(mechanism: str) -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        scram = ScramClient([mechanism], "ann", server.password)
        first = b64encode(scram.get_client_first().encode())
        scram.set_server_first(b64decode(client.ask(b"AUTH " + mechanism.encode() + b" " + first)[2:]).decode())
        last = client.ask(b64encode(scram.get_client_final().encode()))
        scram.set_server_final(b64decode(last[2:]).decode())
        assert client.ask(b"").startswith(b"+OK")
        assert server.logins[0].user == "ann"


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        (b"PLAIN", b"\0ann\0wrong"),
        (b"XOAUTH2", b"user=ann\x01auth=Bearer wrong\x01\x01"),
        (b"OAUTHBEARER", b"n,a=ann,\x01auth=Bearer wrong\x01\x01"),
        (b"SCRAM-SHA-256", b"nonsense"),
    ],
)
def test_refuses_a_wrong_response(mechanism: bytes, response: bytes) -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        reply = client.ask(b"AUTH " + mechanism + b" " + b64encode(response))
        if reply.startswith(b"+ "):  # OAuth tells why, and waits for an answer to that
            reply = client.ask(b64encode(b"\x01"))
        assert reply.startswith(b"-ERR")
        assert client.ask(b"AUTH XYZZY").startswith(b"-ERR")


def test_lets_a_client_cancel_a_log_in() -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        client.ask(b"AUTH PLAIN")
        assert client.ask(b"*").startswith(b"-ERR")
        assert client.ask(b"CAPA") == b"+OK\r\n"


def test_offers_and_takes_only_the_ways_to_log_in_that_it_is_given() -> None:
    with Pop3Server(Maildrop(), auth=["PLAIN"]) as server, LineClient(server.port) as client:
        assert b"<" not in client.reply()
        client.ask(b"CAPA")
        offered = client.body().split(b"\r\n")
        assert b"SASL PLAIN" in offered
        assert b"USER" not in offered
        for line in (b"USER ann", b"APOP ann 0", b"AUTH LOGIN"):
            assert client.ask(line).startswith(b"-ERR")


def test_stls_encrypts_and_forgets_what_came_before() -> None:
    with Pop3Server(Maildrop(), tls="starttls") as server, LineClient(server.port) as client:
        client.reply()
        client.ask(b"CAPA")
        assert b"STLS\r\n" in client.body()
        client.say(b"STLS", b"USER smuggled")
        assert client.reply().startswith(b"+OK")
        client.start_tls(server.authority.client_context())
        client.ask(b"CAPA")
        assert b"STLS" not in client.body()
        assert [(command.verb, command.encrypted) for command in server.commands] == [
            ("CAPA", False),
            ("STLS", False),
            ("CAPA", True),
        ]


def test_has_no_stls_unless_asked_for() -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        assert client.ask(b"STLS").startswith(b"-ERR")


def test_speaks_tls_from_the_start() -> None:
    with Pop3Server(Maildrop(MESSAGES), tls="implicit") as server:
        context = server.authority.client_context()
        session = poplib.POP3_SSL(server.host, server.port, context=context)
        shown = session.sock.getpeercert(binary_form=True)  # type: ignore[attr-defined]  # it is an SSLSocket
        assert hashlib.sha256(shown).hexdigest() == server.certificate.fingerprint
        session.user("ann")
        session.pass_(server.password)
        assert session.stat()[0] == 4
        session.quit()


@pytest.mark.parametrize(
    ("certificate", "complaint"),
    [
        (Certificate.WRONG_NAME, "IP address mismatch"),
        (Certificate.EXPIRED, "expired"),
        (Certificate.SELF_SIGNED, "self-signed"),
        (Certificate.OTHER_AUTHORITY, "unable to get local issuer|self-signed"),
    ],
)
def test_shows_each_kind_of_bad_certificate(certificate: Certificate, complaint: str) -> None:
    with Pop3Server(Maildrop(), tls="implicit", certificate=certificate) as server:
        context = server.authority.client_context()
        with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
            poplib.POP3_SSL(server.host, server.port, context=context)


def test_speaks_an_old_version_of_tls_only() -> None:
    with (
        Pop3Server(Maildrop(), tls="implicit", tls_at_most=ssl.TLSVersion.TLSv1_1) as server,
        LineClient(server.port) as client,
    ):
        context = server.authority.client_context()
        with pytest.raises(ssl.SSLError, match=r"protocol version|unsupported protocol|sigalg disallowed"):
            client.start_tls(context)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        with LineClient(server.port) as old:
            old.start_tls(context)
            assert old.reply().startswith(b"+OK")


def test_stops_while_clients_are_connected() -> None:
    with Pop3Server(Maildrop()) as server, LineClient(server.port) as client:
        client.reply()
        server.stop()
        assert client.rest() == b""
        assert not answers(server.port)


def test_stops_while_clients_are_connected_by_tls() -> None:
    with Pop3Server(Maildrop(), tls="implicit") as server, LineClient(server.port) as client:
        client.start_tls(server.authority.client_context())
        client.reply()
        server.stop()
        with pytest.raises(ssl.SSLError, match=TORN):
            client.rest()


def test_a_maildrop_changes_under_an_open_server() -> None:
    drop = Maildrop(MESSAGES[:2])
    with Pop3Server(drop) as server:
        first, second = drop.stored()
        drop.remove(first)
        drop.replace(second, b"Subject: other\r\n\r\n")
        drop.add(b"Subject: new\r\n\r\n", unique_id=first.unique_id)
        with logged_in(server) as client:
            client.ask(b"UIDL")
            assert client.body() == b"1 uid-00000002\r\n2 uid-00000001\r\n"
            client.ask(b"RETR 1")
            assert client.body() == b"Subject: other\r\n\r\n"


def test_the_canonical_form_ends_every_line_in_crlf_and_keeps_bare_cr() -> None:
    assert canonical(b"a\nb\r\nc\rd\r\r\ne") == b"a\r\nb\r\nc\rd\r\r\ne\r\n"
    assert canonical(b"") == b""


def test_serves_as_a_process_of_its_own_until_standard_input_closes() -> None:
    command = [sys.executable, "-m", "tests.servers.pop3", "--messages", "3", "--octets", "720"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        with LineClient(facts["port"]) as client:
            client.log_in(facts["password"])
            assert client.ask(b"STAT").startswith(b"+OK 3 ")
    assert process.returncode == 0


def test_a_session_that_deletes_what_it_has_not_read_fails_the_test() -> None:
    def delete_the_second_unread() -> None:
        with Pop3Server(Maildrop(MESSAGES)) as server, logged_in(server) as client:
            client.ask(b"RETR 1")
            client.body()
            client.ask(b"DELE 1")
            client.ask(b"DELE 2")

    with pytest.raises(AssertionError, match=r"DELE 2 .* without RETR 2 in this session"):
        delete_the_second_unread()


def test_top_stands_for_a_retr_of_an_earlier_session_where_the_proof_is_by_headers() -> None:
    with Pop3Server(Maildrop(MESSAGES), allows_top_proof=True) as server:
        with logged_in(server) as client:
            client.ask(b"RETR 1")
        with logged_in(server) as client:
            client.ask(b"TOP 1 0")
            client.ask(b"DELE 1")
        assert server.violations == []


def test_top_alone_is_no_reading() -> None:
    def delete_what_was_never_retrieved() -> None:
        with Pop3Server(Maildrop(MESSAGES), allows_top_proof=True) as server, logged_in(server) as client:
            client.ask(b"TOP 1 0")
            client.ask(b"DELE 1")

    with pytest.raises(AssertionError, match="never retrieved under this unique-id"):
        delete_what_was_never_retrieved()
