"""The light and the sentence: the worst that is true, and nothing that is not known."""

from __future__ import annotations

import pytest

from jobs.web.people import Role, User
from jobs.web.standing import Light, Standing, verdict, visible_findings
from migrator.findings.model import Cure, Finding, Severity
from migrator.ledger.history import AccountNumbers, RunRecord
from migrator.operations.status import WorkerView
from migrator.report import Status

RITA = User("rita", Role.READER, frozenset({"alice"}))
ANN = User("ann", Role.ADMINISTRATOR)
RUN = RunRecord("alice", 1.0, 2.0, Status.OK, {})


def standing(waiting: int = 0, failed: int = 0, *, is_seen: bool = True) -> Standing:
    numbers = AccountNumbers(10, 10 - waiting - failed, waiting, failed, 0, 100, None)
    as_of = 2.0 if is_seen else None
    return Standing("alice", numbers, RUN, as_of, None, WorkerView(), progress=None, is_paused=False)


def finding(severity: Severity, *accounts: str, text: str = "its server is down", command: bool = True) -> Finding:
    cure = Cure("start it", ("mailferry", "check", *accounts) if command else None)
    return Finding("host-unreachable", severity, "host", accounts, None, text, 1.0, cure)


@pytest.mark.parametrize(
    ("accounts", "findings", "light", "said"),
    [
        ([standing()], [], Light.GOOD, "All is well: every message"),
        ([standing()], [finding(Severity.HINT)], Light.GOOD, "All is well"),
        ([standing()], [finding(Severity.SOON)], Light.WARN, "one thing will need you soon"),
        ([standing()], [finding(Severity.BROKEN), finding(Severity.SOON)], Light.BAD, "One problem keeps mail"),
        ([standing()], [finding(Severity.BROKEN)] * 2, Light.BAD, "2 problems keep mail"),
        ([standing(failed=2)], [], Light.WARN, "2 messages need a look."),
        ([standing(waiting=1)], [], Light.WARN, "one message is not safe yet"),
        ([standing(is_seen=False)], [], Light.WARN, "One mailbox has not been seen yet."),
        ([], [], Light.WARN, "There is no mailbox here for you yet."),
    ],
)
def test_the_worst_that_is_true_is_said(
    accounts: list[Standing], findings: list[Finding], light: Light, said: str
) -> None:
    shown, sentence = verdict(accounts, findings)
    assert shown is light
    assert said in sentence


def test_a_fault_of_the_worker_is_a_problem() -> None:
    assert verdict([standing()], [], ["a thread has ended"])[0] is Light.BAD


def test_nothing_is_well_before_the_first_look() -> None:
    light, sentence = verdict([standing()], [], has_looked=False)
    assert light is Light.WARN
    assert "has just started" in sentence


def test_a_reader_hears_of_what_concerns_the_named_accounts_and_of_no_others() -> None:
    whole = finding(Severity.BROKEN)
    own = finding(Severity.BROKEN, "alice")
    foreign = finding(Severity.BROKEN, "bob")
    shared = finding(Severity.BROKEN, "alice", "bob")
    named = finding(Severity.BROKEN, "alice", "bob", text="bob is the same maildrop")
    everything = [whole, own, foreign, shared, named]
    assert visible_findings(everything, ANN) == everything
    seen = visible_findings(everything, RITA)
    assert [one.accounts for one in seen] == [("alice",), ("alice",)]
    assert seen[1].cure.command is None
    assert "bob" not in repr(seen)
