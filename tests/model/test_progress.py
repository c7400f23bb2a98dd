"""A server or a line that is always bad in one way keeps no mail but what it keeps by name: all else comes, and goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.model.source import StatCountsDeleted, StatMoves
from tests.model.stage import Stage
from tests.model.world import World
from tests.servers.pop3_faults import Answers, CutShort, DropBefore, DropInsideRetr, OnlyFirst
from tests.servers.pop3_session import Command, Fault, Session
from tests.servers.pop3_wire import HangUp, Wire

MESSAGES = 12
RUNS = 8


@dataclass
class EndsAfter(Fault):
    """Hangs up on the RETR after so many of a session: a session is never longer."""

    messages: int
    _asked: dict[int, int] = field(default_factory=dict)

    def instead(self, session: Session, command: Command) -> Wire | None:
        if command.verb == "RETR":
            self._asked[session.number] = self._asked.get(session.number, 0) + 1
            if self._asked[session.number] > self.messages:
                raise HangUp
        return None


@dataclass
class BlankLineInList(Fault):
    """Sends an empty line before the first of LIST."""

    def wire(self, session: Session, command: Command, wire: Wire) -> Wire:
        if command.verb != "LIST" or not session.login:
            return wire
        return self._with_blank(wire)

    @staticmethod
    def _with_blank(wire: Wire) -> Wire:
        yield next(wire)
        yield b"\r\n"
        yield from wire


@dataclass
class Unpipelined(Fault):
    """Does not offer PIPELINING."""

    def capabilities(self, session: Session, offered: list[bytes]) -> list[bytes]:
        del session
        return [line for line in offered if line != b"PIPELINING"]


@dataclass
class RefusesThirdLogin(Fault):
    """Wants time between log-ins from the third on."""

    def refusal(self, session: Session) -> bytes | None:
        return b"[LOGIN-DELAY] wait 300 seconds" if session.number > 2 else None


BAD: dict[str, tuple[Sequence[Fault], int]] = {
    "sessions of one message": ([EndsAfter(1)], 0),
    "sessions of three messages": ([EndsAfter(3)], 0),
    "sessions of three messages, one by one": ([EndsAfter(3), Unpipelined()], 0),
    "a message whose RETR drops the line": ([DropBefore("RETR", 3)], 1),
    "a message that breaks off": ([DropInsideRetr(3, after=30)], 1),
    "a message whose RETR is refused": ([Answers("RETR", 3, words="-ERR cannot read it")], 1),
    "a message that is cut short": ([CutShort(3, lines=2)], 1),
    "a DELE that drops the line": ([DropBefore("DELE", 3)], 1),
    "a DELE that is answered with nothing": ([Answers("DELE", 3, words="")], 1),
    "a DELE that is refused": ([Answers("DELE", 3, words="-ERR not this one")], 1),
    "STAT that moves": ([StatMoves()], 0),
    "STAT that counts what is deleted": ([StatCountsDeleted()], 0),
    "a blank line in LIST": ([BlankLineInList()], 0),
    "a part is shown": ([OnlyFirst(5)], 0),
}
"""What is always wrong, and how many messages it may keep from being copied or deleted."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest.fixture
def world(stage: Stage, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world", stage, 0, ["a"], "a")
    for number in range(MESSAGES):
        made.post.deliver("new", number)
    yield made
    made.close()


@pytest.mark.parametrize("name", BAD)
def test_what_is_always_bad_keeps_only_what_it_names(world: World, name: str) -> None:
    faults, spoilt = BAD[name]
    for _ in range(RUNS):
        world.migrate("none", "none", always=faults)
    stored, left = len(world.places["a"].messages()), len(world.post.stored())
    story = "\n".join(world.log)
    assert stored >= MESSAGES - spoilt, story
    assert left <= spoilt, story


@pytest.mark.parametrize("proof", ["content", "headers"])
@pytest.mark.parametrize("how", ["drops", "is refused"])
def test_one_message_without_a_top_keeps_no_other(world: World, proof: str, how: str) -> None:
    """TOP is asked where unique-ids changed, or where the proof is by headers."""
    world.settings.leave, world.settings.proof = "true", proof
    world.server.allows_top_proof = proof == "headers"
    world.migrate("none", "none")
    world.unique_ids.scheme = "renumbered"
    world.post.deliver("new", 99)
    world.settings.leave = "false"
    fault = DropBefore("TOP", 3) if how == "drops" else Answers("TOP", 3, words="-ERR no")
    for _ in range(RUNS):
        world.migrate("none", "none", always=[fault])
    assert len(world.places["a"].messages()) == MESSAGES + 1, "\n".join(world.log)
    assert len(world.post.stored()) <= 1, "\n".join(world.log)


def test_a_run_that_is_not_let_in_again_is_not_ok_where_a_part_is_shown(world: World) -> None:
    played = world.migrate("none", "none", always=[OnlyFirst(4), RefusesThirdLogin()])
    [account] = json.loads(played.out)["accounts"]
    assert world.post.stored()
    assert (played.code, account["status"]) == (1, "partial"), "\n".join(world.log)
    assert "login-delay" in {error["kind"] for error in account["errors"]}
