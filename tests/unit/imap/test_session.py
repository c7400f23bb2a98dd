"""Logging in at servers that are strange, rude or hostile."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest

from migrator.errors import FerryError, Kind
from migrator.imap.client import quoted
from migrator.imap.folder_names import FolderName
from migrator.imap.session import ImapSession
from migrator.net.tls import TlsMode, TlsSettings
from tests.unit.imap.scripted import PLAIN, Script, serving, settings


def refused(
    script: Script, *, auth: str = "auto", password: str = "sesame", tls: TlsSettings = PLAIN, timeout: float = 10.0
) -> FerryError:
    with serving(script) as port:
        given = settings(port, auth=auth, tls=tls, timeout=timeout)
        with pytest.raises(FerryError) as raised:
            ImapSession(given, lambda: password)
    return raised.value


def logged_in(script: Script, *, auth: str = "auto", password: str | bytes = "sesame") -> None:
    with serving(script) as port:
        ImapSession(settings(port, auth=auth), lambda: password).close()


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"* BYE too many connections\r\n", Kind.TEMPORARY),
        (b"", Kind.TIMEOUT),
        (b"220 mail.example.org ESMTP\r\n", Kind.PROTOCOL),
        (b"+OK POP3 ready\r\n", Kind.PROTOCOL),
        (b"\x15\x03\x01\x00\x02\x02\x0a", Kind.TLS),
        (b"\x16\x03\x01\x00\n", Kind.CONNECT),
    ],
)
def test_a_greeting_that_is_none_is_an_error_with_a_kind(greeting: bytes, kind: Kind) -> None:
    error = refused(Script(greeting=greeting), timeout=0.3)
    assert (error.kind, error.endpoint and error.endpoint.host) == (kind, "127.0.0.1")


def test_a_session_that_is_already_logged_in_sends_no_password() -> None:
    script = Script(greeting=b"* PREAUTH welcome\r\n")
    logged_in(script)
    assert not any(b"sesame" in line or b"AUTH" in line for line in script.heard)


def test_a_session_that_is_logged_in_before_starttls_is_not_used_in_the_clear() -> None:
    script = Script(greeting=b"* PREAUTH welcome\r\n", capabilities=b"IMAP4rev1 STARTTLS")
    assert refused(script, tls=TlsSettings(TlsMode.STARTTLS)).kind is Kind.PROTOCOL


def test_the_command_login_carries_any_password_without_injection() -> None:
    script = Script(capabilities=b"IMAP4rev1")
    hostile = "pä\r\nx1 DELETE INBOX"
    logged_in(script, password=hostile)
    assert script.heard[1].partition(b" ")[2] == b'LOGIN "ann" {%d}\r\n%b\r\n' % (
        len(hostile.encode()),
        hostile.encode(),
    )


def test_the_command_login_quotes_what_has_to_be_quoted() -> None:
    script = Script(capabilities=b"IMAP4rev1")
    logged_in(script, password='a"b\\c')
    assert script.heard[1].partition(b" ")[2] == b'LOGIN "ann" "a\\"b\\\\c"\r\n'


def test_no_password_goes_where_login_is_disabled_and_nothing_else_offered() -> None:
    script = Script(capabilities=b"IMAP4rev1 LOGINDISABLED")
    assert refused(script).kind is Kind.AUTH
    assert not any(b"sesame" in line for line in script.heard)


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1", b"IMAP4rev1 AUTH=PLAIN"])
def test_a_server_that_echoes_the_password_does_not_get_it_into_the_error(capabilities: bytes) -> None:
    script = Script({b"LOGIN": b"TAG NO bad password: sesame\r\n"}, capabilities=capabilities)
    script.replies[b"AUTHENTICATE"] = b"TAG NO bad password: sesame AGFubgBzZXNhbWU=\r\n"
    error = refused(script)
    assert error.kind is Kind.AUTH
    assert "bad password: ***" in str(error)
    assert "sesame" not in repr(error)
    assert error.__cause__ is None


def test_a_refused_password_comes_with_what_else_the_server_offers() -> None:
    script = Script(
        {b"AUTHENTICATE": b"TAG NO [AUTHENTICATIONFAILED] no\r\n"},
        capabilities=b"IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 STARTTLS",
    )
    error = refused(script)
    assert (error.kind, error.finding) == (Kind.AUTH, "auth-refused")
    assert "check username, password and auth; the server also offers xoauth2;" in error.cure
    assert 'set tls = "starttls"' in error.cure


def test_a_refusal_that_only_wants_time_is_temporary() -> None:
    script = Script({b"LOGIN": b"TAG NO [UNAVAILABLE] later\r\n"}, capabilities=b"IMAP4rev1")
    assert refused(script).kind is Kind.TEMPORARY


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"TAG NO not here\r\n", 'refuses STARTTLS (the server said: "not here")'),
        (b"TAG BAD what?\r\n", 'refuses STARTTLS (the server said: "what?"); try tls = "implicit" with port 993'),
        (b"TAG OK go\r\n* OK injected\r\n", "an attack?"),
    ],
)
def test_starttls_that_is_refused_or_tampered_with_ends_before_the_password(reply: bytes, words: str) -> None:
    script = Script({b"STARTTLS": reply}, capabilities=b"IMAP4rev1 STARTTLS")
    error = refused(script, tls=TlsSettings(TlsMode.STARTTLS))
    assert error.kind is Kind.TLS
    assert words in str(error)
    assert not any(b"LOGIN" in line or b"AUTH" in line for line in script.heard)


@pytest.mark.parametrize(
    "reply",
    [
        b"* LIST (\r\nTAG OK\r\n",
        b'* LIST () "/" {99999999999}\r\n',
        b"\xff\xfe\r\n",
        b"TAG WHAT\r\n",
    ],
)
def test_replies_that_make_no_sense_are_protocol_or_connection_errors(reply: bytes) -> None:
    script = Script({b"LIST": reply, b"NAMESPACE": b""})
    with serving(script) as port:
        session = ImapSession(settings(port, timeout=0.3), lambda: "sesame")
        with pytest.raises(FerryError) as raised:
            session.resolve("Archive")
        session.abandon()
    assert raised.value.kind in {Kind.PROTOCOL, Kind.CONNECT, Kind.TIMEOUT}


@pytest.mark.parametrize(
    ("folder", "written"),
    [("INBOX", b'"INBOX"'), ("Büro", b'"B&APw-ro"'), ('a"b\\c', b'"a\\"b\\\\c"'), ("a&b\r\nc", b'"a&-b&AA0ACg-c"')],
)
def test_folder_names_are_written_safely(folder: str, written: bytes) -> None:
    assert quoted(FolderName.of(folder).wire) == written


@pytest.mark.parametrize(
    ("listed", "namespace", "expected"),
    [
        (b'* LIST () "." INBOX\r\n', b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\n', "INBOX.Old.2026"),
        (b'* LIST () "." INBOX\r\n', b'* NAMESPACE (("" ".")) NIL NIL\r\n', "Old.2026"),
        (b'* LIST () "/" INBOX\r\n', b'* NAMESPACE (("" "/")) NIL NIL\r\n', "Old/2026"),
        (b"* LIST () NIL INBOX\r\n", b"* NAMESPACE NIL NIL NIL\r\n", "Old/2026"),
        (b'* LIST (\\Noselect) "/" Old/2026\r\n', b'* NAMESPACE (("" "/")) NIL NIL\r\n', "Old/2026"),
    ],
)
def test_a_folder_gets_the_servers_delimiter_and_prefix(listed: bytes, namespace: bytes, expected: str) -> None:
    script = Script(
        {b"LIST": listed + b"TAG OK\r\n", b"NAMESPACE": namespace + b"TAG OK\r\n"},
        capabilities=b"IMAP4rev1 AUTH=PLAIN NAMESPACE",
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        assert session.resolve("Old/2026") == (expected, False)
        session.close()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("inbox", "INBOX"), ("Inbox/", "INBOX"), ("inbox/Old", "INBOX.Old"), ("Old/2026/", "INBOX.Old.2026")],
)
def test_inbox_has_no_case_and_a_delimiter_at_the_end_means_nothing(folder: str, expected: str) -> None:
    script = Script(
        {b"LIST": b"TAG OK\r\n", b"NAMESPACE": b'* NAMESPACE (("INBOX." ".")) NIL NIL\r\nTAG OK\r\n'},
        capabilities=b"IMAP4rev1 AUTH=PLAIN NAMESPACE",
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        assert session.resolve(folder)[0] == expected
        session.close()


def test_who_we_are_is_said_after_log_in_where_the_server_wants_to_know() -> None:
    for capabilities, expected in ((b"IMAP4rev1 AUTH=PLAIN ID", 1), (b"IMAP4rev1 AUTH=PLAIN", 0)):
        script = Script({b"ID": b"* ID NIL\r\nTAG OK\r\n"}, capabilities=capabilities)
        logged_in(script)
        assert sum(b' ID ("name" "mailferry" "version" "' in line for line in script.heard) == expected


@pytest.mark.parametrize("reply", [b"TAG NO no\r\n", b"TAG BAD no\r\n", b"* ID (\r\nTAG OK\r\n", b"TAG OK\r\n"])
def test_what_a_server_makes_of_our_name_is_of_no_account(reply: bytes) -> None:
    logged_in(Script({b"ID": reply}, capabilities=b"IMAP4rev1 AUTH=PLAIN ID"))


@pytest.mark.parametrize(
    ("said", "quota"),
    [
        (b'* QUOTA "" (STORAGE 5 0)', None),
        (b'* QUOTA "" (STORAGE 5 10 MESSAGE 3 4)', (5 * 1024, 10 * 1024)),
        (b'* QUOTA "" (STORAGE 5 0)\r\n* QUOTA "user" (STORAGE 5 7)', (5 * 1024, 7 * 1024)),
        (b'* QUOTA "" ()', None),
    ],
)
def test_a_quota_of_nothing_is_no_quota(said: bytes, quota: tuple[int, int] | None) -> None:
    script = Script(
        {b"GETQUOTAROOT": b'* QUOTAROOT "Old mail" ""\r\n' + said + b"\r\nTAG OK\r\n"},
        capabilities=b"IMAP4rev1 AUTH=PLAIN QUOTA",
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        assert session.quota("Old mail") == quota
        session.close()
    assert any(line.endswith(b' GETQUOTAROOT "Old mail"\r\n') for line in script.heard)


def test_a_refused_namespace_is_none() -> None:
    script = Script(
        {b"LIST": b'* LIST () "." INBOX\r\nTAG OK\r\n', b"NAMESPACE": b"TAG BAD what?\r\n", b"STATUS": b"TAG NO\r\n"},
        capabilities=b"IMAP4rev1 AUTH=PLAIN NAMESPACE",
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        assert session.resolve("Old/2026") == ("Old.2026", False)
        session.close()


def test_a_folder_that_opens_is_there_though_no_list_shows_it() -> None:
    script = Script(
        {
            b"LIST": b"TAG OK\r\n",
            b"NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\nTAG OK\r\n',
            b"STATUS": b'* STATUS "archive" (UIDVALIDITY 7)\r\nTAG OK\r\n',
        },
        capabilities=b"IMAP4rev1 AUTH=PLAIN NAMESPACE",
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        assert session.resolve("archive") == ("archive", True)
        session.close()


def test_a_server_that_has_no_time_is_not_taken_for_one_without_the_folder() -> None:
    script = Script({b"LIST": b"TAG OK\r\n", b"STATUS": b"TAG NO Server Unavailable. 15\r\n"})
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        with pytest.raises(FerryError) as raised:
            session.resolve("Archive")
        session.close()
    assert raised.value.kind is Kind.TEMPORARY


def test_a_folder_that_cannot_be_opened_is_named() -> None:
    with serving(Script({b"EXAMINE": b"TAG BAD no way\r\n"})) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        with pytest.raises(
            FerryError, match=r"refuses to open the folder Archive .the server said: .no way."
        ) as raised:
            session.examine("Archive")
        session.close()
    assert raised.value.kind is Kind.PROTOCOL


def test_numbers_that_cannot_be_are_not_believed() -> None:
    script = Script(
        {b"EXAMINE": b"* OK [UIDVALIDITY 0] x\r\n* OK [UIDNEXT 5] x\r\n* 0 EXISTS\r\nTAG OK [READ-ONLY]\r\n"}
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        with pytest.raises(FerryError) as raised:
            session.examine("INBOX")
        session.close()
    assert raised.value.kind is Kind.PROTOCOL


def test_a_server_without_uidnext_in_examine_is_asked_by_status() -> None:
    script = Script(
        {
            b"EXAMINE": b"* OK [UIDVALIDITY 7] x\r\n* 3 EXISTS\r\nTAG OK [READ-ONLY]\r\n",
            b"STATUS": b"* STATUS INBOX (UIDNEXT 12 UIDVALIDITY 7)\r\nTAG OK\r\n",
        }
    )
    with serving(script) as port:
        session = ImapSession(settings(port), lambda: "sesame")
        seen = session.examine("INBOX")
        session.close()
    assert (seen.uid_validity, seen.uid_next, seen.exists) == (7, 12, 3)


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1", b"IMAP4rev1 AUTH=PLAIN"])
def test_a_password_that_is_no_utf_8_is_sent_as_it_is(capabilities: bytes) -> None:
    script = Script(capabilities=capabilities, replies={b"AUTHENTICATE": b"+ \r\n"})
    with suppress(FerryError), serving(script) as port:
        ImapSession(settings(port, timeout=0.5), lambda: "gr\udcfcn").close()
    latin = "grün".encode("latin-1")
    assert any(latin in line or b64encode(b"\0ann\0" + latin) in line for line in script.heard)
