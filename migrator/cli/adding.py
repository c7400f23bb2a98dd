"""The questions that an account is made of, each answered by a flag, a default, or a person."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.cli import questions
from migrator.cli.context import mask_secrets
from migrator.cli.finding_servers import address_of, agreed_server, secret_label, step_as_cure, step_lines
from migrator.config.new_account import site_of
from migrator.config.secrets import FileSecret, TextSecret
from migrator.config.urls import destination_keys
from migrator.discovery import Address, Found, SecretKind, is_address
from migrator.errors import ConfigError, FerryError, Kind
from migrator.lazy_dataclasses import replace
from migrator.net.certificates import OtherNameError
from migrator.net.first_words import Service
from migrator.net.tls import TlsMode
from migrator.operations.add_account import Draft, Look, Password, given_server, look, name_for, source_keys
from migrator.ui.text import plain, plural, size
from migrator.wiring.stored_accounts import stored_sheets

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ui.console import Console

Raw = Mapping[str, object]


class Asking:
    """The questions of one call, each answered by a flag, a default, or a person."""

    def __init__(self, arguments: Namespace, screen: Console, address: Address) -> None:
        self.arguments = arguments
        self.screen = screen
        self.address = address
        self.name: str = arguments.name or name_for(address)
        self.site = site_of(arguments.config, stored_sheets)
        self._place_passwords = iter(arguments.to_passwords)

    def check_flags(self) -> None:
        """Raise ``ConfigError`` for whatever is wrong without anybody being asked."""
        given = self.arguments
        if where := self.site.place_of(self.name):
            raise ConfigError([f'an account "{self.name}" is there already ({where}); choose another --name'])
        if len(given.passwords) + bool(given.oauth) > 1:
            raise ConfigError(["--password-env, -file, -command and --oauth: give only one of them"])
        keys = source_keys(self._stand_in(), given.leave_on_server)
        if given.auth:
            keys["auth"] = given.auth
        password = self._given_password or TextSecret("-")
        draft = self._drafted(keys, password)
        if len(given.to_passwords) > len(draft.place_passwords) + sum(map(is_address, given.places)):
            raise ConfigError(["--to-password-…: given more often than there are IMAP mailboxes"])
        draft.checked()

    def _drafted(self, source: Raw, password: Password) -> Draft:
        """Return an account that goes where the flags say as far as that is known, or to the default."""
        places = [keys for keys in map(self._read_place, self.arguments.places) if keys] or [self._default_place()]
        stand_ins = [TextSecret("-") for place in places if place["type"] == "imap"]
        return Draft(self.site, self.name, source, password, places, stand_ins)

    def _stand_in(self) -> Found:
        """Return the server as far as the flags name it."""
        given = self.arguments
        tls = TlsMode(given.tls or "implicit")
        found = given_server(self.address, given.host or "localhost", given.port, tls, Service.POP3)
        return self._as_told(found)

    def _as_told(self, found: Found) -> Found:
        given = self.arguments
        if given.tls and given.tls != found.tls and not given.port:
            found = replace(found, port=995 if given.tls == "implicit" else 110)
        return replace(
            found,
            port=given.port or found.port,
            tls=TlsMode(given.tls) if given.tls else found.tls,
            username=given.username or found.username,
            auth=given.auth or found.auth,
        )

    def server(self) -> Found:
        """Return the server that was named, or found and agreed to."""
        given = self.arguments
        if given.host:
            return self._stand_in()
        found = agreed_server(
            self.address, Service.POP3, accepts_trusted=given.yes, is_online=given.online, screen=self.screen
        )
        return self._as_told(found)

    def draft(self, found: Found) -> Draft:
        """Return the account with its password; where it goes is as the flags say, or the default."""
        for line in step_lines(found.provider):
            self.screen.note(plain(line))
        password = self._given_password or self._asked_password(found)
        draft = self._drafted(source_keys(found, self.arguments.leave_on_server), password)
        config, account = draft.checked()
        missing = account.source.password.missing()
        if missing:
            raise ConfigError([f"{self.name}: {missing}"])
        mask_secrets(config, self.screen)
        return draft

    @cached_property
    def _given_password(self) -> Password | None:
        """What the flags say of the password; once, for a pipe can be read but once."""
        given = self.arguments
        if given.oauth:
            return {"oauth": given.oauth}
        return _reference(given.passwords[0]) if given.passwords else None

    def _asked_password(self, found: Found) -> TextSecret:
        provider = found.provider
        if provider is not None and provider.secret is SecretKind.OAUTH:
            how = f"add --oauth {provider.oauth}, or name a password that it takes by --password-env, -file or -command"
            raise ConfigError([f"{provider.name} wants a sign-in in place of a password: {how}"])
        return self._asked_secret(f"{secret_label(provider)} of {found.username} at {found.host}:", "--password")

    def _asked_secret(self, question: str, option: str) -> TextSecret:
        if not questions.is_possible():
            what = question.removesuffix(":")
            raise ConfigError(
                [f"{what} is missing; give it by {option}-env VAR, {option}-file FILE or {option}-command CMD"]
            )
        typed = TextSecret(questions.secret(question))
        self.screen.mask([typed.value])
        return typed

    def looked_at(self, draft: Draft, found: Found) -> tuple[Look, Draft]:
        """Log in once; a server that proves another name is taken only if a person says so."""
        _, account = draft.checked()
        try:
            seen = look(account)
        except OtherNameError as error:
            renamed = self._renamed(draft, error)
            if renamed is None:
                error.cure = f"if that is your provider's server, name it: --host {' or --host '.join(error.names)}"
                raise
            draft = renamed
            seen = look(draft.checked()[1])
        except FerryError as error:
            if error.kind is Kind.AUTH and error.finding in {"", "auth-refused"}:
                error.cure = step_as_cure(found.provider, error.cure)
            raise
        what = plural(seen.messages, "message")
        self.screen.note(f"Logged in: {what}, {size(seen.octets)}. Nothing is deleted now.")
        for subject in seen.subjects:
            self.screen.note(plain(f"  {subject or '(no subject)'}"))
        return seen, draft

    def _renamed(self, draft: Draft, error: OtherNameError) -> Draft | None:
        """Return the account at a name that the server's certificate is for; nothing was sent to it yet."""
        if self.arguments.yes or not questions.is_possible():
            return None
        self.screen.problem(plain(error.message))
        for name in error.names:
            if "*" not in name and questions.agreed(f"Use {name} in place of {draft.source['host']}?"):
                return replace(draft, source={**draft.source, "host": name})
        return None

    def with_places(self, draft: Draft) -> Draft:
        """Return the account with the places where its mail is to go, and their passwords."""
        written = self.arguments.places or [self._asked_place()]
        places = [self._read_place(one) or self._mailbox(address_of(one)) for one in written]
        passwords = [self._place_password(place) for place in places if place["type"] == "imap"]
        return replace(draft, places=places, place_passwords=passwords)

    def _asked_place(self) -> str:
        default = str(self._default_place()["path"])
        if self.arguments.yes or not questions.is_possible():
            return default
        self.screen.problem("Where to keep the mail? A folder, maildir:PATH, imaps://user@host/Folder,")
        self.screen.problem("or the address of another mailbox, to which it is uploaded.")
        while True:
            place = questions.answer("Place:", default)
            try:
                self._read_place(place)
            except ConfigError as error:  # a slip is no reason to begin again, and to type the password once more
                for problem in error.problems:
                    self.screen.problem(plain(problem.removeprefix("--to: ")))
            else:
                return place

    def _read_place(self, written: str) -> dict[str, object] | None:
        """Return a destination's table without a password; None for an address, whose server is not known yet."""
        if "://" in written or written.startswith(("mbox:", "maildir:")):
            return destination_keys(written)
        return None if is_address(written) else destination_keys(f"mbox:{written}")

    def _default_place(self) -> dict[str, object]:
        return destination_keys(f"mbox:{Path.home() / 'mail-archive' / self.name}")

    def _mailbox(self, address: Address) -> dict[str, object]:
        found = agreed_server(
            address,
            Service.IMAP,
            accepts_trusted=self.arguments.yes,
            is_online=self.arguments.online,
            screen=self.screen,
        )
        for line in step_lines(found.provider):
            self.screen.note(plain(line))
        return {"type": "imap", **source_keys(found, None), "folder": "INBOX"}

    def _place_password(self, place: Raw) -> Password:
        given = next(self._place_passwords, None)
        if given is not None:
            return _reference(given)
        return self._asked_secret(f"Password of {place['username']} at {place['host']}:", "--to-password")


def _reference(given: Mapping[str, str]) -> Password:
    """Return where a password comes from; a file that can be read but once is read now."""
    [(source, written)] = given.items()
    if source != "file":
        return given
    path = Path(written).expanduser().absolute()
    if path.is_file() and not path.is_relative_to("/dev") and not path.is_relative_to("/proc"):
        return {"file": str(path)}
    try:
        return TextSecret(FileSecret(path).reveal())
    except FerryError as error:
        raise ConfigError([f"--password-file: {error}"]) from None
