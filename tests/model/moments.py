"""The state folder of every moment of a history, and what a run makes of it when all else is of now.

A ledger put back from a backup, a virtual machine rolled back, a state folder that a second machine got long ago: they
are one case, and it may be any moment's.
"""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from tests.model.places import FolderPlace

if TYPE_CHECKING:
    from tests.model.world import World


def keep_moment(world: World) -> None:
    """Copy the state folder aside, after a step."""
    moments = world.folder / "moments"
    moments.mkdir(exist_ok=True)
    kept = moments / str(len(list(moments.iterdir())))
    if world.state.is_dir():
        shutil.copytree(world.state, kept)
    else:
        kept.mkdir()


def go_on_from(world: World, moment: int) -> None:
    """Run twice with the state of a moment, judged by the laws; afterwards all is as if that had not been."""
    now = world.folder / "now"
    _copy(world, now)
    mailboxes = world.mail.mailboxes.kept()
    messages = {user: maildrop.stored() for user, maildrop in world.post.maildrops.items()}
    taken = {place: (set(place.taken), place.was_harmed) for place in world.places.values()}
    laws, length = deepcopy(world.laws.memory), len(world.log)
    world.say(f"-- the state of moment {moment}, and everything else of now")
    shutil.rmtree(world.state, ignore_errors=True)
    shutil.copytree(world.folder / "moments" / str(moment), world.state)
    world.laws.knowledge_was_lost()
    for _ in range(2):
        world.migrate("none", "none")
    del world.log[length:]
    world.laws.memory = laws
    for place, (missing, harmed) in taken.items():
        place.taken, place.was_harmed = missing, harmed
    world.mail.mailboxes.put_back(mailboxes)
    for user, stored in messages.items():
        world.post.maildrops[user].put_back(stored)
    _put_back(world, now)


def _copy(world: World, now: Path) -> None:
    shutil.rmtree(now, ignore_errors=True)
    now.mkdir()
    for name in _parts(world):
        if (world.folder / name).is_dir():
            shutil.copytree(world.folder / name, now / name)


def _put_back(world: World, now: Path) -> None:
    for name in _parts(world):
        shutil.rmtree(world.folder / name, ignore_errors=True)
        if (now / name).is_dir():
            shutil.copytree(now / name, world.folder / name)


def _parts(world: World) -> list[str]:
    folders = [place.path.name for place in world.places.values() if isinstance(place, FolderPlace)]
    aside = [f"{name}.away" for name in world.places]
    return [*folders, *aside, world.settings.state]
