"""The commands that people give: steps as in ``tests.model.happenings``, each judged by the laws."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tests.model.source import FAULTS
from tests.model.steps import step
from tests.model.world import IMAP_FAULTS, MEANWHILE

if TYPE_CHECKING:
    from tests.model.world import World


@step(30)
def run(world: World, n: int, m: int) -> None:
    """Run once; every other time with a fault at one end."""
    pop3, imap = "none", "none"
    if n % 4 == 1:
        pop3 = list(FAULTS)[m % len(FAULTS)]
    elif n % 8 == 3:
        imap = [*IMAP_FAULTS, *MEANWHILE][m % (len(IMAP_FAULTS) + len(MEANWHILE))]
    world.migrate(pop3, imap, magnitude=m // 7 % 9)


@step(2)
def limited_run(world: World, n: int, m: int) -> None:
    world.migrate("none", "none", limits=[("--limit", "--max-delete")[n % 2], str(m % 4)])


@step(2)
def dry_run(world: World, _: int, __: int) -> None:
    world.dry_run()


@step(6)
def killed_run(world: World, n: int, m: int) -> None:
    world.migrate("none", "none", dies_at=1 + (n * 31 + m * 7) % 2500)


def _moment(n: int) -> int:
    """Say at which call a command dies: four of five live."""
    return (n * 13) % 700 if n % 5 == 4 else 0


@step(3)
def verify(world: World, _: int, __: int) -> None:
    world.command(["verify", "--json"])


@step(4)
def repair(world: World, n: int, _: int) -> None:
    world.command(["repair"], dies_at=_moment(n))


@step(2)
def rebuild(world: World, n: int, __: int) -> None:
    world.command(["rebuild-ledger"], dies_at=_moment(n))


@step(1)
def retry(world: World, _: int, __: int) -> None:
    for message in _set_aside(world):
        world.command(["quarantine", "--retry", str(message["number"])])


@step(1)
def accept(world: World, _: int, __: int) -> None:
    for message in _set_aside(world):
        world.laws.memory.accepted |= {
            content
            for content in world.post.sent
            if message["digest"] in {None, sha256(content).hexdigest()} and message["octets"] == len(content)
        }
        world.command(["quarantine", "--accept", str(message["number"])])


def _set_aside(world: World) -> list[dict[str, Any]]:
    played = world.command(["quarantine", "--json"])
    messages: list[dict[str, Any]] = json.loads(played.out).get("messages", []) if played.out else []
    return messages[:3]


@step(3)
def restore(world: World, n: int, __: int) -> None:
    if world.mail.is_up:
        url = f"imap://alice@localhost:{world.imap_port}/Restored?tls=none"
        played = world.command(["restore", "--json", "--to", url, "--to-password-file", "password"], dies_at=_moment(n))
        world.laws.restored(played, world.places["restored"])


@step(2)
def import_exported(world: World, n: int, _: int) -> None:
    """Take what was exported back in."""
    out = world.folder / "exported"
    shutil.rmtree(out, ignore_errors=True)
    if world.command(["export", "--to", str(out), "--format", ("mbox", "maildir", "eml")[n % 3]]).code == 0:
        world.command(["import", "alice", str(out)], dies_at=_moment(n))


@step(1)
def doctor(world: World, _: int, __: int) -> None:
    world.command(["doctor"])


@step(1)
def status(world: World, _: int, __: int) -> None:
    world.command(["status", "--json"])
