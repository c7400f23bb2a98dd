"""What the programs left: files that they wrote themselves (``samples``), and profiles as Thunderbird makes them.

The samples are of fetchmail 6.4.37, getmail6 6.18, mpop 1.4.18 and fdm 1.9, each run once over ``MESSAGES``; the port,
the password and the home folder stand as ``@PORT@``, ``@PASSWORD@`` and ``@HOME@``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from migrator.adopting.model import Document
from tests.mail import letters

SAMPLES = Path(__file__).with_name("samples")
PASSWORD = "open-sesame"
MESSAGES = [
    *letters(3),
    (
        b"Return-Path: <bob@example.org>\r\nReceived: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        b"Message-ID: <rp@example.org>\r\nSubject: a From line\r\nFrom: bob@example.org\r\nTo: alice@example.org\r\n\r\n"
        b"From here on\r\n>From there\r\n..dots\r\nend\r\n"
    ),
]
"""What the server had."""
UNIQUE_IDS = [b"uid-%08d" % number for number in range(1, 5)]


def sample(name: str, home: Path = Path("/home/alice"), port: int = 1110) -> bytes:
    """Return what stands in a sample, for this home folder and port."""
    content = (SAMPLES / name).read_bytes()
    for mark, value in (("@PORT@", str(port)), ("@HOME@", str(home)), ("@PASSWORD@", PASSWORD)):
        content = content.replace(mark.encode(), value.encode())
    return content


def document(name: str, content: bytes) -> Document:
    return Document(Path("/home/alice") / name, content)


def stored_message(content: bytes) -> bytes:
    """Return the canonical form of a file that holds one message with LF line ends."""
    return content.replace(b"\n", b"\r\n")


def leaves(program: str, home: Path, port: int) -> None:
    """Let a home folder be as the program has left it, its mail included."""
    for name, place in FILES[program].items():
        path = home / place.replace("@PORT@", str(port))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample(f"{program}/{name}", home, port))
        path.chmod(0o600)
    if program == "fetchmail":
        for number in range(1, 5):
            path = home / "Maildir" / "new" / f"{number}.host"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample(f"fetchmail/{number}.msg"))
        (home / "Maildir" / "cur").mkdir()
        (home / "Maildir" / "tmp").mkdir()


FILES = {
    "fetchmail": {"fetchmailrc": ".fetchmailrc", "fetchids": ".fetchids"},
    "getmail": {
        "mboxrc": ".getmail/getmailrc",
        "oldmail": ".getmail/oldmail-127.0.0.1-@PORT@-alice",
        "work.mbox": "gm.mbox",
    },
    "mpop": {"mpoprc": ".mpoprc", "uidls": ".mpop_uidls/alice_at_127.0.0.1", "work.mbox": "mpop.mbox"},
    "fdm": {"fdm.conf": ".fdm.conf", "cache": "fdmc/cache", "work.mbox": "fdm.mbox"},
}


def thunderbird_profile(profile: Path, port: int, messages: Sequence[bytes], *, host: str = "127.0.0.1") -> None:
    """Make a profile with one POP3 account that has fetched these messages, and one of IMAP."""
    mail = profile / "Mail" / host
    mail.mkdir(parents=True)
    (profile / "prefs.js").write_text(
        "// Mozilla User Preferences\n\n"
        'user_pref("mail.account.account1.server", "server1");\n'
        'user_pref("mail.account.account2.server", "server2");\n'
        f'user_pref("mail.server.server1.directory-rel", "[ProfD]Mail/{host}");\n'
        f'user_pref("mail.server.server1.hostname", "{host}");\n'
        f'user_pref("mail.server.server1.port", {port});\n'
        'user_pref("mail.server.server1.socketType", 0);\n'
        'user_pref("mail.server.server1.leave_on_server", true);\n'
        'user_pref("mail.server.server1.type", "pop3");\n'
        'user_pref("mail.server.server1.userName", "alice");\n'
        'user_pref("mail.server.server2.type", "imap");\n'
        'user_pref("mail.server.server2.hostname", "imap.example.org");\n'
    )
    lines = [f"k {uid.decode()} 1795998597" for uid in UNIQUE_IDS[: len(messages)]]
    state = ["# POP3 State File", "# This is a generated file!  Do not edit.", "", f"*{host} alice", *lines, ""]
    (mail / "popstate.dat").write_text("\n".join(state))
    records = zip(UNIQUE_IDS, messages, strict=False)
    (mail / "Inbox").write_bytes(b"".join(_record(uid, message) for uid, message in records))
    (mail / "Inbox.msf").write_bytes(b'// <!-- <mdb:mork:z v="1.4"/> -->\n')


def _record(unique_id: bytes, message: bytes) -> bytes:
    text = b"\n" + message.replace(b"\r\n", b"\n")
    quoted = text.replace(b"\n>From ", b"\n>>From ").replace(b"\nFrom ", b"\n>From ")[1:]
    return (
        b"From - Mon Nov 30 00:29:58 2026\nX-Account-Key: account1\nX-UIDL: %b\nX-Mozilla-Status: 0001\n"
        b"X-Mozilla-Status2: 00000000\nX-Mozilla-Keys:                                                  \n%b\n"
        % (unique_id, quoted)
    )
