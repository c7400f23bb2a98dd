from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from migrator.errors import Kind
from migrator.findings.accounts import BY_KIND, ended_by_answers
from migrator.findings.draft import MANY
from migrator.findings.facts import EndFacts, ProblemFacts, RunFacts, ScheduleFacts, SetAsideFacts
from migrator.findings.model import Setting
from tests.unit.findings.samples import ANN, DAY, FACTS, MAILBOX, MBOX, NOW, found_of_ann, found_with

REFUSED = ProblemFacts(Kind.AUTH, "the server refused the password", server="pop.example.org:995", cure="correct it")


def run_with(*problems: ProblemFacts) -> RunFacts:
    return RunFacts(NOW - 60, is_ok=False, problems=problems, failing_since=NOW - 60, failures=1)


@pytest.mark.parametrize(("kind", "finding"), BY_KIND.items())
def test_each_kind_of_failure_of_a_run_becomes_its_finding(kind: Kind, finding: str) -> None:
    found = found_of_ann(last_run=run_with(ProblemFacts(kind, "words", server="host:1", destination=MAILBOX.label)))
    looked_at = {"disk-full"}
    assert [one.id for one in found] == ([] if finding in looked_at else [finding])


def test_what_the_seam_knew_counts_more_than_the_kind() -> None:
    [finding] = found_of_ann(last_run=run_with(replace(REFUSED, finding="secret-missing")))
    assert (finding.id, finding.text, finding.cure.text) == ("secret-missing", REFUSED.message, "correct it")


def test_a_folder_is_looked_at_and_not_what_a_run_once_said_of_it() -> None:
    away = ProblemFacts(Kind.ARCHIVE, "the archive is not there", destination=MBOX.label)
    assert found_of_ann(last_run=run_with(away)) == []
    assert found_of_ann(last_run=run_with(replace(away, finding="archive-missing"))) == []


def test_a_mailbox_that_was_emptied_is_cured_by_a_setting() -> None:
    restore = Setting("config.toml", ("accounts", 0, "destinations", 1, "when_copy_is_gone"), "restore")
    emptied = ProblemFacts(Kind.ARCHIVE, "it was emptied", destination=MAILBOX.label)
    [finding] = found_with(
        accounts=(replace(ANN, last_run=run_with(emptied)),),
        places=(MBOX, replace(MAILBOX, restore_setting=(restore,))),
    )
    assert (finding.id, finding.destination, finding.cure.settings) == ("mailbox-missing", MAILBOX.label, (restore,))


def test_a_parked_account_is_told_until_a_run_logs_in() -> None:
    parked = ScheduleFacts(NOW - DAY, parked_for="the server refused the password", interval=900.0)
    assert [one.id for one in found_of_ann(schedule=parked, last_run=run_with(REFUSED))] == ["auth-refused"]
    assert [one.id for one in found_of_ann(schedule=parked, last_run=None)] == ["auth-refused"]
    assert found_of_ann(schedule=parked) == []


def test_two_accounts_with_wrong_passwords_on_one_host_are_two_findings() -> None:
    bob = replace(ANN, name="bob", maildrop="bob", last_run=run_with(REFUSED))
    found = found_with(accounts=(replace(ANN, last_run=run_with(REFUSED)), bob))
    assert [(one.id, one.account) for one in found] == [("auth-refused", "ann"), ("auth-refused", "bob")]


def test_an_end_that_answers_now_has_its_past_behind_it() -> None:
    account = replace(ANN, last_run=run_with(REFUSED))
    answers = EndFacts("ann", "ann at pop.example.org", is_source=True, capabilities=("UIDL", "EXPIRE NEVER"))
    assert found_with(accounts=(account,), ends=(answers,)) == []
    [finding] = found_with(accounts=(account,), ends=(replace(answers, problem=REFUSED),))
    assert finding.id == "auth-refused"


