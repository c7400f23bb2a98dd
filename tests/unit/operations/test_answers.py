from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import Kind
from migrator.findings.facts import EndFacts, Facts, ProblemFacts, RunFacts
from migrator.ledger import Ledger
from migrator.ledger.schedule import StateStore
from migrator.operations.answers import note_answers, over_since, with_what_is_over
from tests.unit.findings.samples import ANN, FACTS, MAILBOX, NOW

BUSY = ProblemFacts(Kind.IN_USE, "somebody else is logged in")
FULL = ProblemFacts(Kind.QUOTA, "full", "quota-full", destination=MAILBOX.label)
RUN = RunFacts(NOW - 60, is_ok=False, problems=(BUSY, FULL), failing_since=NOW - 60, failures=1)
MET = replace(ANN, last_run=RUN)
SOURCE = EndFacts("ann", "ann at pop.example.org", is_source=True)
THERE = EndFacts("ann", MAILBOX.label, is_source=False, messages=MAILBOX.known, quota=(20, 20))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with closing(Ledger.open(tmp_path)) as ledger:
        yield ledger.state_store


def answered(*ends: EndFacts) -> Facts:
    return replace(FACTS, accounts=(MET,), ends=ends)


def test_what_an_answer_ends_is_known_until_the_next_run(store: StateStore) -> None:
    note_answers(store, answered(SOURCE, THERE))
    noted = over_since(store)
    assert with_what_is_over(MET, noted).over == {("", "limited")}
    later = replace(MET, last_run=replace(RUN, started_at=NOW))
    assert with_what_is_over(later, noted) == later
    assert with_what_is_over(replace(MET, last_run=None), noted).over == set()


def test_what_is_found_again_is_over_no_longer(store: StateStore) -> None:
    note_answers(store, answered(SOURCE, replace(THERE, quota=(10, 20))))
    known = with_what_is_over(MET, over_since(store))
    assert known.over == {("", "limited"), (MAILBOX.label, "quota-full")}
    note_answers(store, replace(answered(replace(SOURCE, problem=BUSY), THERE), accounts=(known,)))
    assert with_what_is_over(MET, over_since(store)).over == set()


def test_who_is_not_asked_is_left_as_known(store: StateStore) -> None:
    note_answers(store, answered(SOURCE))
    assert note_answers(store, answered()) == []
    assert with_what_is_over(MET, over_since(store)).over == {("", "limited")}


def test_only_an_account_all_of_whose_ends_answer_is_well(store: StateStore) -> None:
    assert note_answers(store, answered(SOURCE, THERE)) == ["ann"]
    assert note_answers(store, answered(SOURCE, replace(THERE, problem=FULL))) == []
    assert note_answers(store, answered(replace(SOURCE, problem=BUSY), THERE)) == []
