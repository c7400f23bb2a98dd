"""Real servers that offer APOP and keep passwords hashed: the default configuration logs in and empties them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import Site, account, mbox, source
from tests.mail import letters
from tests.servers import private_root
from tests.servers.hashed import DAEMONS, PASSWORD, USER, HashedServer


@pytest.mark.parametrize("name", list(DAEMONS))
def test_the_default_configuration_logs_in_and_empties_it(name: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    if why := private_root.why_missing(name):
        pytest.skip(why)
    with HashedServer(name, letters(5)) as server:
        own = source(server.port, user=USER, password=f'"{PASSWORD}"', leave_on_server=False)
        site.writes(account("alice", own, mbox()))
        report = site.migrate().report
        assert (report["status"], report["copied"], report["deleted"]) == ("ok", 5, 5), report
        assert server.count() == 0
        second = site.call("--trace", "trace", "migrate", "--json")
        assert second.report["status"] == "ok"
        assert "APOP" not in (site.folder / "trace").read_text(), "what worked is remembered"
