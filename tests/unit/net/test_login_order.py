from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from migrator.net.login_order import MOST_REFUSED, LoginMemory, Says, next_mechanism, order
from migrator.net.sasl import REVEALING, SAFE_IN_CLEAR

ALL = ("PLAIN", "LOGIN", "user", "apop", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "NTLM")
NEW = LoginMemory()


@pytest.mark.parametrize(
    ("offered", "memory", "may_reveal", "ordered"),
    [
        (ALL, NEW, True, "scram-sha-256 plain login user scram-sha-1 cram-md5 apop"),
        (ALL, NEW, False, "scram-sha-256 scram-sha-1 cram-md5 apop"),
        (("user",), NEW, True, "user"),
        (("user",), NEW, False, ""),
        (("XOAUTH2", "NTLM"), NEW, True, ""),
        (("cram-md5", "plain"), LoginMemory("plain", ("cram-md5",)), True, "plain cram-md5"),
        (("cram-md5", "plain"), LoginMemory("plain", ("cram-md5",)), False, "cram-md5"),
        (("scram-sha-256", "cram-md5", "plain"), LoginMemory("cram-md5"), True, "scram-sha-256 cram-md5 plain"),
        (("login", "plain"), LoginMemory("login", ("plain",)), True, "login plain"),
    ],
)
def test_the_strongest_comes_first_and_then_what_worked_or_the_password_itself(
    offered: tuple[str, ...], memory: LoginMemory, may_reveal: bool, ordered: str
) -> None:
    assert order(offered, memory, may_reveal=may_reveal) == tuple(ordered.split())


@pytest.mark.parametrize(
    ("refused", "said", "memory", "following"),
    [
        (["cram-md5"], Says.PASSWORD, NEW, "plain"),
        (["cram-md5"], Says.NOTHING, NEW, "plain"),
        (["cram-md5", "plain"], Says.PASSWORD, NEW, None),
        (["cram-md5", "plain"], Says.MECHANISM, NEW, "user"),
        (["cram-md5", "plain"], Says.NOTHING, NEW, "login"),
        (["plain"], Says.MECHANISM, NEW, "user"),
        (["plain", "user"], Says.MECHANISM, NEW, "login"),
        (["plain", "login", "user"], Says.MECHANISM, NEW, None),
        (["cram-md5"], Says.PASSWORD, LoginMemory("cram-md5"), None),
        (["cram-md5"], Says.MECHANISM, LoginMemory("cram-md5"), "user"),
        (["plain"], Says.NOTHING, LoginMemory("plain"), None),
    ],
)
def test_another_way_is_tried_only_where_the_last_may_be_at_fault(
    refused: list[str], said: Says, memory: LoginMemory, following: str | None
) -> None:
    ordered = order(("cram-md5", "apop", "plain", "login", "user"), memory, may_reveal=True)
    assert next_mechanism(ordered, refused, said, memory) == following


def test_without_leave_to_show_the_password_the_next_challenge_follows() -> None:
    ordered = order(ALL, NEW, may_reveal=False)
    assert next_mechanism(ordered, ["scram-sha-256"], Says.PASSWORD, NEW) == "scram-sha-1"
    assert next_mechanism(ordered, ["scram-sha-256", "scram-sha-1"], Says.PASSWORD, NEW) == "cram-md5"


@given(
    st.sets(st.sampled_from([*SAFE_IN_CLEAR, *REVEALING, "xoauth2"])),
    st.booleans(),
    st.lists(st.sampled_from(Says), min_size=10, max_size=10),
)
def test_no_more_than_three_log_ins_are_refused_and_none_twice(
    offered: set[str], may_reveal: bool, says: list[Says]
) -> None:
    ordered = order(offered, NEW, may_reveal=may_reveal)
    assert set(ordered) <= offered - {"xoauth2"}
    assert may_reveal or not set(ordered).intersection(REVEALING)
    tried = list(ordered[:1])
    while tried and (following := next_mechanism(ordered, tried, says[len(tried)], NEW)):
        tried.append(following)
    assert len(tried) == len(set(tried)) <= MOST_REFUSED


def test_what_is_remembered_comes_back_from_the_ledger() -> None:
    memory = LoginMemory().after("plain", ["cram-md5", "apop"])
    assert memory == LoginMemory("plain", ("cram-md5", "apop"))
    assert LoginMemory.from_stored(memory.to_stored()) == memory
    assert LoginMemory.from_stored({}) == LoginMemory()
    assert memory.after("cram-md5", []) == LoginMemory("cram-md5", ("apop",))


@pytest.mark.parametrize(
    ("worked", "mechanism", "is_weaker"),
    [
        ("", "plain", False),
        ("plain", "user", False),
        ("apop", "plain", True),
        ("scram-sha-256", "cram-md5", True),
        ("cram-md5", "scram-sha-1", False),
    ],
)
def test_what_protects_the_password_less_is_known(worked: str, mechanism: str, is_weaker: bool) -> None:
    assert LoginMemory(worked).makes_weaker(mechanism) is is_weaker
