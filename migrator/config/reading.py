"""Reads a configuration file, all of it, before anything is touched: every problem is found, not only the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from migrator.config import account_files, passwords, values, worker_tables as worker
from migrator.config.document import document_of, exposed_password, text_of
from migrator.config.keys import ACCOUNT_KEYS, TOP_KEYS
from migrator.config.model import NO_ACCOUNT, Account, BadRow, Config, Destination, ImapDestination
from migrator.config.oauth import OAuthTable, TokenSources
from migrator.config.openid_table import OpenIdTable
from migrator.config.places import problems_together
from migrator.config.problems import Place, described, nearest
from migrator.config.server_tables import DESTINATIONS, ImapTable, ServerTable, SourceTable
from migrator.config.settings_file import KEYS as SETTINGS, SettingsFile, read_settings, settings_file
from migrator.config.state_places import ledger_address, state_folder
from migrator.config.stored_reading import StoredReading
from migrator.config.table import Checking, Context, Table
from migrator.config.vault_key import VAULT, KeyPlaces
from migrator.config.vault_secret import VaultSecret
from migrator.config.worker import Limits, Schedule, VerifySchedule, Web
from migrator.errors import ConfigError
from migrator.lazy_dataclasses import replace

if TYPE_CHECKING:
    from migrator.config.sheets import NamedSheet, StoredSheets

Value = TypeVar("Value")
AnyTable = TypeVar("AnyTable", bound=Checking[object])
Raw = Mapping[str, object]

_DEFAULTS: dict[str, type[ServerTable]] = {"source": SourceTable, "imap": ImapTable}
_STAND_INS: Raw = {"host": "localhost", "username": "-", "password": "-", "type": "imap"}
"""What makes a table of defaults complete, so that each of its values can be judged by itself."""


def load(path: Path, stored: StoredSheets | None = None) -> Config:
    """Read and check a configuration file; raises ``ConfigError`` with a line for every problem in it.

    ``stored`` reads the accounts that are kept in the ledger's database; without it there are none.
    """
    return reading_of(path, stored).config()


def reading_of(path: Path, stored: StoredSheets | None = None) -> Reading:
    """Return the reading of a file as it is now; raises ``ConfigError`` where it is no TOML."""
    text = text_of(path)
    return Reading(path, text, document_of(path, text), stored=stored)


def load_with(path: Path, text: str, account: Raw, stored: StoredSheets | None = None) -> Config:
    """Check a configuration as it will be once another account stands beside it; raises ``ConfigError``."""
    document = document_of(path, text)
    accounts = document.get("accounts", [])
    together = [*accounts, account] if isinstance(accounts, list) else accounts
    return Reading(path, text, {**document, "accounts": together}, stored=stored).config()


def load_instead(path: Path, file: Path, text: str, stored: StoredSheets | None = None) -> Config:
    """Check a configuration as it will be once the file of one of its accounts has another text.

    Raises ``ConfigError``.
    """
    own = text_of(path)
    return Reading(path, own, document_of(path, own), {file.absolute(): text}, stored).config()


class Reading:
    """One reading of one document: collects problems until the end."""

    def __init__(
        self,
        path: Path,
        text: str,
        document: Raw,
        instead: Mapping[Path, str] | None = None,
        stored: StoredSheets | None = None,
    ) -> None:
        """``instead`` are texts in place of what stands in some files of accounts."""
        self.path = path
        self._instead = instead or {}
        self._stored = StoredReading(stored)
        self.document = document
        self.top = Place(file=str(path), text=text)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.bad_rows: list[BadRow] = []
        self.read: dict[Path, tuple[str, object]] = {path: (text, document)}
        """Each file by what stood in it; of a sheet no text."""
        withheld = passwords.variables_in(document)
        self.context = Context(folder=path.absolute().parent, withheld=withheld)

    def config(self) -> Config:
        """Return the configuration, or raise ``ConfigError`` with everything that is wrong with it."""
        self._unknown(self.document, tuple(TOP_KEYS), self.top)
        state_dir = self.context.path(state_folder(self.document, self.top, self.problems))
        ledger = ledger_address(self.document, self.top, self.problems)
        self._settings = self._settings_file(state_dir)
        web = self._web(state_dir)
        self._oauth(state_dir)
        defaults = self._defaults()
        schedule = self._optional("schedule", worker.ScheduleTable) or Schedule()
        verify = self._optional("verify", worker.VerifyTable) or VerifySchedule()
        limits = self._optional("limits", worker.LimitsTable) or Limits()
        metrics = self._optional("metrics", worker.MetricsTable)
        notify = self._nested("notify", worker.NotifyTable, "smtp", worker.SmtpTable)
        pings = self._optional("pings", worker.PingsTable)
        accounts = self._accounts(defaults, state_dir, self._sheets(defaults, state_dir, ledger))
        self.warnings += exposed_password(self.path, self.document)
        if self.problems:
            raise ConfigError(list(dict.fromkeys(self.problems)))
        return Config(
            path=self.path,
            files=tuple(self.read),
            state_dir=state_dir,
            ledger=ledger,
            schedule=schedule,
            verify=verify,
            limits=limits,
            metrics=metrics,
            notify=notify,
            pings=pings,
            web=web,
            changed_by_page=frozenset(filter(self._settings.counts, SETTINGS)),
            accounts=accounts,
            warnings=tuple(self.warnings),
            bad_rows=tuple(self.bad_rows),
            stored_revision=self._stored.revision,
            unread=self._stored.unread,
        )

    def _unknown(self, raw: Raw, keys: tuple[str, ...], place: Place) -> None:
        for key in raw:
            if key not in keys:
                self.problems.append(place.say(f'unknown key "{key}"{nearest(key, keys)}', beside=key))

    def _table(
        self, model: type[Checking[Value]], raw: Raw, place: Place, *, judged: frozenset[str] = frozenset()
    ) -> Value | None:
        """Return what one table says; problems of the keys in ``judged`` have been reported where they stand."""
        table = self._checked(model, raw, place, judged)
        return None if table is None else table.value()

    def _checked(
        self, model: type[AnyTable], raw: Raw, place: Place, judged: frozenset[str] = frozenset()
    ) -> AnyTable | None:
        try:
            return model.model_validate(raw, context=self.context)
        except ValidationError as error:
            errors = [found for found in error.errors() if not (found["loc"] and found["loc"][0] in judged)]
            self.problems += described(errors, model.key_names(), place)
            return None

    def _optional(self, key: str, model: type[Checking[Value]]) -> Value | None:
        document, top = self._where(key)
        raw = self._mapping(document, key, top)
        return None if raw is None else self._table(model, raw, top.at(key))

    def _nested(self, key: str, model: type[Checking[Value]], inner: str, inner_model: type[Table]) -> Value | None:
        """Validate a table that has another in it; each is named with its own problems."""
        document, top = self._where(key)
        raw = self._mapping(document, key, top)
        within = self._mapping(raw or {}, inner, top.at(key))
        table = None if within is None else self._checked(inner_model, within, top.at(key, inner))
        return None if raw is None else self._table(model, {**raw, inner: table}, top.at(key))

    def _where(self, key: str) -> tuple[Raw, Place]:
        """Return the document that a table counts in: the configuration itself, or what the page has written."""
        own = (self.document, self.top)
        return (self._settings.document, self._settings.place) if self._settings.counts(key) else own

    def _settings_file(self, state_dir: Path) -> SettingsFile:
        """Read what the page has written beside accounts."""
        found = read_settings(settings_file(state_dir), self.document, self._instead)
        self.problems += found.problems
        self.warnings += found.warnings(self.path)
        if found.place.file:
            self._take_in(found.path, found.place.text, found.document)
        return found

    def _take_in(self, path: Path, text: str, document: object, *, is_file: bool = True) -> None:
        """Note a further file, the variables that hold passwords by it, and whether others can read one in it."""
        self.context = replace(self.context, withheld=self.context.withheld | passwords.variables_in(document))
        if is_file:
            self.read[path] = (text, document)
            self.warnings += exposed_password(path, document)

    def _web(self, state_dir: Path) -> Web | None:
        """Read what concerns the page, and let passwords name the vault that it fills."""
        web = self._nested("web", worker.WebTable, "oidc", OpenIdTable)
        keys = KeyPlaces(state_dir, web.vault_key if web else None, self.context.folder)
        if keys.configured is not None and keys.is_inside_state(keys.configured):
            reason = f"{keys.configured} lies in state_dir {state_dir}: who takes that away has both; keep them apart"
            self.problems.append(self.top.at("web").say(reason, "vault_key"))
        self.context = replace(self.context, kept=partial(VaultSecret, path=state_dir / VAULT, keys=keys))
        return web

    def _oauth(self, state_dir: Path) -> None:
        """Read the providers of access tokens, and let passwords name them."""
        self.tokens = TokenSources(self.context, state_dir)
        tables = self._mapping(self.document, "oauth", self.top) or {}
        for name in tables:
            raw, place = self._mapping(tables, name, self.top.at("oauth")), self.top.at("oauth", name)
            table = None if raw is None else self._table(OAuthTable, raw, place)
            self.problems += [place.say(problem) for problem in self.tokens.add(name, table)]
        self.context = replace(self.context, tokens=self.tokens.secret)

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
        self._unknown(raw, (*_DEFAULTS, "destination"), place)
        defaults = {key: self._mapping(raw, key, place) or {} for key in (*_DEFAULTS, "destination")}
        for key, model in _DEFAULTS.items():
            stand_ins = {name: value for name, value in _STAND_INS.items() if name in model.key_names()}
            self._table(model, {**stand_ins, **defaults[key]}, place.at(key))
        if destination := defaults["destination"]:
            self._destination(destination, defaults["imap"], place.at("destination"))
        return defaults

    def _accounts(
        self, defaults: Mapping[str, Raw], state_dir: Path, sheets: Sequence[NamedSheet]
    ) -> Sequence[Account]:
        own = [
            (raw, self.top.at("accounts", index))
            for index, raw in enumerate(self._list(self.document, "accounts", self.top))
        ]
        files = self._account_files(state_dir)
        # Where there is a page, the first account is added there; into a database it is imported.
        if not (own or sheets or files or self.problems or self.document.keys() & {"web", "ledger"}):
            self.problems.append(self.top.say(NO_ACCOUNT))
        names = Counter(raw.get("name") for raw, _ in own + files if isinstance(raw.get("name"), str))
        self.problems += [
            self.top.say(f'{count} accounts are named "{name}"') for name, count in names.items() if count > 1
        ]
        before, after = (
            [account for raw, place in raws if (account := self._account(raw, place, defaults)) is not None]
            for raws in (own, files)
        )
        kinds: dict[str, str] = {}
        for account in before + after:
            self._together(account, state_dir, kinds)
        if not sheets:
            return (*before, *after)
        from migrator.config.row_reading import Folders
        from migrator.config.rows import Accounts
        from migrator.config.sheets import Surroundings, read_sheets

        def judged(raw: Raw, place: Place) -> tuple[Account | None, list[str]]:
            others, self.problems = self.problems, []
            account = self._account(raw, place, defaults)
            if account is not None:
                self._together(account, state_dir, kinds)
            found, self.problems = self.problems, others
            return account, found

        around = Surroundings(self.context, defaults["destination"], Folders(state_dir, kinds), judged)
        try:
            rows, bad = read_sheets(sheets, names, around)
        except ConfigError as error:  # a line that is no CSV
            self.problems += error.problems
            return ()
        self.bad_rows += bad
        return Accounts(before, rows, after)

    def _sheets(self, defaults: Mapping[str, Raw], state_dir: Path, ledger: str) -> list[NamedSheet]:
        """Return the sheets that have rows and can be read: of ``accounts_file``, and of the ledger's database."""
        found = [*self._sheet(defaults, state_dir), *self._stored.sheets("" if self.problems else ledger)]
        try:
            for one in found:
                self._take_in(Path(one.place.file), "", one.sheet.passwords(), is_file=not one.place.is_stored)
            return [one for one in found if next(one.sheet.filled(), None)]
        except ConfigError as error:  # a line that is no CSV
            self.problems += error.problems
            return []

    def _sheet(self, defaults: Mapping[str, Raw], state_dir: Path) -> list[NamedSheet]:
        """Return the sheet of ``accounts_file``, none where it cannot be read."""
        written = self.document.get("accounts_file")
        if written is None:
            return []
        if not isinstance(written, str) or not written or "\0" in written:
            self.problems.append(self.top.say(f"{values.shown(written)} must be a path", "accounts_file"))
            return []
        from migrator.config.found_servers import servers_found
        from migrator.config.row_reading import opened_sheet
        from migrator.config.sheets import NamedSheet

        path = self.context.path(written)
        try:
            servers = {} if "host" in defaults["source"] else servers_found(state_dir)
            return [NamedSheet(Place(file=str(path)), opened_sheet(path), servers=servers)]
        except ConfigError as error:
            self.problems += error.problems
            return []

    def _account_files(self, state_dir: Path) -> list[tuple[Raw, Place]]:
        """Return the accounts that stand in files of their own."""
        folders = account_files.folders_of(self.path, state_dir)
        return [found for path in account_files.account_files(folders) for found in self._account_file(path)]

    def _account_file(self, path: Path) -> list[tuple[Raw, Place]]:
        try:
            text = self._instead.get(path.absolute()) or text_of(path)
            document = document_of(path, text)
        except ConfigError as error:
            self.problems += error.problems
            return []
        top = Place(file=str(path), text=text)
        self._unknown(document, account_files.KEYS, top)
        tables = self._list(document, "accounts", top)
        if len(tables) != 1:
            self.problems.append(top.say(f"has {len(tables)} accounts; a file in {path.parent.name} has one"))
            return []
        self._take_in(path, text, document)
        return [(tables[0], top.at("accounts", 0))]

    def _account(self, raw: Raw, place: Place, defaults: Mapping[str, Raw]) -> Account | None:
        name = self._name(raw, place)
        place = replace(place, account=name)
        self.context = replace(self.context, tokens=self.tokens.of_account(name))
        self._unknown(raw, tuple(ACCOUNT_KEYS), place)
        source = self._with_defaults(
            SourceTable, self._mapping(raw, "source", place) or {}, defaults["source"], place.at("source")
        )
        destinations = [
            self._destination(element, defaults["imap"], place.at("destinations", index))
            for index, element in enumerate(self._list(raw, "destinations", place))
        ]
        if not raw.get("destinations"):
            self.problems.append(place.say(f"has no destination; add {place.at('destinations', 0).table}"))
        schedule_raw = self._mapping(raw, "schedule", place)
        schedule = (
            self._table(worker.ScheduleTable, schedule_raw, place.at("schedule")) if schedule_raw is not None else None
        )
        if self.problems or source is None:
            return None
        ends = tuple(destination for destination in destinations if destination is not None)
        return Account(name=name, source=source, destinations=ends, schedule=schedule, place=place)

    def _name(self, raw: Raw, place: Place) -> str:
        if "name" not in raw:
            self.problems.append(place.say("is missing", "name"))
            return ""
        if raw["name"] == _name_of_one_shot(raw):
            return str(raw["name"])
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
            reason = f"{values.shown(kind)} is not a kind of destination" if "type" in raw else "is missing"
            self.problems.append(place.say(reason + guess, "type"))
            return None
        table = self._with_defaults(model, raw, defaults if model is ImapTable else {}, place)
        return table.written_at(place) if isinstance(table, ImapDestination) else table

    def _with_defaults(self, model: type[Checking[Value]], raw: Raw, defaults: Raw, place: Place) -> Value | None:
        # allow_plaintext is judged with the account's own host, wherever it was written.
        judged = frozenset(defaults) - frozenset(raw) - {"allow_plaintext"}
        return self._table(model, {**defaults, **raw}, place, judged=judged)

    def _together(self, account: Account, state_dir: Path, kinds: dict[str, str]) -> None:
        self.problems += [self.top.say(*found) for found in problems_together(account, state_dir, kinds)]


def _name_of_one_shot(raw: Raw) -> str | None:
    """Return what ``migrate --from`` calls an account with this source, whatever characters its user's name has."""
    source = raw.get("source")
    return f"{source.get('username')}@{source.get('host')}" if isinstance(source, dict) else None
