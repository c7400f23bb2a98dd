"""Challenges: each good once, soon, and for whom it was given to."""

from __future__ import annotations

from jobs.web.challenges import CHALLENGE_SECONDS, MOST_CHALLENGES, Challenges


def test_one_is_good_once_and_for_its_owner_alone() -> None:
    challenges = Challenges()
    challenge, other = challenges.new("ann"), challenges.new("ann")
    assert challenge != other
    assert len(challenge) == 32
    assert challenges.use("ann", challenge)
    assert not challenges.use("ann", challenge)
    assert not challenges.use("eve", other)
    assert not challenges.use("ann", other), "who tries somebody else's uses it up"
    assert not challenges.use("", b"never given")


def test_it_ends_after_some_minutes() -> None:
    now = 1000.0
    challenges = Challenges(lambda: now)
    early, late = challenges.new("ann"), challenges.new("ann")
    now += CHALLENGE_SECONDS - 1
    assert challenges.use("ann", early)
    now += 1
    assert not challenges.use("ann", late)


def test_strangers_do_not_fill_the_memory() -> None:
    challenges = Challenges()
    first = challenges.new("ann")
    last = [challenges.new("eve") for _ in range(MOST_CHALLENGES)][-1]
    assert not challenges.use("ann", first)
    assert challenges.use("eve", last)
