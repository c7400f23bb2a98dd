"""A week in the life of the worker, without its seconds: where does every account end, and what was a person told?"""

from __future__ import annotations

from itertools import pairwise

import pytest

from jobs.schedule.queue import Concurrency
from tests.unit.jobs.office import DAY, HOUR, MINUTE, MONDAY, Mailbox, Office, office

STAFF = {"pop.office": ["ann", "bob", "cleo"], "pop.provider": ["dan", "eve", "fay", "gil"], "pop.other": ["hugo"]}
DOWN = "dan, eve, fay and 1 more: cannot connect to pop.provider"
EVERYBODY = [name for names in STAFF.values() for name in names]


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def test_a_quiet_week_works_everybody_every_quarter_of_an_hour_and_tells_nobody() -> None:
    week = office(STAFF)
    week.pass_time(MONDAY + 7 * DAY)
    assert week.told == []
    for name in EVERYBODY:
        assert len(week.rounds_of(name)) in range(7 * 96, 7 * 96 + 2)


def test_the_first_round_is_at_start_within_the_limits() -> None:
    week = office(STAFF, limits=Concurrency(accounts=3, per_host=2))
    week.pass_time(MONDAY + 5 * MINUTE)
    assert sorted(name for _, name in week.worked) == sorted(EVERYBODY)
    assert week.most_at_once == 3


def test_no_host_sees_more_than_its_limit_at_one_time() -> None:
    week = office({"pop.office": ["a", "b", "c", "d"]}, limits=Concurrency(accounts=4, per_host=2))
    week.pass_time(MONDAY + HOUR)
    assert week.most_at_once == 2
    assert {name for _, name in week.worked} == {"a", "b", "c", "d"}


def test_an_outage_of_a_provider_is_one_message_and_one_recovery() -> None:
    week = office(STAFF)
    week.outages.append(("pop.provider", MONDAY + 30 * HOUR, MONDAY + 34 * HOUR))
    week.pass_time(MONDAY + 7 * DAY)
    assert week.titles() == [f"{what}: {DOWN}" for what in ("opened", "over")]
    opened, over = (moment for moment, _, _ in week.told)
    assert opened - (MONDAY + 30 * HOUR) < 30 * MINUTE
    assert over - (MONDAY + 34 * HOUR) < 20 * MINUTE


def test_after_an_outage_everybody_is_worked_within_minutes() -> None:
    week = office(STAFF)
    week.outages.append(("pop.provider", MONDAY + 30 * HOUR, MONDAY + 54 * HOUR))
    week.pass_time(MONDAY + 7 * DAY)
    for name in STAFF["pop.provider"]:
        back = min(moment for moment in week.rounds_of(name) if moment > MONDAY + 54 * HOUR)
        assert back - (MONDAY + 54 * HOUR) < 20 * MINUTE


def test_an_outage_does_not_slow_the_others() -> None:
    week = office(STAFF)
    week.outages.append(("pop.provider", MONDAY, MONDAY + 7 * DAY))
    week.pass_time(MONDAY + 7 * DAY)
    for name in [*STAFF["pop.office"], *STAFF["pop.other"]]:
        assert max(gaps(week.rounds_of(name))) < 16 * MINUTE


def test_a_dead_provider_is_asked_a_few_times_an_hour_not_by_every_account() -> None:
    week = office({"pop.provider": [f"user{number}" for number in range(50)]})
    week.outages.append(("pop.provider", MONDAY, MONDAY + DAY))
    week.pass_time(MONDAY + DAY)
    assert week.refusals < 24 * 5


def test_a_short_hiccup_of_one_account_is_not_told() -> None:
    week = office({"pop.other": ["hugo"]})
    week.outages.append(("pop.other", MONDAY + HOUR - 10 * MINUTE, MONDAY + HOUR + MINUTE / 2))
    week.pass_time(MONDAY + DAY)
    assert week.told == []


