from __future__ import annotations

from pathlib import Path

from tests.command_line import Ferry, archived_account
from tests.servers.pop3 import Pop3Server


def test_one_reason_for_all_is_one_line_and_nothing_is_to_be_checked(
    ferry: Ferry, server: Pop3Server, url: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(archived_account("alice", server.port))
    assert ferry("migrate").code == 0
    (tmp_path / "archive").rename(tmp_path / "unmounted")
    done = ferry("export", "--to", "out", "--format", "mbox")
    [line] = [one for one in done.err.splitlines() if "is not there" in one]
    assert " and 9 more: " in line
    assert (done.code, done.out) == (1, "0 messages written, 12 could not be\n")
    assert url
