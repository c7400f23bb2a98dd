from __future__ import annotations

import pytest

from migrator.adopting.model import as_it_is
from migrator.adopting.recognising import Copies, Owner, Shown, owners_of
from migrator.adopting.restoring import RestoredMessage
from migrator.interchange.mail_files import message_of
from migrator.message.body import MemoryBody, Message
from migrator.message.digest import HeaderFacts
from migrator.model import ListedMessage, MessageNumber, UniqueId

HEAD = b"Message-ID: <1@x>\r\nSubject: one\r\n\r\n"
ONE, TWIN, OTHER = (message_of(MemoryBody(HEAD + body)) for body in (b"body\r\n", b"ydob\r\n", b"longer body\r\n"))
NAMELESS = message_of(MemoryBody(b"Subject: one\r\n\r\nbody\r\n"))


def shown(*messages: tuple[bytes, Message]) -> Shown:
    """Return what a maildrop with these unique-ids and messages shows."""
    listing = tuple(
        ListedMessage(MessageNumber(number), UniqueId(unique_id), message.octets)
        for number, (unique_id, message) in enumerate(messages, 1)
    )
    headers = {
        one.number: HeaderFacts(message.header_digest, message.message_id)
        for one, (_, message) in zip(listing, messages, strict=True)
    }
    return Shown(listing, headers)


def known(at_source: Shown, *copies: RestoredMessage, fetched: tuple[bytes, ...] = (b"u1", b"u2")) -> list[int]:
    found = Copies()
    for copy in copies:
        found.add(copy, "store")
    return [number for number, _ in found.recognised(at_source, fetched, as_it_is)]


def test_a_message_of_which_a_copy_was_found_is_known_by_the_digest_of_the_copy() -> None:
    found = Copies()
    found.add(RestoredMessage(ONE), "store")
    assert found.recognised(shown((b"u1", ONE)), {b"u1"}, as_it_is) == [(1, ONE.digest)]


@pytest.mark.parametrize(
    ("at_source", "copies", "why"),
    [
        (shown((b"u1", ONE)), [], "no copy was found"),
        (shown((b"u1", OTHER)), [RestoredMessage(ONE)], "its octets differ"),
        (shown((b"u9", ONE)), [RestoredMessage(ONE)], "the program has not noted it"),
        (shown((b"u1", NAMELESS)), [RestoredMessage(NAMELESS)], "it has no Message-ID"),
        (shown((b"u1", ONE)), [RestoredMessage(ONE), RestoredMessage(TWIN)], "two contents could be it"),
        (shown((b"u1", ONE), (b"u2", TWIN)), [RestoredMessage(ONE)], "two messages could be it"),
        (shown((b"u1", ONE)), [RestoredMessage(ONE, unique_id=b"u2")], "the copy says that it is another one"),
        (shown((b"1", ONE)), [RestoredMessage(ONE)], "its unique-id is its number"),
        (Shown(shown((b"u1", ONE)).listing), [RestoredMessage(ONE)], "its header was not shown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_known_where(at_source: Shown, copies: list[RestoredMessage], why: str) -> None:
    assert known(at_source, *copies, fetched=(b"u1", b"u2", b"1")) == [], why


def test_two_equal_messages_are_known_by_two_copies_in_one_place() -> None:
    twice = shown((b"u1", ONE), (b"u2", ONE))
    assert known(twice, RestoredMessage(ONE), RestoredMessage(ONE)) == [1, 2]
    found = Copies()
    found.add(RestoredMessage(ONE), "one")
    found.add(RestoredMessage(ONE), "two")
    assert found.recognised(twice, {b"u1", b"u2"}, as_it_is) == []


ALICE = Owner("alice", frozenset({"pop.a"}), frozenset({(ONE.octets, ONE.header_digest)}))
BOB = Owner("bob", frozenset({"pop.b"}), frozenset())


@pytest.mark.parametrize(
    ("copy", "owner"),
    [
        (RestoredMessage(ONE, mark="pop.b"), "alice"),
        (RestoredMessage(OTHER, mark="pop.b"), "bob"),
        (RestoredMessage(OTHER, mark="elsewhere"), "alice"),
        (RestoredMessage(OTHER), "alice"),
    ],
)
def test_a_copy_belongs_to_whose_maildrop_shows_it_then_to_whom_it_names(copy: RestoredMessage, owner: str) -> None:
    assert owners_of(copy, [ALICE, BOB]) == {owner}
    assert owners_of(copy, []) == frozenset()


def test_a_copy_that_two_maildrops_show_belongs_to_both() -> None:
    eve = Owner("eve", frozenset(), ALICE.keys)
    assert owners_of(RestoredMessage(ONE), [BOB, ALICE, eve]) == {"alice", "eve"}