def test_a_password_that_worked_is_tried_three_times_more_until_it_changes() -> None:
    week = office(STAFF)
    week.at(MONDAY + DAY, lambda: week.change("ann", right_password="new"))
    week.at(MONDAY + 5 * DAY, lambda: week.change("ann", password="new"))
    week.pass_time(MONDAY + 7 * DAY)
    assert sum(MONDAY + DAY <= moment < MONDAY + 5 * DAY for moment in week.logins_of("ann")) == 4
    assert min(moment for moment in week.rounds_of("ann") if moment > MONDAY + 5 * DAY) < MONDAY + 5 * DAY + HOUR
    assert week.titles() == [
        "opened: ann: pop.office refused the password",
        "over: ann: pop.office refused the password",
    ]


def test_a_reboot_does_not_try_a_refused_password_again() -> None:
    week = office(STAFF)
    week.change("ann", right_password="new")
    for hour in range(1, 100, 7):
        week.at(MONDAY + hour * HOUR, week.cut_power)
        week.at(MONDAY + hour * HOUR + 5 * MINUTE, week.switch_on)
    week.pass_time(MONDAY + 7 * DAY)
    assert len(week.logins_of("ann")) == 1
    assert week.titles() == ["opened: ann: pop.office refused the password"]


def test_a_second_wrong_password_is_tried_once_too() -> None:
    week = office(STAFF)
    week.change("ann", right_password="new")
    week.at(MONDAY + DAY, lambda: week.change("ann", password="typo"))
    week.pass_time(MONDAY + 7 * DAY)
    assert len(week.logins_of("ann")) == 2


def test_a_changed_configuration_ends_parking() -> None:
    week = office(STAFF)
    week.change("ann", right_password="new")

    def mend() -> None:
        week.change("ann", right_password="secret", version=2)
        week.reload()

    week.at(MONDAY + DAY, mend)
    week.pass_time(MONDAY + 2 * DAY)
    assert min(week.rounds_of("ann")) - (MONDAY + DAY) < MINUTE


def test_a_login_delay_is_learned_and_kept() -> None:
    week = office({"pop.slow": ["ann"], "pop.office": ["bob"]})
    week.login_delays["pop.slow"] = 40 * MINUTE
    week.pass_time(MONDAY + 7 * DAY)
    assert min(gaps(week.logins_of("ann"))) >= 40 * MINUTE
    learned, *later = gaps(week.rounds_of("ann"))
    assert learned <= 60 * MINUTE
    assert max(later) <= 41 * MINUTE
    assert week.told == []


def test_a_login_delay_is_kept_across_power_cuts() -> None:
    week = office({"pop.slow": ["ann"]})
    week.login_delays["pop.slow"] = 60 * MINUTE
    week.pass_time(MONDAY + 2 * HOUR)
    before = len(week.logins)
    for minute in range(1, 50, 5):
        week.at(MONDAY + 2 * HOUR + minute * MINUTE, week.switch_on)
    week.pass_time(MONDAY + 2 * HOUR + 55 * MINUTE)
    assert len(week.logins) - before <= 1
    assert min(gaps(week.logins_of("ann"))) >= 60 * MINUTE


def test_power_cuts_in_mid_run_lose_no_round() -> None:
    week = office(STAFF)
    for number in range(60):
        moment = MONDAY + number * 2 * HOUR + 7
        week.at(moment, week.cut_power)
        week.at(moment + 3 * MINUTE, week.switch_on)
    week.pass_time(MONDAY + 7 * DAY)
    assert week.told == []
    for name in EVERYBODY:
        assert max(gaps(week.rounds_of(name))) < 20 * MINUTE


def test_an_account_that_is_removed_is_forgotten_and_one_that_comes_is_worked_at_once() -> None:
    week = office(STAFF)
    week.change("ann", right_password="new")
    week.pass_time(MONDAY + HOUR)
    del week.mailboxes["ann"]
    week.mailboxes["zoe"] = Mailbox("pop.office")
    week.reload()
    week.pass_time(MONDAY + HOUR + MINUTE)
    assert "ann" not in week.queue.states()
    assert "ann" not in week.store.get_all("schedule")
    assert len(week.rounds_of("zoe")) == 1


def test_a_round_that_comes_due_in_mid_run_is_one_more_round() -> None:
    week = office({"pop.slow": ["ann"]}, run_seconds=50 * MINUTE)
    week.pass_time(MONDAY + DAY)
    assert max(gaps(week.rounds_of("ann"))) <= 51 * MINUTE


