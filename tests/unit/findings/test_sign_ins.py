from __future__ import annotations

from dataclasses import replace

from migrator.errors import Kind
from migrator.findings.facts import EndFacts, ProblemFacts, RunFacts, SignInFacts
from tests.unit.findings.samples import ANN, DAY, NOW, found_of_ann, found_with

REFUSED = ProblemFacts(Kind.AUTH, "the server refuses the token", "sign-in-needed", "pop.example.org:995")
SIGNED_IN = SignInFacts("ann at google", signed_in_at=NOW - 10 * DAY)
FAILED = RunFacts(NOW - 60, is_ok=False, problems=(REFUSED,), failing_since=NOW - DAY, failures=3)


def test_what_is_kept_tells_that_nobody_has_signed_in() -> None:
    [finding] = found_of_ann(sign_ins=(SignInFacts("ann at google", trouble="nobody has signed in as ann yet"),))
    assert (finding.id, finding.accounts) == ("sign-in-needed", ("ann",))
    assert finding.text == "nobody has signed in as ann yet"
    assert finding.cure.command is not None
    assert finding.cure.command[-2:] == ("sign-in", "ann")


def test_a_refused_token_is_told_by_the_run_and_once() -> None:
    [finding] = found_of_ann(sign_ins=(SIGNED_IN,), last_run=FAILED)
    assert (finding.id, finding.text) == ("sign-in-needed", REFUSED.message)
    both = (replace(SIGNED_IN, trouble="ended"),)
    assert [one.text for one in found_of_ann(sign_ins=both, last_run=FAILED)] == ["ended"]


def test_it_is_over_once_somebody_has_signed_in_since() -> None:
    assert found_of_ann(sign_ins=(replace(SIGNED_IN, signed_in_at=NOW - 30),), last_run=FAILED) == []


def test_a_mailbox_that_answers_now_counts_more_than_the_last_run() -> None:
    account = replace(ANN, sign_ins=(SIGNED_IN,), last_run=FAILED)
    well = EndFacts("ann", "ann at pop.example.org", is_source=True)
    assert found_with(accounts=(account,), ends=(well,)) == []
    [finding] = found_with(accounts=(account,), ends=(replace(well, problem=REFUSED),))
    assert finding.id == "sign-in-needed"


def test_a_sign_in_that_ends_soon_is_told_with_the_command() -> None:
    [finding] = found_of_ann(sign_ins=(replace(SIGNED_IN, ending="ends within a day"),))
    assert (finding.id, str(finding.severity)) == ("sign-in-ending", "soon")
    assert finding.text == "the sign-in as ann at google ends within a day"
    assert finding.cure.command is not None
    assert finding.cure.command[-2:] == ("sign-in", "ann")
