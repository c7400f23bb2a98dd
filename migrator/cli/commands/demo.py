"""``mailferry demo``: show it all with a small server and sample mail, in a minute."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli.exit_codes import DONE, INTERRUPTED, NOT_ALL_DONE
from migrator.cli.signals import stopping
from migrator.demo.place import Place
from migrator.demo.story import Story
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import replace

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.ui.console import Console

USER = "demo"
PORTS = range(8025, 8031)


def run(arguments: Namespace, screen: Console) -> int:
    """Play the demo in its folder, and serve the page on it where that is asked for; 1 if anything does not add up."""
    place = Place.at(arguments.dir)
    with stopping(screen) as stop:
        story = Story(place, screen, stop, program=_program())
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
            f"mailferry demo: nothing in {place.folder} was removed; --dir names another folder to start again"
        )
        return NOT_ALL_DONE
    if arguments.serve:
        _serve(story, screen)
    return DONE


def _serve(story: Story, screen: Console) -> None:
    """Serve the page on what the demo has archived, until Ctrl-C or SIGTERM."""
    try:
        from jobs.service import Service, ServiceOptions
        from jobs.web.server import try_address
    except ImportError:
        raise ConfigError(["--serve: the page needs packages that are missing: pip install 'mailferry[web]'"]) from None
    from migrator.config import Web

    listen = _free_address(try_address)
    with story.at_work() as loaded:
        config = replace(loaded, web=Web(listen=listen))
        password = _user(config)
        screen.result(f"The page: http://{listen}/  (sign in as {USER}, the password is {password}; Ctrl-C ends it)")
        sys.stdout.flush()
        Service(config, ServiceOptions(lambda: config)).run()


def _user(config: Config) -> str:
    """Make the demo's user, or give the one of an earlier demo another password; returns it."""
    from jobs.web.hashing import hashed
    from jobs.web.people import Role, User
    from jobs.web.store import WebStore

    password = secrets.token_urlsafe(9)
    with closing(WebStore(config.state_dir)) as store:
        if not store.add(User(USER, Role.ADMINISTRATOR), hashed(password), time.time()):
            store.change_password(USER, hashed(password))
    return password


def _free_address(try_address: Callable[[str], None]) -> str:
    """Return the first address of a few that can be had; raises ``ConfigError`` where none can."""
    for port in PORTS[:-1]:
        with suppress(ConfigError):
            try_address(f"127.0.0.1:{port}")
            return f"127.0.0.1:{port}"
    try_address(f"127.0.0.1:{PORTS[-1]}")
    return f"127.0.0.1:{PORTS[-1]}"


def _program() -> str:
    """Return what a person types to call this program here."""
    found = shutil.which("mailferry")
    if found and not _is_on_the_path_for_us_only(Path(found)):
        return "mailferry"
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "mailferry" else shlex.join([sys.executable, "-m", "migrator"])


def _is_on_the_path_for_us_only(found: Path) -> bool:
    """Say whether it stands in an environment that nobody has activated: uvx puts its own in front of PATH for us."""
    is_ours = sys.prefix != sys.base_prefix and found.parent == Path(sys.prefix) / "bin"
    return is_ours and os.environ.get("VIRTUAL_ENV") != sys.prefix
