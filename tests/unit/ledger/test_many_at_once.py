"""Questions about many accounts or destinations, which are one each, answer what a plain look at everything would."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from migrator.copy_records import MaildirAnchor, VolumeRecord, VolumeState
from migrator.ledger import FILE_NAME, Ledger
from migrator.ledger.copies import Judged
from migrator.ledger.overview import LastRun
from migrator.model import CopyState, ListedMessage, MaildirLocator, MessageNumber, Proof, UniqueId
from migrator.policy import WhenCopyIsGone
from migrator.report import AccountReport, Status
from tests.mail import simple
from tests.unit.ledger.test_copied import copy

NAMES = ("ann", "bob", "eve", 'o\'neil, "the {first}"', "zoë")
ASKED = (*NAMES, "nobody", "ann")


@dataclass(frozen=True)
class Run:
    account: str
    started: float
    ended: float | None = None
    status: Status | None = None


def some_runs(ledger: Ledger, chance: Random) -> list[Run]:
    """Have accounts run, well or not, to the end or not; in the order in which they began."""
    runs = []
    for moment in range(60):
        account, began = chance.choice(NAMES[:-1]), float(moment)
        number = ledger.history.run_started(account, began)
        if chance.random() < 0.2:
            runs.append(Run(account, began))
            continue
        status = chance.choice(list(Status))
        ledger.history.run_ended(number, AccountReport(account, status, notes=[str(moment)]), began + 0.5)
        runs.append(Run(account, began, began + 0.5, status))
    return runs


@pytest.mark.parametrize("seed", range(4))
def test_the_runs_of_many_accounts_are_those_of_each(seed: int, ledger: Ledger) -> None:
    runs = some_runs(ledger, Random(seed))
    newest, ended = {run.account: run for run in runs}, {run.account: run for run in runs if run.ended is not None}
    well = {run.account: run for run in runs if run.status is Status.OK}
    listed = {run.account: run.ended for run in runs if run.status in {Status.OK, Status.PARTIAL}}

    told = ledger.history.newest_runs(ASKED)
    assert {name: (one.started_at, one.ended_at, one.status) for name, one in told.items()} == {
        name: (run.started, run.ended, run.status) for name, run in newest.items()
    }
    assert told == {name: ledger.history.last_runs(name)[0] for name in newest}
    successes = ledger.history.last_successes(ASKED)
    assert {name: one.started_at for name, one in successes.items()} == {
        name: run.started for name, run in well.items()
    }
    assert ledger.overview.newest_listed(ASKED) == listed

    told_ended = ledger.overview.last_runs(ASKED)
    assert {name: one.run.started_at for name, one in told_ended.items()} == {
        name: run.started for name, run in ended.items()
    }
    for name, one in told_ended.items():
        assert (one.failures, one.failing_since) == failing(runs, name)
        assert one.run.report["notes"] == [str(int(ended[name].started))]
    assert ledger.overview.last_runs(["ann"]) == {"ann": told_ended["ann"]}


def failing(runs: Sequence[Run], account: str) -> tuple[int, float]:
    failed: list[Run] = []
    for run in runs:
        if run.account == account and run.ended is not None:
            failed = [] if run.status is Status.OK else [*failed, run]
    return len(failed), failed[0].started if failed else 0.0


def test_a_run_that_goes_on_is_not_the_last_that_ended(ledger: Ledger) -> None:
    ledger.history.run_ended(ledger.history.run_started("ann", 1.0), AccountReport("ann", Status.FAILED), 2.0)
    ledger.history.run_started("ann", 3.0)
    assert ledger.history.newest_runs(["ann"])["ann"].started_at == 3.0
    last = ledger.overview.last_runs(["ann"])["ann"]
    assert last == LastRun(ledger.history.last_runs("ann", 2)[1], 1, 1.0)


CONTENTS = 12
PLACES = ("maildir:/one", "maildir:/two", "maildir:/three", "maildir:/empty")


@dataclass
class Archive:
    """Which contents stand how in which destination, and which accounts were shown them."""

    states: dict[tuple[str, int], CopyState] = field(default_factory=dict)
    owners: dict[int, set[str]] = field(default_factory=dict)

    def lacking(self, account: str, target: str, sources: Sequence[str]) -> int:
        return sum(
            any(self.states.get((source, number)) is CopyState.VERIFIED for source in sources)
            and self.states.get((target, number), CopyState.INTENDED) is CopyState.INTENDED
            and (not self.owners.get(number) or account in self.owners[number])
            for number in range(CONTENTS)
        )


def some_archive(ledger: Ledger, chance: Random) -> Archive:
    archive = Archive()
    for place in PLACES[:3]:
        chosen = {number: chance.choice([None, *CopyState, CopyState.VERIFIED]) for number in range(CONTENTS)}
        archive.states |= {(place, number): state for number, state in chosen.items() if state is not None}
        store(ledger, place, {number: state for number, state in chosen.items() if state is not None})
    for account in NAMES[:4]:
        shown = [number for number in range(CONTENTS - 2) if chance.random() < 0.3]
        drop = ledger.maildrop(account, "h", 995, "u")
        drop.match([ListedMessage(MessageNumber(n), UniqueId(b"%d" % n), 10) for n in range(1, len(shown) + 1)])
        drop.note(1.0)
        rows = [one.row for one in drop.listed({ledger.copies(PLACES[0], "maildir").destination_id: KEEP})]
        drop.identified([(row, simple(number).digest) for row, number in zip(rows, shown, strict=True)])
        for number in shown:
            if any(known == number for _, known in archive.states):
                archive.owners.setdefault(number, set()).add(account)
    return archive


KEEP = WhenCopyIsGone.KEEP


def store(ledger: Ledger, place: str, states: Mapping[int, CopyState]) -> None:
    copies = ledger.copies(place, "maildir")
    standing = {number: state for number, state in states.items() if state is not CopyState.INTENDED}
    intended = copies.intended(MaildirAnchor(""), [(simple(number), b"") for number in standing], 1.0)
    copies.stored([(intended[simple(n).digest], MaildirLocator(f"{place}{n}")) for n in standing], [])
    for number, state in standing.items():
        proof = Proof.EXACT if state is CopyState.VERIFIED else Proof.NONE
        if state is not CopyState.STORED:
            copies.judged([Judged(intended[simple(number).digest], state, proof, "why")], 2.0)
    if rest := [(simple(n), b"") for n, state in states.items() if state is CopyState.INTENDED]:
        copies.intended(MaildirAnchor(""), rest, 3.0)


@pytest.mark.parametrize("seed", range(6))
def test_what_destinations_lack_is_counted_for_each_account(seed: int, ledger: Ledger) -> None:
    chance = Random(seed)
    archive = some_archive(ledger, chance)
    own = {name: chance.sample(PLACES, chance.randint(1, len(PLACES))) for name in (*NAMES, "nobody")}
    expected = {
        (name, target): count
        for name, places in own.items()
        for target in places
        if (count := archive.lacking(name, target, [one for one in places if one != target]))
    }
    assert ledger.overview.lacking(own) == expected
    one_by_one = [ledger.overview.lacking({name: places}) for name, places in own.items()]
    assert expected == {key: count for told in one_by_one for key, count in told.items()}


def test_one_destination_lacks_nothing(ledger: Ledger) -> None:
    store(ledger, PLACES[0], {1: CopyState.VERIFIED})
    assert ledger.overview.lacking({"ann": [PLACES[0]], "bob": [], "eve": [PLACES[0], PLACES[0]]}) == {}
    assert ledger.overview.lacking({"ann": PLACES[:2]}) == {("ann", PLACES[1]): 1}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_known_of_destinations_is_told_of_each(seed: int, ledger: Ledger) -> None:
    archive = some_archive(ledger, Random(seed))
    asked = [*PLACES, "maildir:/nowhere", PLACES[0]]
    told, states = ledger.overview.destinations(asked), archive.states
    here = {place: {state for (one, _), state in states.items() if one == place} for place in PLACES[:3]}
    assert set(told) == set(here)
    for place, known in told.items():
        assert known.number == ledger.copies(place, "maildir").destination_id
        assert known.has_copies == bool(here[place] - {CopyState.INTENDED})
        assert known.is_written_to == bool(ledger.copies(place, "maildir").recollection().intents)
    counts = {place: ledger.copies(place, "maildir").copies_known() for place in here}
    assert ledger.overview.copies_known(asked) == {place: count for place, count in counts.items() if count}


def test_a_destination_that_was_only_begun_has_no_copies(ledger: Ledger) -> None:
    store(ledger, PLACES[0], {1: CopyState.INTENDED})
    known = ledger.overview.destinations(PLACES[:1])[PLACES[0]]
    assert (known.has_copies, known.is_written_to) == (False, True)
    store(ledger, PLACES[1], {1: CopyState.VERIFIED})
    known = ledger.overview.destinations(PLACES[:2])[PLACES[1]]
    assert (known.has_copies, known.is_written_to) == (True, False)


def test_volumes_are_told_by_destination_in_the_order_of_their_names(ledger: Ledger) -> None:
    for place, names in (("mbox:/a", ("2026-02", "2026-01")), ("mbox:/b", ("2026-03",))):
        copies = ledger.copies(place, "mbox")
        copies.found([], [VolumeRecord(name, 7, b"tail", "stamp", VolumeState.OPEN) for name in names])
    ledger.copies("mbox:/a", "mbox").volume_changed(
        VolumeRecord("2026-02", 7, b"tail", "stamp", VolumeState.OPEN, "seen"), "why"
    )
    told = ledger.overview.volumes(["mbox:/a", "mbox:/b", "mbox:/c"])
    assert {place: [one.name for one in records] for place, records in told.items()} == {
        "mbox:/a": ["2026-01", "2026-02"],
        "mbox:/b": ["2026-03"],
    }
    for place, records in told.items():
        assert tuple(records) == ledger.copies(place, "mbox").recollection().volumes


def test_first_copies_and_doubted_clocks_are_told_of_those_that_have_any(ledger: Ledger) -> None:
    copy(ledger, "ann", [5.0, 7.0])
    copy(ledger, "bob", [])
    ledger.maildrop("ann", "another", 995, "u")
    ledger.maildrop("bob", "h", 110, "bob").clock_doubted(9.0)
    assert ledger.overview.first_copies(ASKED) == {"ann": 5.0}
    assert ledger.overview.clocks_doubted_at(ASKED) == {"bob": 9.0}


def test_facts_are_told_by_name_of_one_topic(ledger: Ledger) -> None:
    ledger.state_store.put_all("topic", {name: {"is": name} for name in NAMES})
    ledger.state_store.put("another", "nobody", {})
    told = ledger.state_store.get_some("topic", ASKED)
    assert told == {name: ledger.state_store.get("topic", name) for name in NAMES}


QUESTIONS: Mapping[str, Callable[[Ledger, Sequence[str]], object]] = {
    "newest_runs": lambda ledger, names: ledger.history.newest_runs(names),
    "last_successes": lambda ledger, names: ledger.history.last_successes(names),
    "numbers_of": lambda ledger, names: ledger.history.numbers_of(names),
    "last_runs": lambda ledger, names: ledger.overview.last_runs(names),
    "newest_listed": lambda ledger, names: ledger.overview.newest_listed(names),
    "first_copies": lambda ledger, names: ledger.overview.first_copies(names),
    "clocks_doubted_at": lambda ledger, names: ledger.overview.clocks_doubted_at(names),
    "destinations": lambda ledger, names: ledger.overview.destinations(names),
    "copies_known": lambda ledger, names: ledger.overview.copies_known(names),
    "volumes": lambda ledger, names: ledger.overview.volumes(names),
    "lacking": lambda ledger, names: ledger.overview.lacking(dict.fromkeys(names, names[:2])),
    "get_some": lambda ledger, names: ledger.state_store.get_some("topic", names),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_of_no_account_nothing_is_told(question: str, ledger: Ledger) -> None:
    assert QUESTIONS[question](ledger, []) == {}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_goes_through_a_whole_table(question: str, tmp_path: Path) -> None:
    with closing(Ledger.open(tmp_path)) as ledger:
        some_runs(ledger, Random(1))
        heard: list[str] = []
        with ledger._connection.reading() as sql:  # noqa: SLF001  # what it asks is the point
            assert isinstance(sql, sqlite3.Connection)
            sql.set_trace_callback(heard.append)
            QUESTIONS[question](ledger, NAMES)
            sql.set_trace_callback(None)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as sql:
        plans = [row[3] for one in heard if "json_each" in one for row in sql.execute(f"explain query plan {one}")]
    allowed = ("SCAN wanted", "SCAN json_each", "SCAN p", "SCAN l", "SCAN f", "SCAN w", "SCAN pairs", "SCAN i")
    assert plans
    assert not [step for step in plans if step.startswith("SCAN ") and not step.startswith(allowed)], plans
    if question == "lacking":  # accounts that share destinations do not go through each other
        assert any("(account=? AND target=? AND source=?)" in step for step in plans), plans
