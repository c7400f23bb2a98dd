"""Add a mailbox: its address, its server and one log-in, then where its mail goes and what happens at its provider.

Nothing is written before the log-in has worked and a message is proven at each place. What was typed stays in the form
where something is refused, but for passwords. Nothing is deleted at the provider unless somebody chooses that.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.responses import Response

from jobs.web import words
from jobs.web.again import problem_of_own
from jobs.web.language import gettext as _
from jobs.web.visit import Refused, Visit, path_of_account
from jobs.web.wishes import NO_MAILBOX, ServerForm, Wish, folder_keys, mailbox_keys, password_in, server_in, wish_in
from jobs.web.words import Said
from migrator.config import Account, Config, MboxDestination
from migrator.config.new_account import site_of
from migrator.config.secrets import TextSecret
from migrator.config.urls import destination_keys
from migrator.config.vault import vault_of
from migrator.discovery import Address, Discovery, Found, SecretKind, discover, read_address
from migrator.errors import ConfigError, FerryError
from migrator.lazy_dataclasses import dataclass
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.operations.account_list import pause, resume
from migrator.operations.add_account import (
    Draft,
    Look,
    Password,
    copy_some,
    failure_of,
    given_server,
    has_proven,
    look,
    name_for,
)
from migrator.operations.kept_secrets import VaultKeeper
from migrator.run.context import Effects
from migrator.wiring.stored_accounts import stored_sheets

TRIED = 10
"""How many messages are copied first, where somebody wants to see that it works."""

_ONE = threading.Lock()
"""One mailbox is added at a time."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A mailbox whose log-in has worked, and what was seen there; nothing is written of it yet."""

    address: str
    source: Mapping[str, object]
    password: Password
    seen: Look


@dataclass(frozen=True, slots=True)
class Places:
    """The last form as it was filled in."""

    name: str
    folder: str
    mailbox: ServerForm
    wish: Wish
    is_trial: bool


def show(visit: Visit) -> Response:
    """Ask for the address; with one, look for its server and ask for its password."""
    written = visit.query("address").strip()
    if not written:
        return visit.page("add.html", problem="", written="")
    try:
        address = read_address(written)
    except ValueError as error:
        return visit.page("add.html", 422, problem=f"{error}.".capitalize(), written=written)
    discovery = discover(address)
    if discovery.lacks_service and discovery.provider is not None:
        said = _("%(name)s does not let mail be fetched by POP3.") % {"name": discovery.provider.name}
        return visit.page("add.html", 422, problem=said, written=written)
    found = _found_by(address, discovery)
    server = ServerForm(found.host, str(found.port), str(found.tls), found.username)
    return server_page(visit, str(address), server, discovery=discovery)


def _found_by(address: Address, discovery: Discovery) -> Found:
    stand_in = given_server(address, "", None, TlsMode.IMPLICIT, Service.POP3)
    return discovery.found[0] if discovery.found else stand_in


def server_page(
    visit: Visit,
    address: str,
    server: ServerForm,
    code: int = 200,
    problems: Sequence[str] = (),
    discovery: Discovery | None = None,
) -> Response:
    """Ask for what is needed to log in at a server."""
    found = discovery.found[0] if discovery and discovery.found else None
    provider = found.provider if found else discovery.provider if discovery else None
    return visit.page(
        "add_server.html",
        code,
        address=address,
        server=server,
        problems=problems,
        found=found,
        has_looked=discovery is not None,
        provider=provider,
        wants_sign_in=provider is not None and provider.secret is SecretKind.OAUTH,
        wants_app_password=provider is not None and provider.secret is SecretKind.APP_PASSWORD,
        ways=list(TlsMode),
    )


def log_in(visit: Visit) -> Response:
    """Log in once; what was typed is kept in memory for the next form, and nowhere else."""
    address, server, password = visit.field("address").strip(), server_in(visit), password_in(visit)
    try:
        begun = _begun(visit, address, server, password)
    except ConfigError as error:
        return _not_in(visit, address, server, password, error.problems)
    except FerryError as error:
        return _not_in(visit, address, server, password, [error.message, error.server_words, error.cure])
    key = visit.site.drafts.keep(visit.form_token, begun)
    return visit.go_to(f"/add/places?draft={key}")


def _not_in(visit: Visit, address: str, server: ServerForm, password: str, said: Sequence[str]) -> Response:
    visit.note("add mailbox", address, "refused")
    return server_page(visit, address, server, 422, _without(password, said))


def _without(password: str, said: Sequence[str]) -> list[str]:
    """Return what was said; what a server echoes of a password is not shown."""
    shown = [str(line) for line in said if line]
    return [line.replace(password, "***") if password else line for line in shown]


def _begun(visit: Visit, written: str, server: ServerForm, password: str) -> Begun:
    if not password:
        raise ConfigError([words.NO_PASSWORD])
    return begun_with(visit, written, server, TextSecret(password))


def begun_with(visit: Visit, written: str, server: ServerForm, password: Password) -> Begun:
    """Log in once with a password, or with what a provider gave, and see what is there; raises what is wrong."""
    address, source, draft = _drafted(visit, written, server, password)
    _, account = draft.checked()
    return Begun(str(address), source, password, look(account))


def account_to_sign_in(visit: Visit, written: str, server: ServerForm, provider: str) -> Account:
    """Return an account, of which nothing is written, that wants a sign-in at a provider; raises ``ConfigError``."""
    *_, draft = _drafted(visit, written, server, {"oauth": provider})
    return draft.checked()[1]


