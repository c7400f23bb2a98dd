"""``mailferry adopt``: take over accounts and stored mail from another program, and what need not be fetched again."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.adopting.finding import Found, FoundAccount, find
from migrator.adopting.model import OldAccount, Program
from migrator.adopting.programs import PROGRAMS
from migrator.cli import questions
from migrator.cli.context import as_named, every, mask_secrets, with_passwords
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.config.account_files import FOLDER
from migrator.config.new_account import site_of
from migrator.config.secrets import TextSecret
from migrator.config.urls import destination_keys
from migrator.discovery import is_address
from migrator.errors import ConfigError, FerryError
from migrator.lazy_dataclasses import dataclass, replace
from migrator.net.tls import TlsMode
from migrator.operations.add_account import Draft, Password
from migrator.operations.adopt import Adopted, Candidate, TakeOver, look
from migrator.ui.text import group_by_reason, plain, plural
from migrator.wiring.ledger import open_ledger
from migrator.wiring.stored_accounts import load, stored_sheets

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Account, Config
    from migrator.ui.console import Console

_STEP = 5_000


def run(arguments: Namespace, screen: Console) -> int:
    """Find, ask, log in once for each account; then import, note what is known, and write the accounts."""
    program = PROGRAMS[arguments.program]
    found = find(program, [path.expanduser() for path in arguments.paths], Path.home())
    for one in found.not_taken:
        screen.note(plain(f"{one.what}: left out: {one.reason}"))
    if not found.accounts:
        places = ", ".join(map(str, found.looked_at))
        raise ConfigError([f"{places}: no POP3 account of {program.name} stands there; nothing was changed"])
    adopting = _Adopting(arguments, screen, program)
    looked = adopting.looked_at(adopting.proposals(found))
    done = adopting.previewed(looked) if arguments.dry_run else adopting.taken_over(looked)
    adopting.tell(done)
    return DONE if all(one.adopted.is_complete for one in done) and not adopting.failed else NOT_ALL_DONE


@dataclass(frozen=True, slots=True)
class _Proposal:
    """One account of ours to be; ``draft`` is None for one that is configured already."""

    candidate: Candidate
    config: Config
    file: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class _Done:
    """One account with what came of it."""

    adopted: Adopted
    old: OldAccount
    file: str


class _Adopting:
    """The questions and steps of one call."""

    def __init__(self, arguments: Namespace, screen: Console, program: Program) -> None:
        self.arguments = arguments
        self.screen = screen
        self.program = program
        self.failed: list[tuple[Account, FerryError]] = []
        self._given = iter(arguments.passwords)
        self._names: set[str] = set()

    def proposals(self, found: Found) -> list[_Proposal]:
        """Return the accounts that are to be taken over, every question answered; raises ``ConfigError``."""
        proposals = [self._proposal(one) for one in found.accounts if self._is_wanted(one)]
        if next(self._given, None) is not None:
            raise ConfigError(["--password-…: given more often than there are accounts that lack one"])
        return proposals

    def _is_wanted(self, found: FoundAccount) -> bool:
        if self.arguments.yes or not questions.is_possible():
            return True
        noted = plural(len(found.fetched), "message")
        who = f"{found.old.username} at {found.old.host}"
        return questions.agreed(f"Take over {who}, with {noted} noted as fetched?")

    def _proposal(self, found: FoundAccount) -> _Proposal:
        site = site_of(self.arguments.config, stored_sheets)
        config = None if site.is_new else load(site.path)
        if config is not None:
            for account in config.accounts:
                if _is_same_maildrop(account, found.old):
                    with_passwords(config, [account])
                    return _Proposal(Candidate(found, account), config, account.place.file if account.place else "")
        name = self._free_name(found.old, config)
        places = [_place(written) for written in self.arguments.places] or [
            destination_keys(f"mbox:{Path.home() / 'mail-archive' / name}")
        ]
        secrets = self._place_passwords(places)
        draft = Draft(site, name, self._source(found.old), self._password(found.old), places, secrets)
        checked, account = draft.checked()
        with_passwords(checked, [account])
        mask_secrets(checked, self.screen)
        file = site.path.absolute().parent / FOLDER / f"{account.file_name}.toml"
        return _Proposal(Candidate(found, account), checked, str(file), draft)

    def _free_name(self, old: OldAccount, config: Config | None) -> str:
        """Return a name that no account has: the username if it is an address, else with the host."""
        written = old.username if "@" in old.username else f"{old.username}@{old.host}"
        plainly = "".join(one if one.isalnum() or one in "._-@" else "_" for one in written)
        taken = self._names | {account.name for account in config.accounts} if config else self._names
        name, number = plainly, 1
        while name in taken:
            number += 1
            name = f"{plainly}-{number}"
        self._names.add(name)
        return name

    def _source(self, old: OldAccount) -> dict[str, object]:
        tls = self.arguments.tls or old.tls
        keys: dict[str, object] = {"host": old.host, "tls": str(tls), "username": old.username}
        if old.port is not None and (not self.arguments.tls or tls == old.tls):
            keys["port"] = old.port
        optional = {"auth": old.auth if old.auth != "auto" else "", "ca_file": old.ca_file}
        keys |= {key: value for key, value in {**optional, "fingerprint": old.fingerprint}.items() if value}
        if (left := self.arguments.leave_on_server) is not None:
            keys["leave_on_server"] = {"true": True, "false": False}.get(left.lower(), left)
        return keys

    def _password(self, old: OldAccount) -> Password:
        if isinstance(old.password, str):
            return TextSecret(old.password)
        if isinstance(old.password, Mapping):
            return old.password
        if (given := next(self._given, None)) is not None:
            return _reference(given)
        return self._asked(f"Password of {old.username} at {old.host}", "--password")

    def _place_passwords(self, places: list[dict[str, object]]) -> list[Password]:
        given = iter(self.arguments.to_passwords)
        mailboxes = [place for place in places if place["type"] == "imap"]
        return [
            _reference(said)
            if (said := next(given, None)) is not None
            else self._asked(f"Password of {place['username']} at {place['host']}", "--to-password")
            for place in mailboxes
        ]

    def _asked(self, what: str, option: str) -> TextSecret:
        if not questions.is_possible():
            how = f"give it by {option}-env VAR, {option}-file FILE or {option}-command CMD"
            raise ConfigError([f"{what} is missing; {how}"])
        return TextSecret(questions.secret(f"{what}:"))

    def looked_at(self, proposals: list[_Proposal]) -> list[_Proposal]:
        """Log in for each account, and return those that could be looked at; the others are named."""
        looked: list[_Proposal] = []
        for one in proposals:
            try:
                looked.append(replace(one, candidate=look(self.program, one.candidate)))
            except FerryError as error:
                account = one.candidate.account
                self.failed.append((account, error))
                self.screen.problem(plain(f"{account.name}: [{error.kind}] {error}; nothing of it was changed"))
        return looked

    def previewed(self, looked: list[_Proposal]) -> list[_Done]:
        """Return what would be done."""
        done: list[_Done] = []
        for one in looked:
            adopted = self._take_over(looked, one.config).preview(one.candidate)
            done.append(_Done(adopted, one.candidate.found.old, one.file))
        return done

    def taken_over(self, looked: list[_Proposal]) -> list[_Done]:
        """Import and note what is known, then write the account, whole or not at all: no worker sees it before."""
        return [done for one in looked if (done := self._imported(looked, one)) is not None]

    def _imported(self, looked: list[_Proposal], one: _Proposal) -> _Done | None:
        account = one.candidate.account
        try:
            with closing(open_ledger(one.config)) as ledger:
                adopted = self._take_over(looked, one.config).take_over(one.candidate, ledger)
            file = one.file
            if one.draft is not None:
                file = str(replace(one.draft, site=site_of(self.arguments.config, stored_sheets)).write())
        except FerryError as error:
            self.failed.append((account, error))
            self.screen.problem(plain(f"{account.name}: [{error.kind}] {error}; run the command again to go on"))
            return None
        return _Done(adopted, one.candidate.found.old, file)

    def _take_over(self, looked: list[_Proposal], config: Config) -> TakeOver:
        listen = every(_STEP, lambda count: self.screen.note(f"{plural(count, 'message')} found so far"))
        candidates = [one.candidate for one in looked]
        return TakeOver(self.program, candidates, config.state_dir, config.ledger_place, on_progress=listen)

    def tell(self, done: list[_Done]) -> None:
        """Show what came of it, and what is left for a person to do."""
        if self.screen.is_json:
            failed = [
                {"name": account.name, "kind": str(error.kind), "message": str(error)} for account, error in self.failed
            ]
            accounts = [one.adopted.as_json(one.file) for one in done]
            self.screen.document({"program": self.program.name, "accounts": accounts, "failed": failed})
        for one in done:
            _tell(one, self.screen, is_dry=self.arguments.dry_run)
        if not done:
            self.screen.note("Nothing was taken over.")
        elif not self.screen.is_quiet:
            self._tell_next(done)

    def _tell_next(self, done: list[_Done]) -> None:
        name = self.program.name
        how = "its check for new mail" if name == "thunderbird" else "its daemon, timer or cron line"
        self.screen.note(f"Stop {name} ({how}) before the first run: a maildrop has one reader.")
        if any(one.old.deletes for one in done):
            what = f"{name} took fetched mail off the server; mailferry leaves it there"
            self.screen.note(f"{what}, until leave_on_server says otherwise.")
        if not self.arguments.dry_run:
            self.screen.note(f"Then: mailferry migrate{as_named(self.arguments)}")


def _is_same_maildrop(account: Account, old: OldAccount) -> bool:
    source = account.source
    port = old.port or (995 if old.tls is TlsMode.IMPLICIT else 110)
    return (source.host.lower(), source.username, source.port) == (old.host.lower(), old.username, port)


def _place(written: str) -> dict[str, object]:
    if "://" in written or written.startswith(("mbox:", "maildir:")):
        return destination_keys(written)
    if is_address(written):
        raise ConfigError([f"--to: {written} is an address; name its mailbox, as imaps://user@host/Folder"])
    return destination_keys(f"mbox:{written}")


def _reference(given: Mapping[str, str]) -> Mapping[str, str]:
    """Return where a password comes from; a relative path starts where the person is."""
    return {key: str(Path(value).expanduser().absolute()) if key == "file" else value for key, value in given.items()}


def _tell(one: _Done, screen: Console, *, is_dry: bool) -> None:
    adopted, imported = one.adopted, one.adopted.imported
    if imported is not None:
        for line in group_by_reason((place, f"[{error.kind}] {error}") for place, error in imported.failed):
            screen.problem(plain(line))
        for place, doubt in imported.doubtful:
            screen.problem(plain(f"{place}: stored, and may not be whole: {doubt}"))
        for left in imported.left_out:
            if left.is_trouble:
                screen.problem(plain(f"{left.place}: left out: {left.reason}"))
            elif screen.verbosity:
                screen.note(plain(f"{left.place}: left out: {left.reason}"))
        if imported.deleted:
            what = plural(imported.deleted, "message")
            screen.note(plain(f"{adopted.account.name}: {what} left out that its program had marked as deleted"))
    if screen.is_quiet and adopted.is_complete:
        return
    stored = f"{plural(adopted.stored, 'message')} {'would be imported' if is_dry else 'imported'}"
    known = f"{adopted.known:,} of the server's known by their copies, {adopted.to_fetch:,} to fetch"
    screen.result(plain(f"{adopted.account.name}: {stored}; {known} ({one.file})"))