def test_a_wrong_copy_is_told_at_once() -> None:
    week = office({"pop.office": ["ann"]})

    def damage(copies: int) -> None:
        week.damaged = copies

    week.at(MONDAY + DAY, lambda: damage(1))
    week.at(MONDAY + 2 * DAY, lambda: damage(0))
    week.pass_time(MONDAY + 3 * DAY)
    assert week.titles() == [f"{what}: ann: 1 copy in mbox archive is damaged" for what in ("opened", "over")]
    assert week.told[0][0] - (MONDAY + DAY) <= MINUTE


def test_a_host_that_comes_and_goes_does_not_fill_the_inbox() -> None:
    week = office(STAFF)
    for hour in range(0, 48, 2):
        week.outages.append(("pop.other", MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR))
    week.pass_time(MONDAY + 2 * DAY)
    assert 2 <= len(week.told) <= 2 * 48 / 6 + 2


def test_a_maildrop_that_somebody_else_holds_is_told_only_when_it_lasts() -> None:
    week = office({"pop.slow": ["ann"]}, silence=6 * HOUR)
    week.login_delays["pop.slow"] = 40 * DAY
    week.logins.append((MONDAY - 1, "ann"))
    week.pass_time(MONDAY + 2 * DAY)
    assert week.titles() == ["opened: ann: too soon"]
    assert week.told[0][0] - MONDAY >= DAY


@pytest.mark.parametrize("accounts", [500])
def test_five_hundred_accounts_have_their_round_each_quarter_of_an_hour(accounts: int) -> None:
    week = office(
        {f"pop{host}": [f"user{host}-{number}" for number in range(accounts // 5)] for host in range(5)},
        run_seconds=5.0,
    )
    week.pass_time(MONDAY + 2 * HOUR)
    assert isinstance(week, Office)
    assert {len(week.rounds_of(name)) for name in week.mailboxes} <= {8, 9}


def test_a_week_with_everything_in_it_ends_well_and_says_only_what_matters() -> None:
    week = office(STAFF)
    week.outages.append(("pop.provider", MONDAY + 9 * HOUR, MONDAY + 11 * HOUR))
    week.at(MONDAY + DAY + 10 * HOUR, lambda: week.change("ann", right_password="new"))

    def new_password() -> None:
        week.change("ann", password="new", version=2)
        week.reload()

    def somebody_leaves() -> None:
        del week.mailboxes["bob"]
        week.mailboxes["zoe"] = Mailbox("pop.office", every=HOUR)
        week.reload()

    week.at(MONDAY + DAY + 15 * HOUR, new_password)
    week.at(MONDAY + 2 * DAY, lambda: week.login_delays.update({"pop.office": 40 * MINUTE}))
    week.at(MONDAY + 3 * DAY, somebody_leaves)
    week.outages.append(("pop.other", MONDAY + 4 * DAY + 22 * HOUR, MONDAY + 5 * DAY + 6 * HOUR))
    for day in range(7):
        for hour in (2, 10, 13):  # in both outages, and while ann is parked
            week.at(MONDAY + day * DAY + hour * HOUR, week.cut_power)
            week.at(MONDAY + day * DAY + hour * HOUR + 4 * MINUTE, week.switch_on)
    week.pass_time(MONDAY + 7 * DAY)
    assert week.titles() == [
        f"opened: {DOWN}",
        f"over: {DOWN}",
        "opened: ann: pop.office refused the password",
        "over: ann: pop.office refused the password",
        "opened: hugo: cannot connect to pop.other",
        "over: hugo: cannot connect to pop.other",
    ]
    states = week.queue.states()
    assert set(states) == {*EVERYBODY, "zoe"} - {"bob"}
    assert not any(state.is_failing or state.is_parked for state in states.values())
    assert all(week.now - state.last_worked < 90 * MINUTE for state in states.values())
    assert sum(MONDAY + DAY + 10 * HOUR <= at < MONDAY + DAY + 15 * HOUR for at in week.logins_of("ann")) == 3
    assert min(gaps([at for at in week.logins_of("cleo") if at > MONDAY + 2 * DAY + HOUR])) >= 40 * MINUTE
    assert week.rounds_of("bob")[-1] < MONDAY + 3 * DAY
