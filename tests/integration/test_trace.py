"""From outside: what a run says of its steps, and the transcript of what was said to servers."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.command_line import Site, alice
from tests.mail import letters
from tests.servers.maildrop import Maildrop
from tests.servers.pop3 import Pop3Server

STEPS = ["session.opened", "listing.taken", "message.dated", "batch.copied", "deletions.confirmed", "session.quit"]


def test_twice_verbose_every_step_of_a_session_is_told_and_once_none_is(tmp_path: Path) -> None:
    site = Site(tmp_path, {"PASSWORD": "open-sesame"})
    with Pop3Server(Maildrop(letters(3))) as server:
        site.writes(alice(server.port, leave_on_server=False))
        done = site.migrate("-vv")
        assert (done.code, done.report["deleted"]) == (0, 3)
        told = [line.split()[2] for line in done.err.splitlines() if " debug " in line]
        assert sorted(set(told)) == sorted(STEPS)
        assert told.index("batch.copied") < told.index("session.quit") < told.index("deletions.confirmed")
        for words in ("account=alice", "messages=3", "to_retrieve=3"):
            assert words in done.err
        assert "session.opened" not in site.migrate("-v").err


def test_a_trace_holds_the_conversation_and_neither_mail_nor_password(tmp_path: Path) -> None:
    site = Site(tmp_path, {"PASSWORD": "open-sesame"})
    trace = tmp_path / "trace"
    with Pop3Server(Maildrop(letters(3))) as server:
        site.writes(alice(server.port, leave_on_server=False))
        assert site.migrate("--trace", trace).code == 0
        assert site.call("--trace", tmp_path / "no" / "trace", "migrate").code == 2
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    for line in (" C: CAPA", " C: RETR 3", " C: DELE 1", " C: QUIT", " *: closed"):
        assert line in trace.read_text()
    for secret in ("open-sesame", "From here", "letter 1"):
        assert secret not in trace.read_text()