def _drafted(
    visit: Visit, written: str, server: ServerForm, password: Password
) -> tuple[Address, Mapping[str, object], Draft]:
    try:
        address = read_address(written)
    except ValueError as error:
        raise ConfigError([f"{written}: {error}"]) from None
    config, name = visit.site.worker.config(), _free_name(visit, name_for(address))
    source = server.keys() | {"username": server.username or str(address)}
    place = destination_keys(f"mbox:{folder_for(config, name)}")
    return address, source, Draft(site_of(_file_of(config), stored_sheets), name, source, password, [place])


def _file_of(config: Config) -> Path:
    if config.path is None:
        raise Refused(409, words.NO_FILE)
    return config.path


def _free_name(visit: Visit, name: str) -> str:
    """Return a name that no account has, as near to this one as can be."""
    taken = {account.name for account in visit.site.worker.config().accounts}
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if one not in taken)


def folder_for(config: Config, name: str) -> Path:
    """Return where the mail of a new account goes: beside that of the others, else beside the state."""
    parents = [
        place.path.parent
        for account in config.accounts
        for place in account.destinations
        if isinstance(place, MboxDestination)
    ]
    is_known = bool(parents) and len(set(parents)) == 1 and parents[0] != config.state_dir.parent
    return (parents[0] if is_known else config.state_dir.parent / "archive") / name


def show_places(visit: Visit) -> Response:
    """Say what was seen at the log-in, and ask where the mail goes and what happens at the provider."""
    begun = _kept(visit, visit.query("draft"))
    if begun is None:
        return visit.page("add.html", 409, problem=words.TRIED_TOO_LATE, written="")
    name = _free_name(visit, name_for(read_address(begun.address)))
    folder = str(folder_for(visit.site.worker.config(), name))
    return _places_page(visit, begun, Places(name, folder, NO_MAILBOX, Wish(), is_trial=False))


def _kept(visit: Visit, key: str) -> Begun | None:
    return visit.site.drafts.get(visit.form_token, key, Begun)


def _places_page(visit: Visit, begun: Begun, filled: Places, code: int = 200, problems: Sequence[str] = ()) -> Response:
    return visit.page(
        "add_places.html",
        code,
        draft=visit.field("draft") or visit.query("draft"),
        begun=begun,
        filled=filled,
        problems=problems,
        tried=TRIED,
        ways=list(TlsMode),
    )


def add(visit: Visit) -> Response:
    """Copy a message, or ten, prove them at each place, and write the account; nothing is written where that fails."""
    begun = _kept(visit, visit.field("draft"))
    if begun is None:
        return visit.page("add.html", 409, problem=words.TRIED_TOO_LATE, written="")
    filled = Places(
        visit.field("name").strip(),
        visit.field("folder").strip(),
        server_in(visit, "imap-"),
        wish_in(visit),
        visit.field("first") == "ten",
    )
    if problem := problem_of_own(visit):
        return _places_page(visit, begun, filled, 422, [problem])
    if not _ONE.acquire(blocking=False):
        return _places_page(visit, begun, filled, 409, [words.ONE_AT_A_TIME])
    password = password_in(visit, "imap-password")
    try:
        _added(visit, begun, filled, password)
    except ConfigError as error:
        return _refused(visit, begun, filled, password, error.problems)
    except FerryError as error:
        return _refused(visit, begun, filled, password, [error.message, error.server_words, error.cure])
    finally:
        _ONE.release()
    visit.site.drafts.drop(visit.field("draft"))
    visit.note("add mailbox", filled.name)
    refusal = visit.site.worker.reload()
    if any(account.name == filled.name for account in visit.site.worker.config().accounts):
        return visit.go_to(path_of_account(filled.name), Said.TRIED if filled.is_trial else Said.ADDED)
    return visit.go_to("/", Said.NOT_IN_FORCE if refusal else Said.ADDED)


def _refused(visit: Visit, begun: Begun, filled: Places, password: str, said: Sequence[str]) -> Response:
    """Show the form again, with the reason."""
    visit.note("add mailbox", filled.name, "refused")
    own = begun.password.value if isinstance(begun.password, TextSecret) else ""
    return _places_page(visit, begun, filled, 422, _without(password, _without(own, said)))


def _added(visit: Visit, begun: Begun, filled: Places, password: str) -> None:
    draft = _draft(visit, begun, filled, password)
    config, account = draft.checked()
    report = copy_some(account, config, Effects(stop=threading.Event()), TRIED if filled.is_trial else 1)
    if not has_proven(report):
        raise failure_of(report)
    vault, now, by = vault_of(visit.site.worker.config()), visit.site.clock(), visit.user.name
    with visit.site.ledger() as ledger:
        if filled.is_trial:  # before the account is there: nobody is to work it meanwhile
            pause([account], ledger, now)
        try:
            draft.write(lambda undo: VaultKeeper(vault, filled.name, undo, now, by))
        except BaseException:
            resume([account], ledger)
            raise


def _draft(visit: Visit, begun: Begun, filled: Places, password: str) -> Draft:
    config = visit.site.worker.config()
    if any(account.name == filled.name for account in config.accounts):
        raise ConfigError([words.MAILBOX_TAKEN])
    places = [folder_keys(filled.folder)] if filled.folder else []
    secrets = []
    if not filled.mailbox.is_empty:
        if not password:
            raise ConfigError([words.NO_PASSWORD_OF_PLACE])
        places.append(mailbox_keys(filled.mailbox))
        secrets.append(TextSecret(password))
    if not places:
        raise ConfigError([words.NO_DESTINATION])
    wish = filled.wish.written()
    source = begun.source if wish is True else {**begun.source, "leave_on_server": wish}
    return Draft(site_of(_file_of(config), stored_sheets), filled.name, source, begun.password, places, secrets)
