"""``mailferry users``: who may use the page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.cli.context import configuration_in_files
from migrator.cli.exit_codes import DONE
from migrator.config import passwords
from migrator.errors import ConfigError, FerryError
from migrator.ui.text import plain

if TYPE_CHECKING:
    from argparse import Namespace

    from jobs.web.people import User
    from jobs.web.store import WebStore
    from migrator.config import Config
    from migrator.ui.console import Console

SOURCES = ("env", "file", "command")


def run(arguments: Namespace, screen: Console) -> int:
    """Add, reset, remove or list users; a running worker hears of it at once."""
    config = configuration_in_files(arguments, screen)
    if arguments.action != "list" and not arguments.name:
        raise ConfigError([f"users {arguments.action}: which user? Give a NAME"])
    from jobs.web.store import FILE_NAME, WebStore

    if arguments.action == "list" and not (config.state_dir / FILE_NAME).exists():
        _list([], screen)
        return DONE
    with closing(WebStore(config.state_dir)) as store:
        match arguments.action:
            case "add":
                _add(arguments, config, store, screen)
            case "reset":
                _reset(arguments, store, screen)
            case "remove":
                _remove(arguments, store, screen)
            case _:
                _list(store.users(), screen)
    return DONE


def _add(arguments: Namespace, config: Config, store: WebStore, screen: Console) -> None:
    from jobs.web.people import Role, User, problem_of_name

    role = Role(arguments.role)
    if problem := problem_of_name(arguments.name):
        raise ConfigError([f"users add: {problem}"])
    if (role is Role.READER) != bool(arguments.account):
        raise ConfigError(["users add: --account goes with --role reader, which needs at least one"])
    named = config.select(arguments.account) if arguments.account else ()
    user = User(arguments.name, role, frozenset(account.name for account in named))
    if store.user(user.name):
        raise ConfigError([f"users add: there is a user {user.name} already; users reset gives another password"])
    if not store.add(user, _hashed(arguments), time.time()):
        raise ConfigError([f"users add: there is a user {user.name} already; users reset gives another password"])
    screen.result(plain(f"{user.name}: added as {_role_in_words(user)}"))


def _reset(arguments: Namespace, store: WebStore, screen: Console) -> None:
    from jobs.web.factor_store import drop_factor, factor_of
    from jobs.web.identity_store import disconnect_identities
    from jobs.web.passkey_store import drop_passkeys

    user = _known(arguments, store)
    store.change_password(user.name, _hashed(arguments))
    had_factor = factor_of(store, user.name) is not None
    drop_factor(store, user.name)
    gone = [
        what
        for what, was_there in (
            ("second factor", had_factor),
            ("passkeys", drop_passkeys(store, user.name)),
            ("account at the sign-in provider", disconnect_identities(store, user.name)),
        )
        if was_there
    ]
    lost = "".join(f", no {what} any more" for what in gone) + ("," if gone else "")
    screen.result(plain(f"{user.name}: has another password{lost} and is signed out everywhere"))


def _remove(arguments: Namespace, store: WebStore, screen: Console) -> None:
    _known(arguments, store)
    store.remove(arguments.name)
    screen.result(plain(f"{arguments.name}: removed, and signed out everywhere"))
    if not store.has_users():
        screen.note("Nobody is left. When the worker is started again it prints a token for the first user.")


def _known(arguments: Namespace, store: WebStore) -> User:
    known = store.user(arguments.name)
    if known is None:
        raise ConfigError([f"users {arguments.action}: there is no user {arguments.name}; see mailferry users list"])
    return known[0]


def _list(users: Sequence[User], screen: Console) -> None:
    if screen.is_json:
        shown = [{"name": user.name, "role": str(user.role), "accounts": sorted(user.accounts)} for user in users]
        screen.document({"users": shown})
        return
    for user in users:
        screen.result(plain(f"{user.name}: {_role_in_words(user)}"))
    if not users:
        screen.note("There is no user. The worker prints a token for the first one when it starts.")


def _role_in_words(user: User) -> str:
    return f"{user.role} of {', '.join(sorted(user.accounts))}" if user.accounts else str(user.role)


def _hashed(arguments: Namespace) -> str:
    """Return the hash of the password that was given or typed; raises ``ConfigError``."""
    from jobs.web.people import problem_of_password

    password = _given(arguments) or _typed(arguments.name)
    if problem := problem_of_password(password, arguments.name):
        raise ConfigError([f"users {arguments.action}: {problem}"])
    try:
        from jobs.web.hashing import hashed
    except ImportError:
        raise ConfigError(["the page needs packages that are not installed: pip install 'mailferry[web]'"]) from None
    return hashed(password)


def _given(arguments: Namespace) -> str:
    for source in SOURCES:
        written = getattr(arguments, f"password_{source}")
        if written is not None:
            try:
                revealed = passwords.secret({source: written}, path=_absolute).reveal()
            except (ValueError, FerryError) as error:
                raise ConfigError([f"--password-{source}: {error}"]) from None
            return revealed
    return ""


def _typed(name: str) -> str:
    if not questions.is_possible():
        options = ", ".join(f"--password-{source}" for source in SOURCES)
        raise ConfigError([f"no password for {name}: give one by one of {options}"])
    typed = questions.hidden(f"Password for {name}:")
    if questions.hidden("The same again:") != typed:
        raise ConfigError(["the two passwords are not the same"])
    return typed


def _absolute(written: str) -> Path:
    return Path(written).expanduser().absolute()
