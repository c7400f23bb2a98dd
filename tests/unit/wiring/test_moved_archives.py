"""A run looks for its own archive only: what takes a look at all accounts is worked out once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from jobs.schedule.credential_hash import Fingerprints
from jobs.schedule.runner import Runs
from jobs.schedule.stop import Stop
from jobs.schedule.workers import Liveness
from migrator.config import Account, load
from migrator.config.many_accounts import ManyAccounts
from migrator.ledger import Ledger
from tests.servers.pop3 import Maildrop, Pop3Server

ACCOUNT = """
[[accounts]]
name = "{name}"
[accounts.source]
host = "{server.host}"
port = {server.port}
tls = "none"
username = "{name}"
password = "{server.password}"
[[accounts.destinations]]
type = "mbox"
path = "{folder}"
"""
MAIL = [b"Message-ID: <%d@example.org>\r\n\r\nletter %d\r\n" % (n, n) for n in range(1, 4)]


class Counted(ManyAccounts):
    """Accounts of which it is known how often all of them were gone through."""

    def __init__(self, *accounts: Account) -> None:
        self._accounts = accounts
        self.walks = 0

    def names(self) -> Iterator[str]:
        return (account.name for account in self._accounts)

    def named(self, name: str) -> Account | None:
        return next((account for account in self._accounts if account.name == name), None)

    def __len__(self) -> int:
        return len(self._accounts)

    def __iter__(self) -> Iterator[Account]:
        self.walks += 1
        return iter(self._accounts)

    def _at(self, number: int) -> Account:
        return self._accounts[number]


def runs(folder: Path, server: Pop3Server, ledger: Ledger, **folders: str) -> tuple[Runs, Counted]:
    path = folder / "config.toml"
    tables = [ACCOUNT.format(name=name, server=server, folder=place) for name, place in folders.items()]
    path.write_text('state_dir = "state"\n' + "".join(tables))
    path.chmod(0o600)
    config = load(path)
    accounts = Counted(*config.accounts)
    return Runs(replace(config, accounts=accounts), ledger, Fingerprints(b"key"), Liveness()), accounts


def test_a_run_knows_its_archive_where_it_was_moved_and_looks_at_no_other(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(MAIL)) as server, closing(Ledger.open(tmp_path / "state")) as ledger:
        first, accounts = runs(tmp_path, server, ledger, ann="archive/ann", bob="archive/bob")
        assert [first.run(name, Stop())[0].copied for name in ("ann", "bob")] == [3, 3]
        assert accounts.walks == 1, "both archives were unknown"
        assert [first.run(name, Stop())[0].copied for name in ("ann", "bob")] == [0, 0]
        assert accounts.walks == 1

        (tmp_path / "archive" / "ann").rename(tmp_path / "elsewhere")
        second, accounts = runs(tmp_path, server, ledger, ann="elsewhere", bob="archive/bob", eve="archive/eve")
        report = second.run("bob", Stop())[0]
        assert (report.copied, accounts.walks) == (0, 0), "a known archive needs no look at others"
        assert second.run("eve", Stop())[0].copied == 3
        report = second.run("ann", Stop())[0]
        assert (report.copied, report.known, accounts.walks) == (0, 3, 1)
        assert ledger.moves.has_copies(f"mbox:{tmp_path / 'elsewhere'}")