def test_what_an_answer_has_ended_is_over_for_who_does_not_ask() -> None:
    account = replace(ANN, last_run=run_with(REFUSED))
    answers = EndFacts("ann", "ann at pop.example.org", is_source=True)
    facts = replace(FACTS, accounts=(account,), ends=(answers,))
    assert ended_by_answers(facts, account) == {("", "auth-refused")}
    assert ended_by_answers(replace(facts, ends=()), account) == set()
    assert ended_by_answers(replace(facts, ends=(replace(answers, problem=REFUSED),)), account) == set()
    other = replace(REFUSED, kind=Kind.TIMEOUT, finding="host-unreachable")
    assert ended_by_answers(replace(facts, ends=(replace(answers, problem=other),)), account) == set()
    over = replace(account, over=frozenset({("", "auth-refused")}))
    assert found_with(accounts=(over,)) == []
    assert [one.id for one in found_with(accounts=(over,), ends=(replace(answers, problem=REFUSED),))] == [
        "auth-refused"
    ]
    assert [one.id for one in found_with(accounts=(replace(over, over=frozenset({("m", "auth-refused")})),))] == [
        "auth-refused"
    ]


def test_the_number_of_messages_ends_no_loss_that_other_mail_may_hide() -> None:
    emptied = ProblemFacts(Kind.ARCHIVE, "it was emptied", "mailbox-missing", destination=MAILBOX.label)
    account = replace(ANN, last_run=run_with(emptied))
    end = EndFacts("ann", MAILBOX.label, is_source=False, messages=MAILBOX.known + 1)
    assert [one.id for one in found_with(accounts=(account,), ends=(end,))] == ["mailbox-missing"]


@pytest.mark.parametrize("finding", ["quota-full", "mailbox-missing"])
def test_a_mailbox_that_answers_ends_only_what_its_numbers_show_to_be_over(finding: str) -> None:
    problem = ProblemFacts(Kind.QUOTA, "full", finding, "imap.example.org:993", MAILBOX.label)
    account, answer = replace(ANN, last_run=run_with(problem)), EndFacts("ann", MAILBOX.label, is_source=False)
    assert [one.id for one in found_with(accounts=(account,), ends=(answer,))] == [finding]
    well = replace(answer, messages=MAILBOX.known, quota=(10, 20))
    assert found_with(accounts=(account,), ends=(well,)) == []


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ({"is_there": False}, "mailbox-missing"),
        ({"messages": 0}, "mailbox-missing"),
        ({"messages": 300, "quota": (20, 20)}, "quota-full"),
        ({"messages": 300, "quota": (19, 20)}, None),
        ({"messages": 1}, None),
    ],
)
def test_a_mailbox_is_looked_at_when_it_is_asked(answer: dict[str, Any], finding: str | None) -> None:
    end = EndFacts("ann", MAILBOX.label, is_source=False, **answer)
    assert [one.id for one in found_with(ends=(end,))] == ([finding] if finding else [])


def test_who_cannot_be_worked_is_not_called_never_worked_too() -> None:
    never = replace(ANN, last_run=None, last_success=0.0, first_copy=0.0, missing_secrets=("X is not set",))
    assert [one.id for one in found_with(accounts=(never,))] == ["secret-missing"]


@pytest.mark.parametrize(
    ("capability", "words"),
    [
        ("EXPIRE 0", "the server says that it deletes messages as soon as they were retrieved"),
        ("EXPIRE 1 USER", "the server says that it deletes messages after 1 day"),
        ("EXPIRE 30", "the server says that it deletes messages after 30 days"),
    ],
)
def test_a_provider_that_deletes_is_a_hint(capability: str, words: str) -> None:
    end = EndFacts("ann", "pop", is_source=True, capabilities=("UIDL", capability))
    [finding] = found_with(ends=(end,))
    assert (finding.id, finding.text) == ("provider-deletes", words)


def test_a_server_without_unique_ids_is_a_hint() -> None:
    [finding] = found_with(ends=(EndFacts("ann", "pop", is_source=True, capabilities=("TOP",)),))
    assert finding.id == "no-unique-ids"


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.SHORT, Kind.AMBIGUOUS])
def test_messages_set_aside_for_one_reason_are_one_finding_with_their_numbers(kind: Kind) -> None:
    [found] = found_of_ann(set_aside=(SetAsideFacts(kind, "no", (7, 9), None, NOW - DAY),))
    assert (found.id, found.since) == ("message-refused", NOW - DAY)
    assert found.cure.command is not None
    assert found.cure.command[3:] == ("quarantine", "ann", "--accept", "7", "9")


def test_the_cure_of_a_message_that_is_set_aside_is_said_once() -> None:
    [found] = found_of_ann(set_aside=(SetAsideFacts(Kind.SHORT, "it is short", (7,), None, NOW, "look at it"),))
    assert "look at it" not in found.text
    assert found.cure.text.startswith("look at it; then see quarantine: ")


