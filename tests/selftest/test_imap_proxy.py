"""What the fault proxy for IMAP claims to do, in front of a real Dovecot."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers import imap_faults as faults
from tests.servers.certificates import Certificate, authority
from tests.servers.dovecot import Dovecot
from tests.servers.imap_mailbox import Mailbox
from tests.servers.imap_proxy import ImapFault, ImapProxy
from tests.servers.line_client import LineClient

ONE = b"Subject: one\r\n\r\nfirst {3}\r\n"
TWO = b"Subject: two\r\n\r\na1 OK no reply\r\n"
THREE = b"Subject: three\r\n\r\n" + b"\xff" * 200_000 + b"\r\n"
MESSAGES = [ONE, TWO, THREE]


@contextmanager
def proxied(server: Dovecot, *damage: ImapFault) -> Iterator[ImapProxy]:
    with ImapProxy(server.imap_port, faults=damage) as proxy:
        yield proxy


@contextmanager
def logged_in(proxy: ImapProxy) -> Iterator[LineClient]:
    with LineClient(proxy.port) as client:
        client.reply()
        client.ask(b"a0 LOGIN ann " + Dovecot.password.encode())
        yield client


def append(client: LineClient, tag: bytes, *messages: bytes) -> None:
    client.line.sendall(tag + b" APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(m), m) for m in messages) + b"\r\n")


def append_slowly(client: LineClient, tag: bytes, message: bytes) -> bytes:
    if not (consent := client.ask(tag + b' APPEND "INBOX" (\\Seen) {%d}' % len(message))).startswith(b"+"):
        return consent
    client.line.sendall(message + b"\r\n")
    return client.reply()


def test_without_faults_it_changes_nothing(dovecot: Dovecot) -> None:
    with proxied(dovecot) as proxy:
        mailbox = Mailbox(proxy.port, "ann", dovecot.password)
        mailbox.append(MESSAGES)
        assert mailbox.messages() == dovecot.messages("ann") == MESSAGES
        assert proxy.counts()["APPEND"] == 1
        assert proxy.messages_appended() == 3


def test_without_faults_it_passes_on_what_waits_for_consent(dovecot: Dovecot) -> None:
    with proxied(dovecot) as proxy, logged_in(proxy) as client:
        assert append_slowly(client, b"a1", ONE).startswith(b"a1 OK")
        refusal = client.ask(b"a2 APPEND nowhere {5}")
        if refusal.startswith(b"+"):
            refusal = client.ask(b"hello")
        assert refusal.startswith(b"a2 NO [TRYCREATE]")
        assert client.ask(b"a3 NOOP").startswith(b"a3 OK")
        assert dovecot.messages("ann") == [ONE]


def test_a_log_in_by_dialogue_is_no_command(dovecot: Dovecot) -> None:
    with proxied(dovecot) as proxy, imaplib.IMAP4(proxy.host, proxy.port) as session:
        session.authenticate("PLAIN", lambda _: b"\0ann\0" + dovecot.password.encode())
        session.noop()
        verbs = [command.verb for command in proxy.commands]
        assert [verb for verb in verbs if verb != "CAPABILITY"] == ["AUTHENTICATE", "NOOP"]


def test_drop_before_keeps_the_command_from_the_server(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.DropBefore("APPEND", skip=1, times=1)) as proxy, logged_in(proxy) as client:
        append(client, b"a1", ONE)
        assert client.reply().startswith(b"a1 OK")
        append(client, b"a2", TWO)
        assert client.rest() == b""
        assert dovecot.messages("ann") == [ONE]
        with logged_in(proxy) as again:
            append(again, b"a3", TWO)
            assert again.reply().startswith(b"a3 OK")


def test_drop_inside_leaves_half_a_message(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.DropInside("APPEND", after=100_000)) as proxy, logged_in(proxy) as client:
        append(client, b"a1", THREE)
        assert client.rest() == b""
        assert dovecot.messages("ann") == []


def test_drop_unanswered_lets_the_server_obey(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.DropUnanswered("APPEND")) as proxy, logged_in(proxy) as client:
        append(client, b"a1", ONE, TWO)
        assert client.rest() == b""
        assert dovecot.messages("ann") == [ONE, TWO]


def test_drop_after_passes_the_reply_on(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.DropAfter("APPEND")) as proxy, logged_in(proxy) as client:
        append(client, b"a1", ONE)
        assert client.rest().startswith(b"a1 OK [APPENDUID")
        assert dovecot.messages("ann") == [ONE]


def test_drop_at_a_line_of_the_server(dovecot: Dovecot) -> None:
    dovecot.deliver("ann", MESSAGES)
    with proxied(dovecot, faults.DropAtLine(rb"^\* 2 FETCH")) as proxy, logged_in(proxy) as client:
        client.ask(b"a1 EXAMINE INBOX")
        client.say(b"a2 FETCH 1:3 (UID BODY.PEEK[])")
        rest = client.rest()
        assert ONE in rest
        assert TWO not in rest


@pytest.mark.parametrize("obeyed", [False, True])
def test_stall_is_silent_before_or_after_the_server_obeys(dovecot: Dovecot, obeyed: bool) -> None:
    with proxied(dovecot, faults.Stall("APPEND", obeyed=obeyed)) as proxy, logged_in(proxy) as client:
        append(client, b"a1", ONE)
        while obeyed and not dovecot.count("ann"):
            pass
        client.line.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.read(1)
        assert dovecot.messages("ann") == ([ONE] if obeyed else [])


def test_answers_in_place_of_the_server_whole_batches_too(dovecot: Dovecot) -> None:
    damage = faults.Answers("APPEND", words="NO [OVERQUOTA] full", times=2)
    with proxied(dovecot, damage) as proxy, logged_in(proxy) as client:
        append(client, b"a1", ONE, TWO)
        assert client.reply() == b"a1 NO [OVERQUOTA] full\r\n"
        assert append_slowly(client, b"a2", ONE) == b"a2 NO [OVERQUOTA] full\r\n"
        assert append_slowly(client, b"a3", ONE).startswith(b"a3 OK")
        assert dovecot.messages("ann") == [ONE]


def test_answers_only_where_the_command_contains_something(dovecot: Dovecot) -> None:
    damage = faults.Answers("CREATE", words="NO [CANNOT] bad name", containing=b"odd")
    with proxied(dovecot, damage) as proxy, logged_in(proxy) as client:
        assert client.ask(b"a1 CREATE odd") == b"a1 NO [CANNOT] bad name\r\n"
        assert client.ask(b"a2 CREATE even").startswith(b"a2 OK")


def test_says_a_line_ahead_of_a_reply(dovecot: Dovecot) -> None:
    damage = faults.SaysFirst("NOOP", line_ahead=b"* BYE tired")
    with proxied(dovecot, damage) as proxy, logged_in(proxy) as client:
        client.say(b"a1 NOOP")
        assert client.reply() == b"* BYE tired\r\n"
        assert client.reply().startswith(b"a1 OK")


def test_capabilities_are_hidden_wherever_they_are_told(dovecot: Dovecot) -> None:
    damage = faults.Capabilities(without=["literal+", "UIDPLUS", "MULTIAPPEND"], added=["LITERAL-"])
    with proxied(dovecot, damage) as proxy, LineClient(proxy.port) as client:
        greeting = client.reply()
        untagged = client.ask(b"a1 CAPABILITY")
        client.reply()
        tagged = client.ask(b"a2 LOGIN ann " + dovecot.password.encode())
        for told in (greeting, untagged, tagged):
            words = told.replace(b"]", b" ").split()
            assert b"IMAP4rev1" in words
            assert b"LITERAL-" in words
            assert not {b"LITERAL+", b"UIDPLUS", b"MULTIAPPEND"} & set(words)


def test_lines_of_the_server_are_rewritten(dovecot: Dovecot) -> None:
    damage = faults.Rewrites(rb"UIDVALIDITY \d+", b"UIDVALIDITY 7", times=1)
    with proxied(dovecot, damage) as proxy, logged_in(proxy) as client:
        told = []
        for tag in (b"a1", b"a2"):
            client.say(tag + b" STATUS INBOX (UIDVALIDITY)")
            told.append(client.reply())
            client.reply()
        assert b"UIDVALIDITY 7)" in told[0]
        assert b"UIDVALIDITY 7)" not in told[1]


@pytest.mark.parametrize("place", [0, 5, 150_000])
def test_one_bit_of_a_fetched_message_is_flipped(dovecot: Dovecot, place: int) -> None:
    dovecot.deliver("ann", [THREE, THREE, THREE])
    with proxied(dovecot, faults.FetchTampered(place, skip=1, times=1)) as proxy:
        fetched = Mailbox(proxy.port, "ann", dovecot.password).messages()
    flipped = THREE[:place] + bytes([THREE[place] ^ 1]) + THREE[place + 1 :]
    assert fetched == [THREE, flipped, THREE]


def test_a_message_is_lost_out_of_a_batch_that_was_ok(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.MessagesLost(b"two", times=1)) as proxy, logged_in(proxy) as client:
        append(client, b"a1", *MESSAGES)
        assert client.reply().startswith(b"a1 OK")
        assert dovecot.messages("ann") == [ONE, THREE]
        append(client, b"a2", TWO)
        assert client.reply().startswith(b"a2 OK")
        assert dovecot.count("ann") == 3


def test_a_message_that_was_ok_is_lost(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.MessagesLost()) as proxy, logged_in(proxy) as client:
        assert append_slowly(client, b"a1", ONE).startswith(b"a1 OK")
        assert dovecot.messages("ann") == []


def test_a_batch_is_refused_for_one_message(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.MessagesRefused(b"two")) as proxy, logged_in(proxy) as client:
        append(client, b"a1", *MESSAGES)
        assert client.reply() == b"a1 NO [TOOBIG] message too large\r\n"
        append(client, b"a2", ONE, THREE)
        assert client.reply().startswith(b"a2 OK")
        assert append_slowly(client, b"a3", TWO).startswith(b"a3 NO [TOOBIG]")
        assert dovecot.messages("ann") == [ONE, THREE]


def test_a_message_is_stored_otherwise_than_it_was_sent(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.MessagesAltered(b"two")) as proxy, logged_in(proxy) as client:
        append(client, b"a1", *MESSAGES)
        assert client.reply().startswith(b"a1 OK")
        assert dovecot.messages("ann") == [ONE, TWO.replace(b"\r\n\r\n", b"\r\nX-Stored: here\r\n\r\n", 1), THREE]


def test_flags_and_dates_survive_being_held_back(dovecot: Dovecot) -> None:
    with proxied(dovecot, faults.MessagesLost(b"nothing like this")) as proxy, logged_in(proxy) as client:
        date = b'"17-Jul-1996 02:44:25 +0000"'
        client.say(b'a1 append "INBOX" (\\Seen) %b {%d+}' % (date, len(ONE)))
        client.say(ONE + b" (\\Flagged) {%d+}" % len(TWO))
        client.say(TWO)
        assert client.reply().startswith(b"a1 OK")
        client.ask(b"a2 EXAMINE INBOX")
        while not client.reply().startswith(b"a2 "):
            pass
        client.say(b"a3 FETCH 1:2 (FLAGS INTERNALDATE)")
        first, second = client.reply(), client.reply()
        assert date in first
        assert b"\\Seen" in first
        assert b"\\Flagged" in second


def test_shows_any_certificate(dovecot: Dovecot) -> None:
    trusting = authority().client_context()
    with (
        ImapProxy(dovecot.imap_port, certificate=Certificate.GOOD) as proxy,
        imaplib.IMAP4_SSL(proxy.host, proxy.port, ssl_context=trusting) as session,
    ):
        session.login("ann", dovecot.password)
    with (
        ImapProxy(dovecot.imap_port, certificate=Certificate.EXPIRED) as proxy,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        imaplib.IMAP4_SSL(proxy.host, proxy.port, ssl_context=trusting)
