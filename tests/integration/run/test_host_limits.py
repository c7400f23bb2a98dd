"""Many accounts of a server that takes few connections from one address: all of them are worked, in one run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from migrator.destinations.imap import ImapDestination, ImapSettings
from migrator.destinations.mbox.destination import MboxDestination
from migrator.errors import Endpoint, Kind
from migrator.ledger import Ledger
from migrator.net.tls import TlsMode, TlsSettings
from migrator.policy import Policy
from migrator.pop3.session import Source
from migrator.report import AccountReport, Status, StoppedBy
from migrator.run.accounts import run_accounts, run_recorded
from migrator.run.context import AccountJob, Effects
from migrator.run.host_limits import MOST, TOPIC, HostLimits
from tests.mail import letters
from tests.rig import ShortPauses
from tests.servers.courier import Courier
from tests.servers.imap import AtMostAtOnce as AtMostAtOnceByImap, ImapServer
from tests.servers.mailboxes import Mailboxes
from tests.servers.pop3 import Maildrop, Pop3Server, Tls
from tests.servers.pop3_faults import AtMostAtOnce, ConnectionsRefused

NAMES = [f"user{number}" for number in range(12)]


@dataclass(frozen=True)
class Place:
    """A server, and how to reach it."""

    port: int
    password: str
    tls: TlsSettings

    def job(self, folder: Path, name: str) -> AccountJob:
        source = Source("127.0.0.1", self.port, self.tls, name, timeout=20.0)
        archive = MboxDestination(
            folder / "archive" / name, state_dir=folder / "state", clock=lambda: datetime.fromtimestamp(0, UTC)
        )
        return AccountJob(name, source, lambda: self.password, Policy(), [archive], folder / "state")


def migrated(folder: Path, place: Place, stop: ShortPauses | None = None) -> tuple[list[AccountReport], HostLimits]:
    with closing(Ledger.open(folder / "state")) as ledger:
        hosts = HostLimits(store=ledger.state_store)
        effects = Effects(hosts=hosts, stop=stop) if stop else Effects(hosts=hosts)
        reports = run_accounts([place.job(folder, name) for name in NAMES], ledger, effects)
    return reports, hosts


def summary(reports: list[AccountReport]) -> list[tuple[str, Status, int, list[str]]]:
    return [(one.name, one.status, one.copied, [problem.message for problem in one.problems]) for one in reports]


@pytest.mark.parametrize("mode", [TlsMode.NONE, TlsMode.IMPLICIT])
def test_a_courier_as_its_package_comes_serves_twelve_accounts(tmp_path: Path, courier: Courier, mode: TlsMode) -> None:
    port = courier.pop3_port if mode is TlsMode.NONE else courier.pop3s_port
    place = Place(port, courier.password, TlsSettings(mode, None if mode is TlsMode.NONE else courier.ca_file))
    mail = letters(300)
    for name in NAMES:
        courier.deliver(f"{name}-{mode}", mail)
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        jobs = [replace(place.job(tmp_path, f"{name}-{mode}"), name=name) for name in NAMES]
        reports = run_accounts(jobs, ledger, Effects(hosts=HostLimits(store=ledger.state_store)))
    assert summary(reports) == [(name, Status.OK, 300, []) for name in NAMES]


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_a_server_that_hangs_up_on_the_fifth_serves_twelve_accounts(tmp_path: Path, tls: Tls) -> None:
    with Pop3Server(Maildrop(letters(20)), tls=tls, faults=[AtMostAtOnce(4)]) as server:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(server.authority.certificate)
        settings = TlsSettings(TlsMode(tls), ca_file)
        reports, _ = migrated(tmp_path, Place(server.port, server.password, settings))
    assert summary(reports) == [(name, Status.OK, 20, []) for name in NAMES]
    with closing(Ledger.open(tmp_path / "state")) as ledger:
        learned = ledger.state_store.get_all(TOPIC)
    # A quick machine may be done with each before a fifth comes: then nobody was refused, and nothing is learned.
    assert learned.keys() <= {f"127.0.0.1:{server.port}"}
    assert all(fact["bound"] in range(1, MOST) for fact in learned.values())


def test_what_a_server_takes_is_known_in_the_next_run(tmp_path: Path) -> None:
    bound = {"bound": 1, "at": 4e9}
    with Pop3Server(Maildrop(letters(2)), faults=[AtMostAtOnce(1)]) as server:
        with closing(Ledger.open(tmp_path / "state")) as ledger:
            ledger.state_store.put(TOPIC, f"127.0.0.1:{server.port}", bound)
        place = Place(server.port, server.password, TlsSettings(TlsMode.NONE))
        reports, hosts = migrated(tmp_path, place, ShortPauses())
        assert hosts.bound(f"127.0.0.1:{server.port}") == 1
    assert [one.status for one in reports] == [Status.OK] * 12


def test_a_server_that_lets_nobody_in_is_not_besieged(tmp_path: Path) -> None:
    with Pop3Server(Maildrop(letters(2)), faults=[ConnectionsRefused(0, abruptly=True)]) as server:
        place = Place(server.port, server.password, TlsSettings(TlsMode.NONE))
        reports, _ = migrated(tmp_path, place, ShortPauses())
        assert server.connections <= MOST + 3
    assert [one.status for one in reports] == [Status.FAILED] * 12
    assert {problem.kind for one in reports for problem in one.problems} == {Kind.CONNECT}


def test_an_imap_server_that_hangs_up_on_the_third_is_written_to_by_all(tmp_path: Path) -> None:
    few = AtMostAtOnceByImap(2)
    with Pop3Server(Maildrop(letters(3))) as source, ImapServer(Mailboxes(), faults=[few]) as target:
        few.server = target
        place = Place(source.port, source.password, TlsSettings(TlsMode.NONE))

        def job(name: str) -> AccountJob:
            settings = ImapSettings(target.host, target.port, name, TlsSettings(TlsMode.NONE), timeout=20.0)
            mailbox = ImapDestination(
                settings, lambda: target.password, state_dir=tmp_path / "state", sleep=lambda _: None
            )
            return replace(place.job(tmp_path, name), destinations=[mailbox])

        with closing(Ledger.open(tmp_path / "state")) as ledger:
            hosts = HostLimits(store=ledger.state_store)
            reports = run_accounts([job(name) for name in NAMES[:6]], ledger, Effects(hosts=hosts, stop=ShortPauses()))
    # all have one INBOX there: what one has stored is the next one's duplicate
    ends = [(one.name, one.status, one.copied + one.duplicates, one.failed) for one in reports]
    assert ends == [(name, Status.OK, 3, 0) for name in NAMES[:6]]
    assert hosts.bound(f"{target.host}:{target.port}") < MOST


def test_a_run_that_is_stopped_while_it_waits_for_a_place_has_not_failed(tmp_path: Path) -> None:
    stop = Event()
    with (
        Pop3Server(Maildrop(letters(2))) as source,
        ImapServer(Mailboxes()) as target,
        closing(Ledger.open(tmp_path / "state")) as ledger,
    ):
        place = Place(source.port, source.password, TlsSettings(TlsMode.NONE))
        settings = ImapSettings(target.host, target.port, "ann", TlsSettings(TlsMode.NONE), timeout=20.0)
        mailbox = ImapDestination(settings, lambda: target.password, state_dir=tmp_path / "state")
        job = replace(place.job(tmp_path, "ann"), destinations=[mailbox])
        hosts = HostLimits({f"{target.host}:{target.port}": 1})
        effects = Effects(hosts=hosts, stop=stop, stopped_by=lambda: StoppedBy.PERSON, step=lambda _: stop.set())
        with hosts.place(Endpoint(target.host, target.port), Event()) as other:
            other.hold()
            report = run_recorded(job, ledger, effects)
        [run] = ledger.history.last_runs("ann")
    assert (report.status, report.interrupted) == (Status.PARTIAL, True)
    assert run.stopped_by is StoppedBy.PERSON
