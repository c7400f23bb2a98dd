"""Reads a configuration file, all of it, before anything is touched: every problem is found, not only the first."""

from __future__ import annotations

import re
import stat
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from migrator.config import passwords, values
from migrator.config.model import (
    ACCOUNT_KEYS,
    DESTINATIONS,
    TOP_KEYS,
    Account,
    Config,
    Destination,
    ImapDestination,
    MaildirDestination,
    MboxDestination,
    Server,
    Source,
)
from migrator.config.problems import Place, described, nearest
from migrator.config.table import Context, Table
from migrator.config.worker import LimitsTable, Metrics, Notify, Pings, Schedule, Smtp, VerifySchedule
from migrator.errors import ConfigError
from migrator.model import mailbox_identity

AnyTable = TypeVar("AnyTable", bound=Table)
Raw = Mapping[str, object]

_DEFAULTS: dict[str, type[Server]] = {"source": Source, "imap": ImapDestination}
_STAND_INS: Raw = {"host": "localhost", "username": "-", "password": "-", "type": "imap"}
"""What makes a table of defaults complete, so that each of its values can be judged by itself."""


def load(path: Path) -> Config:
    """Read and check a configuration file; raises ``ConfigError`` with a line for every problem in it."""
    text = _text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_not_toml(path, str(error))]) from None
    return Reading(path, text, document).config()


def _not_toml(path: Path, reason: str) -> str:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", reason)
    return f"{path}, line {found[2]}: this is not TOML: {found[1]}" if found else f"{path}: this is not TOML: {reason}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (octet {error.start})"]) from None


