"""``mailferry demo``: show it all with a small server and sample mail, in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.cli.exit_codes import DONE, INTERRUPTED, NOT_ALL_DONE
from migrator.cli.signals import stopping
from migrator.demo.place import Place
from migrator.demo.story import Story

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console


def run(arguments: Namespace, screen: Console) -> int:
    """Play the demo in its folder; 1 if anything does not add up."""
    place = Place.at(arguments.dir)
    with stopping(screen) as stop:
        story = Story(place, screen, stop)
        story.play()
    outcome = story.outcome
    if screen.is_json:
        paths = {"archive": str(place.archive.absolute()), "config": str(place.config.absolute())}
        screen.document(paths | outcome.as_json())
    for problem in outcome.problems:
        screen.problem(f"mailferry demo: {problem}")
    if stop.is_set() or outcome.is_interrupted:
        return INTERRUPTED
    if outcome.problems:
        screen.problem(
            f"mailferry demo: nothing in {place.folder} was removed; --dir names another folder to start anew"
        )
        return NOT_ALL_DONE
    return DONE