def test_what_is_too_large_is_a_hint_with_the_size_that_would_take_all() -> None:
    def left(octets: int) -> ProblemFacts:
        setting = Setting("config.toml", ("accounts", 0, "source", "max_message_size"), f"{octets} kB")
        return ProblemFacts(Kind.TOO_LARGE, "left", settings=(setting,), is_of_message=True)

    [found] = found_of_ann(last_run=replace(run_with(left(9), left(1200), left(80)), is_ok=True))
    assert (found.id, found.text) == ("message-too-large", "3 messages are left at the source by max_message_size")
    assert [setting.value for setting in found.cure.settings] == ["1200 kB"]


def test_what_a_destination_changed_or_lost_is_told_of_the_destination() -> None:
    aside = (SetAsideFacts(Kind.UNPROVEN, "altered", (7,), MAILBOX.label, NOW),)
    assert found_of_ann(set_aside=aside) == []


def test_what_another_destination_lacks_is_told_with_its_number() -> None:
    [finding] = found_of_ann(lacking={MAILBOX.label: 12})
    assert (finding.id, finding.destination) == ("not-everywhere", MAILBOX.label)
    assert finding.text.startswith("12 messages are not in INBOX of ann")


def test_who_was_never_worked_or_verified_is_told() -> None:
    never = replace(ANN, last_run=None, last_success=0.0, first_copy=0.0, verified_at=0.0, schedule=None)
    bob = replace(never, name="bob", maildrop="bob")
    [finding] = found_with(accounts=(never, bob))
    assert (finding.id, finding.accounts) == ("never-run", ("ann", "bob"))
    assert [one.id for one in found_of_ann(verified_at=0.0, first_copy=NOW - 90 * DAY)] == ["never-verified"]
    assert found_of_ann(verified_at=NOW - 90 * DAY)[0].text.startswith("the archive was last on 20")
    assert found_of_ann(verified_at=0.0, first_copy=NOW - DAY) == []


def test_nobody_waits_for_the_first_run_of_a_paused_account() -> None:
    never = replace(ANN, last_run=None, last_success=0.0, first_copy=0.0, verified_at=0.0, schedule=None)
    [finding] = found_with(accounts=(replace(never, is_paused=True),))
    assert finding.id == "paused"


def test_thousands_of_accounts_are_not_named_one_by_one_in_a_command() -> None:
    never = replace(ANN, last_run=None, last_success=0.0, first_copy=0.0, verified_at=0.0, schedule=None)
    accounts = [replace(never, name=f"a{number}", maildrop=f"a{number}") for number in range(MANY + 1)]
    [finding] = found_with(accounts=tuple(accounts))
    assert len(finding.accounts) == MANY + 1
    assert finding.cure.command == FACTS.invocation.command("migrate")
    [finding] = found_with(accounts=tuple(accounts[1:]))
    assert finding.cure.command == FACTS.invocation.command("migrate", *finding.accounts)


def test_paused_accounts_are_named_since_nothing_else_works_them() -> None:
    doubted = replace(ANN, clock_doubted_at=NOW)
    accounts = [replace(doubted, name=f"a{number}", maildrop=f"a{number}") for number in range(MANY + 1)]
    found = found_with(accounts=(*accounts[1:], replace(accounts[0], is_paused=True)))
    [jump] = [finding for finding in found if finding.id == "clock-jump"]
    assert jump.cure.command == FACTS.invocation.command("migrate", *jump.accounts)


def test_two_accounts_with_one_maildrop_are_told_once() -> None:
    [finding] = found_with(accounts=(ANN, replace(ANN, name="bob")), places=FACTS.places)
    assert (finding.id, finding.text) == (
        "same-maildrop",
        "ann and bob fetch from one mailbox, ann at pop.example.org:995",
    )


def test_a_paused_account_is_a_hint_and_a_missing_password_is_named() -> None:
    assert [one.id for one in found_of_ann(is_paused=True)] == ["paused"]
    [finding] = found_of_ann(missing_secrets=("the environment variable X is not set",))
    assert (finding.id, finding.text) == ("secret-missing", "the environment variable X is not set")


def test_a_clock_that_jumped_is_told_until_somebody_has_looked() -> None:
    [finding] = found_of_ann(clock_doubted_at=NOW - DAY)
    assert (finding.id, finding.since) == ("clock-jump", NOW - DAY)
    assert finding.cure.command == ("mailferry", "-c", "config.toml", "migrate", "ann")
