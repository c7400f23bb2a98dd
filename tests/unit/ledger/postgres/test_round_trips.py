"""How often a batch waits for the database: a database in another building is five milliseconds away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from migrator.copy_records import MboxAnchor, VolumeRecord, VolumeState
from migrator.ledger import Ledger
from migrator.ledger.copies import Judged
from migrator.model import CopyState, ListedMessage, MboxLocator, MessageNumber, Proof, UniqueId
from migrator.policy import WhenCopyIsGone
from tests.mail import simple
from tests.servers.postgres import SUPERUSER, Postgres
from tests.servers.postgres_wire import RoundTrips

SIZE = 500


@dataclass
class Far:
    """A ledger behind a proxy that counts."""

    ledger: Ledger
    trips: RoundTrips


@pytest.fixture
def far(postgres: Postgres) -> Iterator[Far]:
    with postgres.database() as name, RoundTrips(postgres.port) as trips:
        address = f"postgresql://{SUPERUSER}@127.0.0.1:{trips.port}/{name}?sslmode=disable&gssencmode=disable"
        with closing(Ledger.open(address)) as ledger:
            yield Far(ledger, trips)


def test_a_batch_of_500_waits_five_times_at_most(far: Far) -> None:
    drop, copies = far.ledger.maildrop("alice", "h", 995, "u"), far.ledger.copies("mbox:/archive", "mbox")
    messages = [simple(number) for number in range(SIZE)]
    digests = [message.digest for message in messages]
    drop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in range(1, SIZE + 1)])
    drop.note(1.0)
    rows = [one.row for one in drop.listed({copies.destination_id: WhenCopyIsGone.KEEP})]
    far.trips.count = 0

    recollection, present = copies.before_storing(digests)
    assert (recollection.intents, present) == ((), {})
    numbers = copies.intended(MboxAnchor("", 0), [(message, b"") for message in messages], 1.0)
    places = [(numbers[digest], MboxLocator("2026-11.mbox", 100 * n, 90, 7)) for n, digest in enumerate(digests)]
    copies.stored(places, [VolumeRecord("2026-11.mbox", 100 * SIZE, b"", "stamp", VolumeState.OPEN)])
    copies.judged([Judged(number, CopyState.VERIFIED, Proof.EXACT) for number, _ in places], 2.0)
    drop.copied(list(zip(rows, digests, strict=True)), 3.0)

    assert far.trips.count <= 5
    assert far.ledger.overview.contents_of("alice").messages == SIZE
    assert len(copies.find(digests)) == SIZE


def test_a_fenced_transaction_waits_no_oftener(far: Far) -> None:
    with far.ledger.owning("account alice"):
        far.trips.count = 0
        far.ledger.state_store.put("topic", "name", {})
        assert far.trips.count == 1


def test_a_listing_is_read_in_as_many_round_trips_as_it_has_pages(far: Far) -> None:
    drop, copies = far.ledger.maildrop("alice", "h", 995, "u"), far.ledger.copies("mbox:/archive", "mbox")
    drop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in range(1, 4_001)])
    drop.note(1.0)
    far.trips.count = 0
    listed = list(drop.listed({copies.destination_id: WhenCopyIsGone.KEEP}))
    assert len(listed) == 4_000
    assert far.trips.count <= 7  # three pages, and four to begin and end


def test_what_is_asked_of_many_accounts_is_one_round_trip(far: Far) -> None:
    names, overview = [f"account{number}" for number in range(2_000)], far.ledger.overview
    with far.ledger.together():
        for name in names[:50]:
            far.ledger.history.run_started(name, 1.0)
    for asking in (
        far.ledger.history.newest_runs,
        far.ledger.history.last_successes,
        overview.last_runs,
        overview.newest_listed,
        overview.first_copies,
        overview.clocks_doubted_at,
        overview.destinations,
        overview.copies_known,
        overview.volumes,
        lambda names: overview.lacking(dict.fromkeys(names, ("mbox:/a", "mbox:/b"))),
        lambda names: far.ledger.state_store.get_some("topic", names),
    ):
        far.trips.count = 0
        asking(names)
        assert far.trips.count == 1, asking
