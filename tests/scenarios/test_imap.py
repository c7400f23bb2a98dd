"""Whatever a mailbox does: nothing is deleted before it stands there, nothing is stored twice, and all comes right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.net.tls import TlsMode, TlsSettings
from migrator.report import AccountReport
from tests.rig import Rig, deleting, keeping
from tests.scenarios.imap import SCENARIOS, ImapScenario
from tests.scenarios.pop3 import MESSAGES
from tests.servers.imap import ImapFault, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server

LONGEST = 60.0


@dataclass
class Stage:
    """One scenario's source and mailbox. Pauses take no time."""

    scenario: ImapScenario
    rig: Rig
    source: Pop3Server
    mailboxes: Mailboxes
    password: str = "open-sesame"
    port: int = 0

    def run(self, faults: Sequence[ImapFault] = ()) -> AccountReport:
        """Run once against a server with these faults, on the port of the servers before."""
        with self._server(faults) as server, ExitStack() as opened:
            settings = ImapSettings(
                server.host,
                server.port,
                "ann",
                tls=TlsSettings(TlsMode.NONE),
                folder=self.scenario.folder,
                timeout=self.scenario.timeout,
                when_copy_is_gone=self.scenario.gone,
            )
            destination = ImapDestination(
                settings,
                lambda: self.password,
                state_dir=self.rig.state,
                sleep=lambda seconds: time.sleep(min(seconds, 1.0)),
            )
            opened.callback(destination.close)
            self.rig.destinations = lambda _: [destination]
            return self.rig.migrate()

    @contextmanager
    def _server(self, faults: Sequence[ImapFault]) -> Iterator[ImapServer]:
        capabilities = self.scenario.capabilities
        with ImapServer(
            self.mailboxes, faults=faults, capabilities=capabilities, password=self.password, port=self.port
        ) as server:
            self.port = server.port
            yield server

    def holds(self, *, kept: Collection[int], missing: Collection[int]) -> None:
        """Fail unless the source holds those messages, and all folders together each of the others once."""
        assert self.source.maildrop.left() == [MESSAGES[place] for place in sorted(kept)]
        stored = Counter(content for name in self.mailboxes.names() for content in self.mailboxes.contents(name))
        assert stored == Counter(self.scenario.alters(m) for n, m in enumerate(MESSAGES) if n not in missing)


def _mailboxes(scenario: ImapScenario) -> Mailboxes:
    return Mailboxes(scenario.folders, alters=scenario.alters, kept_as=scenario.kept_as)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_or_doubled(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    with Pop3Server(Maildrop(MESSAGES)) as source:
        stage = Stage(scenario, Rig(tmp_path, source), source, _mailboxes(scenario))
        if scenario.before is not None:
            keeping(stage.rig)
            assert stage.run().status == "ok"
            scenario.before(stage.mailboxes)
        deleting(stage.rig)
        began = time.monotonic()
        report = stage.run(scenario.faults())
        assert time.monotonic() - began < LONGEST
        kinds = frozenset(str(problem.kind) for problem in report.problems)
        assert (str(report.status), kinds) == (scenario.status, scenario.kinds), report.problems
        assert stage.password not in str(report.as_json())
        stage.holds(kept=scenario.kept, missing=scenario.missing)
        report = stage.run()
        assert report.status == scenario.settled, report.problems
        stage.holds(kept=scenario.kept_for_good, missing=scenario.missing_for_good)
        before = stage.mailboxes.kept()
        assert not scenario.makes_no_folder or len(before) == len(scenario.folders)
        assert stage.run().status == scenario.settled
        assert stage.mailboxes.kept() == before
