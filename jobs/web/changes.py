"""A change of one mailbox: the form it is filled in by, the text that comes of it, and what it changes in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from jobs.web import words
from jobs.web.language import gettext as _
from jobs.web.visit import Visit
from jobs.web.wishes import (
    NO_MAILBOX,
    ServerForm,
    Wish,
    folder_keys,
    mailbox_keys,
    password_in,
    policy_in_words,
    server_in,
    wish_in,
    wish_of,
)
from migrator.config import Account, Config, Destination, ImapDestination, MboxDestination, Source
from migrator.config.edited import Change, edited
from migrator.config.redaction import toml_without_passwords
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.operations.change_account import OwnFile, checked, free_name
from migrator.wiring.account import label_of

MOST_PLACES = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was filled in. Passwords are empty where none was typed, and never shown again.

    ``kept`` are the numbers of the destinations that stay, ``passwords`` what was typed for some of them.
    """

    server: ServerForm
    wish: Wish
    kept: frozenset[int]
    folder: str = ""
    mailbox: ServerForm = NO_MAILBOX
    password: str = field(default="", repr=False)
    mailbox_password: str = field(default="", repr=False)
    passwords: Mapping[int, str] = field(default_factory=dict, repr=False)

    def typed(self) -> list[str]:
        """Return every password that was typed."""
        return [one for one in (self.password, self.mailbox_password, *self.passwords.values()) if one]


def filled_by(account: Account, like: Account | None = None) -> Filled:
    """Return the form as the settings of an account fill it in; ``like`` is the account as it was or will be."""
    shown = like or account
    source = shown.source
    kept = frozenset(n for n, place in enumerate(account.destinations) if like is None or _is_in(place, like))
    missing = [place for place in shown.destinations if not _is_in(place, account)]
    folders = [str(place.path) for place in missing if isinstance(place, MboxDestination)]
    mailboxes = [_server_of(place) for place in missing if isinstance(place, ImapDestination)]
    return Filled(
        _server_of(source),
        wish_of(source.leave_on_server),
        kept,
        next(iter(folders), ""),
        next(iter(mailboxes), NO_MAILBOX),
    )


def _server_of(end: Source | ImapDestination) -> ServerForm:
    folder = end.folder if isinstance(end, ImapDestination) else ""
    return ServerForm(end.host, str(end.port), str(end.tls), end.username, folder)


def _is_in(place: Destination, account: Account) -> bool:
    return any(label_of(one) == label_of(place) for one in account.destinations)


def filled_in(visit: Visit) -> Filled:
    """Return the form that was sent."""
    numbers = [int(one) for one in visit.form.get("kept", ()) if one in {str(n) for n in range(MOST_PLACES)}]
    typed = {n: password_in(visit, f"password-{n}") for n in range(MOST_PLACES)}
    return Filled(
        replace(server_in(visit), folder=""),  # the field of that name is another folder on the machine
        wish_in(visit),
        frozenset(numbers),
        visit.field("folder").strip(),
        server_in(visit, "imap-"),
        password_in(visit),
        password_in(visit, "imap-password"),
        {number: value for number, value in typed.items() if value},
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that is ready to be saved: the text, and the passwords by their names in the vault."""

    own: OwnFile
    text: str
    before: Account
    after: Account
    typed: Mapping[str, str] = field(repr=False)

    @property
    def changes_maildrop(self) -> bool:
        """Whether another server, or another user of it, is named."""
        return _maildrop(self.before) != _maildrop(self.after)

    @property
    def changes_source(self) -> bool:
        """Whether the log-in at the provider is another one."""
        before, after = self.before.source, self.after.source
        return (*_maildrop(self.before), before.tls, before.password) != (
            *_maildrop(self.after),
            after.tls,
            after.password,
        )

    @property
    def changes_policy(self) -> bool:
        """Whether something else happens at the provider."""
        return self.before.source.leave_on_server != self.after.source.leave_on_server

    @property
    def has_new_place(self) -> bool:
        """Whether the mail goes to a place where it did not go before."""
        return any(not _is_in(place, self.before) for place in self.after.destinations)


def _maildrop(account: Account) -> tuple[str, int, str]:
    return account.source.host, account.source.port, account.source.username


def proposed(account: Account, own: OwnFile, filled: Filled, config: Config) -> Proposal:
    """Return what comes of a form; raises ``ConfigError`` with everything that is wrong with it."""
    typed: dict[str, str] = {}

    def kept(what: str, value: str) -> Mapping[str, str]:
        name = free_name(account.name, what, config, typed)
        typed[name] = value
        return {"vault": name}

    source: dict[str, object] = dict(_changed_server(account, filled))
    if filled.password:
        source["password"] = kept("source", filled.password)
    if filled.wish != wish_of(account.source.leave_on_server):
        written = filled.wish.written()
        source["leave_on_server"] = None if written is True else written
    removed = [number for number in range(len(account.destinations)) if number not in filled.kept]
    places = {
        number: {"password": kept("imap", value)}
        for number, value in filled.passwords.items()
        if number in filled.kept
        and number < len(account.destinations)
        and isinstance(account.destinations[number], ImapDestination)
    }
    added: list[Mapping[str, object]] = [folder_keys(filled.folder)] if filled.folder else []
    if not filled.mailbox.is_empty:
        if not filled.mailbox_password:
            raise ConfigError([words.NO_PASSWORD_OF_PLACE])
        added.append({**mailbox_keys(filled.mailbox), "password": kept("imap", filled.mailbox_password)})
    if len(removed) == len(account.destinations) and not added:
        raise ConfigError([words.NO_DESTINATION])
    text = edited(own.path, own.text, Change(source, places, removed, added))
    _after_config, after = checked(own, text, account.name, config)
    return Proposal(own, text, account, after, typed)


def _is_mailbox(account: Account, number: int) -> bool:
    return isinstance(dict(enumerate(account.destinations)).get(number), ImapDestination)


def _changed_server(account: Account, filled: Filled) -> Mapping[str, object]:
    before = filled_by(account).server.keys()
    keys = filled.server.keys()
    return {key: value for key, value in keys.items() if before[key] != value}


def changed_in_words(proposal: Proposal) -> list[tuple[str, str, str]]:
    """Return what changes: what it is called, as it was, as it will be."""
    before, after = proposal.before, proposal.after
    rows = [
        (_("Server"), _server(before), _server(after)),
        (_("The name to log in with"), before.source.username, after.source.username),
        (
            _("What happens at the provider"),
            policy_in_words(before.source.leave_on_server),
            policy_in_words(after.source.leave_on_server),
        ),
        (_("Where its mail goes"), _places(before), _places(after)),
    ]
    changed = [row for row in rows if row[1] != row[2]]
    if before.source.password != after.source.password:
        changed.append((_("Password"), _("as it is now"), _("the new one")))
    if any(name.rpartition("/")[2].startswith("imap") for name in proposal.typed):
        changed.append((_("Password of the mailbox that mail is copied to"), _("as it is now"), _("the new one")))
    return changed


def _server(account: Account) -> str:
    return f"{account.source.host}:{account.source.port} ({account.source.tls})"


def _places(account: Account) -> str:
    return ", ".join(label_of(place) for place in account.destinations)


def diff(before: str, after: str) -> list[str]:
    """Return the lines that differ, as ``diff -u`` shows them; empty where secrets may stand in them."""
    shown = [toml_without_passwords(text) for text in (before, after)]
    if shown[0] is None or shown[1] is None:
        return []
    lines: Sequence[str] = list(difflib.unified_diff(shown[0].splitlines(), shown[1].splitlines(), n=1, lineterm=""))
    return list(lines[2:])
