from __future__ import annotations

from jobs.schedule.circuit_breaker import THRESHOLD, Breakers
from migrator.backoff import HOST as PAUSES
from tests.unit.jobs.office import MemoryStateStore

HOST = "pop.example.org:995"


def failed(times: int, store: MemoryStateStore | None = None) -> Breakers:
    breakers = Breakers(store or MemoryStateStore())
    for number in range(times):
        breakers.failed(HOST, 1000.0 + number, "cannot connect")
    return breakers


def test_a_few_failures_leave_it_closed() -> None:
    breakers = failed(THRESHOLD - 1)
    assert breakers.opens_at(HOST, 1000.0) == 0.0
    assert not breakers.down()


def test_failures_in_a_row_open_it() -> None:
    breakers = failed(THRESHOLD)
    last = 1000.0 + THRESHOLD - 1
    assert breakers.opens_at(HOST, 1000.0) == last + PAUSES.first
    circuit = breakers.down()[HOST]
    assert (circuit.since, circuit.message) == (1000.0, "cannot connect")


def test_one_account_asks_while_it_is_open() -> None:
    breakers = failed(THRESHOLD)
    breakers.asks(HOST)
    assert breakers.opens_at(HOST, 1000.0) == float("inf")
    breakers.unanswered(HOST)
    assert breakers.opens_at(HOST, 1000.0) < float("inf")


def test_an_answer_closes_it() -> None:
    breakers = failed(THRESHOLD)
    assert breakers.answered(HOST)
    assert breakers.opens_at(HOST, 1000.0) == 0.0
    assert not breakers.answered(HOST)


def test_pauses_double_up_to_a_bound() -> None:
    breakers = failed(THRESHOLD + 1)
    assert breakers.opens_at(HOST, 1000.0) - (1000.0 + THRESHOLD) == 2 * PAUSES.first
    breakers = failed(THRESHOLD + 50)
    last = 1000.0 + THRESHOLD + 49
    assert breakers.opens_at(HOST, last) - last == PAUSES.longest


def test_it_is_remembered_across_restarts_but_the_one_who_asked_is_not() -> None:
    store = MemoryStateStore()
    failed(THRESHOLD, store).asks(HOST)
    again = Breakers(store)
    assert again.opens_at(HOST, 1000.0) == 1000.0 + THRESHOLD - 1 + PAUSES.first


def test_a_clock_that_was_set_back_opens_it() -> None:
    assert failed(THRESHOLD).opens_at(HOST, 1000.0 - 10 * PAUSES.longest) == 0.0


def test_hosts_that_nobody_needs_are_forgotten() -> None:
    store = MemoryStateStore()
    breakers = failed(THRESHOLD, store)
    breakers.keep(frozenset({"other"}))
    assert not breakers.down()
    assert store.get_all("circuits") == {}


def test_a_person_lets_the_next_account_ask_at_once_and_nothing_more() -> None:
    breakers = failed(THRESHOLD)
    breakers.probe([HOST, "another:995"], 1000.0)
    assert breakers.opens_at(HOST, 1000.0) <= 1000.0
    assert HOST in breakers.down()
    breakers.failed(HOST, 1010.0)
    assert breakers.opens_at(HOST, 1010.0) > 1010.0
