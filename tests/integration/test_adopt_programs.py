"""``adopt`` after the programs themselves: each fetches from the server, then mailferry takes over."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from migrator.message.digest import canonical
from tests.command_line import Ferry
from tests.mail import letters
from tests.rig import mboxrd
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server
from tests.unit.adopting.left_behind import MESSAGES

NOBODY = 65534
AWKWARD = [
    *MESSAGES,
    *letters(6, first=11),
    b"Return-Path: <a@b>\r\nDelivered-To: alice\r\nMessage-ID: <d@x>\r\nSubject: =?utf-8?b?w6Q=?=\r\n\r\nFrom x\r\n\r\n\r\n",
    b"Message-ID: <l@x>\r\nSubject: long line\r\n\r\n" + b"x" * 900 + b"\r\n>From\r\nFrom \r\n",
    b"Message-ID: <t@x>\r\nReceived: from a by b\r\n\twith ESMTP; now\r\nSubject: folded\r\n one\r\n\ttwo\r\n\r\n\r\nend\r\n",
    b"Message-ID: <e@x>\r\nSubject: 8 bit \xe4\r\n\r\n\xff\xfe\r\n",
]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder that a user without rights may use: getmail refuses to deliver as root."""
    folder = Path(tempfile.mkdtemp(prefix="mailferry-adopt-"))
    monkeypatch.setenv("HOME", str(folder))
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server() -> Iterator[Pop3Server]:
    with Pop3Server(Maildrop(AWKWARD)) as running:
        yield running


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    if os.getuid() == 0:
        for one in (path, path.parent):
            os.chown(one, NOBODY, NOBODY)


def fetch(program: str, home: Path, *arguments: str) -> None:
    """Have a program fetch everything once, as a user without rights."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *arguments]
    if os.getuid() == 0:
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "USER": "nobody"}
    for _ in range(5):
        # getmail may miss the signal of a child that has ended, and then waits without an end: it is called again.
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                command, cwd=home, env=environment, capture_output=True, text=True, timeout=25, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return
    raise AssertionError(f"{program} came to no end")


def with_fetchmail(home: Path, port: int, password: str) -> list[str]:
    for name in ("new", "cur", "tmp"):
        write(home / "Maildir" / name / ".keep", "")
    deliver = 'sh -c "cat > ~/Maildir/new/$$.x"'
    write(home / "deliver", f"#!/bin/sh\nexec {deliver}\n")
    (home / "deliver").chmod(0o700)
    write(
        home / ".fetchmailrc",
        f"poll 127.0.0.1 protocol pop3 port {port} uidl\n"
        f'  user "alice" there with password "{password}" is nobody here\n'
        f"  keep sslproto ''\n  mda \"{home}/deliver\"\n",
    )
    return [
        "-f",
        str(home / ".fetchmailrc"),
        "-i",
        str(home / ".fetchids"),
        "--nodetach",
        "--pidfile",
        str(home / "pid"),
    ]


def with_getmail(home: Path, port: int, password: str) -> list[str]:
    write(home / "mail.mbox", "")
    write(
        home / ".getmail" / "getmailrc",
        f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\nusername = alice\n"
        f"password = {password}\n[destination]\ntype = Mboxrd\npath = ~/mail.mbox\n"
        "[options]\nread_all = false\ndelete = false\n",
    )
    return [f"--getmaildir={home}/.getmail"]


def with_mpop(home: Path, port: int, password: str) -> list[str]:
    write(
        home / ".mpoprc",
        f"account default\nhost 127.0.0.1\nport {port}\nuser alice\nauth user\npassword {password}\ntls off\nkeep on\n"
        f"delivery mbox {home}/mail.mbox\n",
    )
    return ["-C", str(home / ".mpoprc")]


def with_fdm(home: Path, port: int, password: str) -> list[str]:
    write(
        home / ".fdm.conf",
        f'set lock-file "{home}/lock"\naction "box" mbox "{home}/mail.mbox"\n'
        f'account "work" pop3 server "127.0.0.1" port {port} user "alice" pass "{password}"'
        f' new-only cache "{home}/.cache" keep\nmatch all action "box"\n',
    )
    return ["-f", str(home / ".fdm.conf"), "fetch"]


PROGRAMS = {"fetchmail": with_fetchmail, "getmail": with_getmail, "mpop": with_mpop, "fdm": with_fdm}


@pytest.mark.parametrize("program", list(PROGRAMS))
def test_what_a_program_has_fetched_is_fetched_again_only_where_its_copy_differs(
    ferry: Ferry, server: Pop3Server, home: Path, program: str
) -> None:
    fetch(program, home, *PROGRAMS[program](home, server.port, server.password))
    fetched_before = server.counts()["RETR"]
    done = ferry("adopt", program, "--json")
    assert done.code == 0, done.err
    [one] = done.document["accounts"]
    assert one["imported"] == len(AWKWARD)
    assert one["known"] + one["to_fetch"] == len(AWKWARD)
    assert one["known"] >= len(AWKWARD) - 2, "an odd one may be rewritten by the program"
    report = ferry("migrate", "--json").report
    assert (report["status"], report["known"]) == ("ok", one["known"])
    assert server.counts()["RETR"] - fetched_before == one["to_fetch"]
    volumes = sorted((home / "mail-archive" / "alice@127.0.0.1").glob("*.mbox"))
    archived = [message for volume in volumes for message in mboxrd(volume.read_bytes())]
    assert {canonical(message) for message in AWKWARD} <= set(archived)
    assert len(archived) == len(AWKWARD) + one["to_fetch"]
    assert server.removed == []