class Reading:
    """One reading of one document: collects problems until the end."""

    def __init__(self, path: Path, text: str, document: Raw) -> None:
        self.path = path
        self.document = document
        self.top = Place(file=str(path), text=text)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.files = [path]
        withheld = passwords.variables_in(document)
        self.context = Context(folder=path.absolute().parent, withheld=withheld)

    def config(self) -> Config:
        """Return the configuration, or raise ``ConfigError`` with everything that is wrong with it."""
        self._unknown(self.document, tuple(TOP_KEYS), self.top)
        defaults = self._defaults()
        schedule = self._optional("schedule", Schedule) or Schedule()
        verify = self._optional("verify", VerifySchedule) or VerifySchedule()
        limits = self._optional("limits", LimitsTable) or LimitsTable()
        metrics = self._optional("metrics", Metrics)
        notify = self._notify()
        pings = self._optional("pings", Pings)
        state_dir = self._state_dir()
        accounts = self._accounts(defaults)
        self._together(accounts, state_dir)
        self._warn_if_readable(self.path, self.document)
        if self.problems:
            raise ConfigError(list(dict.fromkeys(self.problems)))
        return Config(
            path=self.path,
            files=tuple(self.files),
            state_dir=state_dir,
            schedule=schedule,
            verify=verify,
            limits=limits,
            metrics=metrics,
            notify=notify,
            pings=pings,
            accounts=tuple(accounts),
            warnings=tuple(self.warnings),
        )

    def _unknown(self, raw: Raw, keys: tuple[str, ...], place: Place) -> None:
        for key in raw:
            if key not in keys:
                self.problems.append(place.say(f'unknown key "{key}"{nearest(key, keys)}', beside=key))

    def _table(
        self, model: type[AnyTable], raw: Raw, place: Place, *, judged: frozenset[str] = frozenset()
    ) -> AnyTable | None:
        """Validate one table; problems of the keys in ``judged`` have been reported where they stand."""
        try:
            return model.model_validate(raw, context=self.context)
        except ValidationError as error:
            errors = [found for found in error.errors() if not (found["loc"] and found["loc"][0] in judged)]
            self.problems += described(errors, model.key_names(), place)
            return None

    def _optional(self, key: str, model: type[AnyTable]) -> AnyTable | None:
        raw = self._mapping(self.document, key, self.top)
        return None if raw is None else self._table(model, raw, self.top.at(key))

    def _notify(self) -> Notify | None:
        raw = self._mapping(self.document, "notify", self.top)
        if raw is None:
            return None
        smtp = self._mapping(raw, "smtp", self.top.at("notify"))
        server = self._table(Smtp, smtp, self.top.at("notify", "smtp")) if smtp is not None else None
        return self._table(Notify, {**raw, "smtp": server}, self.top.at("notify"))

    def _mapping(self, raw: Raw, key: str, place: Place) -> Raw | None:
        """Return a table within a table, None where it is missing or no table; the latter is a problem."""
        inner = raw.get(key)
        if inner is None or isinstance(inner, dict):
            return inner
        self.problems.append(place.say(f"must be a table, written {place.at(key).table}", key))
        return None

    def _list(self, raw: Raw, key: str, place: Place) -> list[Raw]:
        """Return an array of tables, empty where it is missing or something else; the latter is a problem."""
        inner = raw.get(key, [])
        if isinstance(inner, list) and all(isinstance(element, dict) for element in inner):
            return inner
        self.problems.append(place.say(f"must be written {place.at(key, 0).table}, once for each", key))
        return []

    def _defaults(self) -> dict[str, Raw]:
        raw = self._mapping(self.document, "defaults", self.top) or {}
        place = self.top.at("defaults")
        self._unknown(raw, tuple(_DEFAULTS), place)
        defaults = {key: self._mapping(raw, key, place) or {} for key in _DEFAULTS}
        for key, model in _DEFAULTS.items():
            stand_ins = {name: value for name, value in _STAND_INS.items() if name in model.key_names()}
            self._table(model, {**stand_ins, **defaults[key]}, place.at(key))
        return defaults

    def _state_dir(self) -> Path:
        written = self.document.get("state_dir", "state")
        if isinstance(written, str) and written and "\0" not in written:
            return self.context.path(written)
        self.problems.append(self.top.say(f"{values.shown(written)} must be a path", "state_dir"))
        return self.context.path("state")

    def _accounts(self, defaults: Mapping[str, Raw]) -> list[Account]:
        raws = [
            (raw, self.top.at("accounts", index))
            for index, raw in enumerate(self._list(self.document, "accounts", self.top))
        ]
        raws += self._bulk()
        if not raws and not self.problems:
            self.problems.append(self.top.say("there is no account; add [[accounts]]"))
        names = Counter(raw.get("name") for raw, _ in raws if isinstance(raw.get("name"), str))
        self.problems += [
            self.top.say(f'{count} accounts are named "{name}"') for name, count in names.items() if count > 1
        ]
        accounts = [self._account(raw, place, defaults) for raw, place in raws]
        return [account for account in accounts if account is not None]

    def _bulk(self) -> list[tuple[Raw, Place]]:
        """Return the accounts of ``accounts_file``, each with its line in that file."""
        written = self.document.get("accounts_file")
        if written is None:
            return []
        if not isinstance(written, str) or not written or "\0" in written:
            self.problems.append(self.top.say(f"{values.shown(written)} must be a path", "accounts_file"))
            return []
        path = self.context.path(written)
        self.files.append(path)
        try:
            from migrator.config import bulk

            sheet = list(bulk.rows(_text(path)))
        except ConfigError as error:
            self.problems += error.problems
            return []
        places = [Place(file=str(path), line=row.line) for row in sheet]
        self.problems += [place.say(row.problem) for row, place in zip(sheet, places, strict=True) if row.problem]
        good = [(row.account, place) for row, place in zip(sheet, places, strict=True) if not row.problem]
        withheld = passwords.variables_in([account for account, _ in good])
        self.context = replace(self.context, withheld=self.context.withheld | withheld)
        self._warn_if_readable(path, [account for account, _ in good])
        return good

    def _account(self, raw: Raw, place: Place, defaults: Mapping[str, Raw]) -> Account | None:
        name = self._name(raw, place)
        place = replace(place, account=name)
        self._unknown(raw, tuple(ACCOUNT_KEYS), place)
        source = self._with_defaults(
            Source, self._mapping(raw, "source", place) or {}, defaults["source"], place.at("source")
        )
        destinations = [
            self._destination(element, defaults["imap"], place.at("destinations", index))
            for index, element in enumerate(self._list(raw, "destinations", place))
        ]
        if not raw.get("destinations"):
            cure = f"add {place.at('destinations', 0).table}" if place.table else "fill mbox, maildir or imap_host"
            self.problems.append(place.say(f"has no destination; {cure}"))
        schedule_raw = self._mapping(raw, "schedule", place)
        schedule = self._table(Schedule, schedule_raw, place.at("schedule")) if schedule_raw is not None else None
        if self.problems or source is None:
            return None
        ends = tuple(destination for destination in destinations if destination is not None)
        return Account(name=name, source=source, destinations=ends, schedule=schedule)

    def _name(self, raw: Raw, place: Place) -> str:
        if "name" not in raw:
            self.problems.append(place.say("is missing", "name"))
            return ""
        try:
            return values.account_name(raw["name"])
        except ValueError as error:
            self.problems.append(place.say(str(error), "name"))
            return ""

    def _destination(self, raw: Raw, defaults: Raw, place: Place) -> Destination | None:
        kind = raw.get("type")
        model = DESTINATIONS.get(kind) if isinstance(kind, str) else None
        if model is None:
            guess = (
                nearest(str(kind), tuple(DESTINATIONS)) if "type" in raw else f"; known are {', '.join(DESTINATIONS)}"
            )
            reason = f"{values.shown(kind)} is no kind of destination" if "type" in raw else "is missing"
            self.problems.append(place.say(reason + guess, "type"))
            return None
        table = self._with_defaults(model, raw, defaults if model is ImapDestination else {}, place)
        return table.written_at(place) if isinstance(table, ImapDestination) else table

    def _with_defaults(self, model: type[AnyTable], raw: Raw, defaults: Raw, place: Place) -> AnyTable | None:
        # allow_plaintext is judged with the account's own host, wherever it was written.
        judged = frozenset(defaults) - frozenset(raw) - {"allow_plaintext"}
        return self._table(model, {**defaults, **raw}, place, judged=judged)

    def _together(self, accounts: list[Account], state_dir: Path) -> None:
        """Find what is wrong only between tables: folders that would hold two kinds of thing."""
        kinds: dict[Path, str] = {}
        for account in accounts:
            for destination in account.destinations:
                if isinstance(destination, MboxDestination | MaildirDestination):
                    self._folder(account.name, destination, state_dir, kinds)
            if len(set(map(_place, account.destinations))) < len(account.destinations):
                self.problems.append(self.top.say(f'account "{account.name}" has the same destination twice'))

    def _folder(
        self, account: str, destination: MboxDestination | MaildirDestination, state_dir: Path, kinds: dict[Path, str]
    ) -> None:
        path, real_state_dir = destination.path.resolve(), state_dir.resolve()  # a symbolic link hides nothing
        if real_state_dir == path or path in real_state_dir.parents:
            reason = f'state_dir {state_dir} lies in the archive folder {path} of account "{account}"; keep them apart'
            self.problems.append(self.top.say(reason, "state_dir"))
        if kinds.setdefault(path, destination.type) != destination.type:
            self.problems.append(
                self.top.say(f'account "{account}" uses {path} as {destination.type}, another one as {kinds[path]}')
            )

    def _warn_if_readable(self, path: Path, document: object) -> None:
        mode = path.stat().st_mode
        if passwords.stands_in_text(document) and mode & (stat.S_IRGRP | stat.S_IROTH):
            self.warnings.append(
                f"{path}: others may read it, and it holds a password; make it yours alone: chmod 600 {path}"
            )


def _place(destination: Destination) -> str:
    """Return what a destination really is, whatever symbolic links lead there, however its mailbox is spelled."""
    if isinstance(destination, MboxDestination | MaildirDestination):
        return f"{destination.type}:{destination.path.resolve()}"
    return mailbox_identity(destination.username, destination.host, destination.folder)
