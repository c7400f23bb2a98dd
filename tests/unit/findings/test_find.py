from __future__ import annotations

from dataclasses import replace

from migrator.errors import Kind
from migrator.findings.facts import LedgerFacts, LedgerState, ProblemFacts, RunFacts, ScheduleFacts
from migrator.findings.find import about, by_account
from migrator.findings.model import Severity, is_person_needed
from tests.unit.findings.samples import ANN, DAY, FACTS, MBOX, NOW, found_in, found_of_ann, found_with

DEAD = ProblemFacts(Kind.CONNECT, "nothing answers at pop.example.org:995", server="pop.example.org:995")


def failing(problem: ProblemFacts, failures: int = 3) -> RunFacts:
    return RunFacts(NOW - 60, is_ok=False, problems=(problem,), failing_since=NOW - 7200, failures=failures)


def test_where_all_is_well_nothing_is_found() -> None:
    assert found_with() == []


def test_one_dead_host_behind_twelve_accounts_is_one_finding() -> None:
    accounts = tuple(replace(ANN, name=f"user{n}", maildrop=f"user{n}", last_run=failing(DEAD)) for n in range(12))
    [finding] = found_with(accounts=accounts)
    assert (finding.id, finding.account, len(finding.accounts)) == ("host-unreachable", None, 12)
    assert finding.headline.startswith("user0, user1, user2 and 9 more: nothing answers")
    assert finding.as_json()["accounts"] == [f"user{n}" for n in range(12)]


def test_a_missing_disk_under_two_accounts_is_one_finding_with_both() -> None:
    bob = replace(ANN, name="bob", maildrop="bob")
    [finding] = found_with(accounts=(ANN, bob), places=(replace(MBOX, is_away=True, known=300), FACTS.places[1]))
    assert (finding.id, finding.accounts) == ("archive-missing", ("ann", "bob"))
    assert finding.text == "mbox archive/ann is not there, and 300 messages are known to be in it"
    assert finding.cure.command is None
    assert not finding.cure.settings


def test_the_most_important_comes_first_and_hints_need_nobody() -> None:
    found = found_with(
        places=(replace(MBOX, damaged=1, weaknesses=("reads from memory",)),),
        ledger=LedgerFacts(LedgerState.DAMAGED, ("row 7 is missing",)),
        listen_problem="taken",
    )
    assert [finding.id for finding in found] == ["ledger-damaged", "archive-damaged", "listen-taken", "file-system"]
    assert is_person_needed(found)
    assert not is_person_needed([finding for finding in found if finding.severity is Severity.HINT])


def test_since_when_is_when_the_first_of_the_bad_runs_began() -> None:
    [finding] = found_of_ann(last_run=failing(DEAD))
    assert (finding.since, finding.tries) == (NOW - 7200, 3)
    assert finding.as_json()["since"] == "2033-05-18T01:33:20+00:00"


def test_an_account_is_called_stale_only_where_nothing_says_why() -> None:
    old = {"last_success": NOW - 3 * DAY, "schedule": ScheduleFacts(NOW - 9 * DAY, interval=900.0)}
    assert [finding.id for finding in found_of_ann(**old)] == ["stale"]
    assert [finding.id for finding in found_of_ann(**old, last_run=failing(DEAD))] == ["host-unreachable"]
    weekly = old | {"schedule": ScheduleFacts(NOW - 9 * DAY, interval=7 * DAY)}
    assert found_of_ann(**weekly) == []
    assert found_of_ann(**(old | {"schedule": None})) == []


def test_a_cure_is_a_command_that_names_the_configuration_as_it_was_named() -> None:
    [finding] = found_in(replace(MBOX, damaged=3))
    assert finding.cure.command == ("mailferry", "-c", "config.toml", "repair", "ann")
    assert finding.text == "3 copies in mbox archive/ann are damaged"
    [finding] = found_in(replace(MBOX, damaged=1))
    assert finding.text == "1 copy in mbox archive/ann is damaged"


def test_what_concerns_an_account_is_found_by_its_name() -> None:
    found = found_with(listen_problem="taken", places=(replace(MBOX, damaged=1),))
    assert [finding.id for finding in about(found, "ann")] == ["archive-damaged"]
    assert about(found, "bob") == []
    assert [finding.id for finding in by_account(found)["ann"]] == ["archive-damaged"]
    assert "bob" not in by_account(found)


def test_that_a_destination_lacks_messages_is_no_finding_of_its_own_where_it_is_known_why() -> None:
    refused = ProblemFacts(Kind.AUTH, "the password is refused", server="imap:993", destination="INBOX of ann")
    lacking = {"lacking": {"INBOX of ann": 3}}
    assert [finding.id for finding in found_of_ann(**lacking)] == ["not-everywhere"]
    assert [finding.id for finding in found_of_ann(**lacking, last_run=failing(refused))] == ["auth-refused"]
    assert [one.id for one in found_of_ann(lacking={"mbox archive/ann": 3}, last_run=failing(refused))] == [
        "not-everywhere",
        "auth-refused",
    ]
