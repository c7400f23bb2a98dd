"""Change whom the worker tells: ``[notify]`` and ``[pings]`` of the file that the page writes.

As with an account, the new text is checked with the whole configuration before anything is written; what stands in the
file is compared with what the change was made from; the file is replaced as a whole, and what stood there is kept. What
was typed that is a secret is in the vault before the file names it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from migrator.config.document import text_of
from migrator.config.settings_file import FILE_NAME, settings_file
from migrator.config.vault import vault_of
from migrator.config.vault_secret import VaultSecret
from migrator.config.worker import NEVER
from migrator.errors import ConfigError, FerryError
from migrator.files import Device, LockTimeout, lock_file, replace_file, storage_error
from migrator.lazy_dataclasses import dataclass, field
from migrator.operations.change_account import VERSIONS, Author, ConflictError, free_name, keep_text
from migrator.wiring.stored_accounts import load_instead

if TYPE_CHECKING:
    from migrator.config import Config

NOTIFY, PINGS = "[notify]", "[pings]"
"""What the vault calls the owners of these secrets: no account has such a name."""
HEADER = "# Written by the page of mailferry: whom it tells, and whom it pings.\n"


@dataclass(frozen=True, slots=True)
class ByMail:
    """Who hears of it by mail, and through which server. No ``password`` keeps the one that is there."""

    host: str
    port: int
    tls: str
    sender: str
    to: Sequence[str]
    username: str = ""
    password: str = field(default="", repr=False)

    def keys(self) -> dict[str, object]:
        """Return the keys of the table, without the password."""
        keys: dict[str, object] = {"host": self.host, "port": self.port, "tls": self.tls}
        if self.username:
            keys["username"] = self.username
        return keys | {"sender": self.sender, "to": list(self.to)}


@dataclass(frozen=True, slots=True)
class Telling:
    """Who hears of it, and when. ``services`` are the numbers, from 0, of those that stay; ``service`` is a new one.

    ``digest`` is a cron line, None for never. Nobody hears of fewer failed runs in a row than ``after_failures``, nor
    of silence before it has lasted ``silence_hours``.
    """

    mail: ByMail | None
    services: Collection[int] = ()
    service: str = field(default="", repr=False)
    digest: str | None = None
    after_failures: int = 2
    silence_hours: int = 24


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that is ready to be saved: the text, what it was made from, and what was typed, by its names."""

    before: str
    text: str
    typed: Mapping[str, str] = field(repr=False)


def settings_text(config: Config) -> str:
    """Return what stands in the file, the empty text where there is none; raises ``ConfigError``."""
    path = settings_file(config.state_dir)
    return text_of(path) if path.is_file() else ""


def with_telling(before: str, telling: Telling, config: Config) -> Proposal:
    """Return the file with another ``[notify]``; what it says besides these things stays."""
    typed: dict[str, str] = {}
    document = _parsed(before)
    notify = _table(document, "notify")
    notify["digest"] = telling.digest or NEVER
    notify["after_failures"] = telling.after_failures
    notify["silence"] = f"{telling.silence_hours} hours"
    services = [one for number, one in enumerate(notify.get("apprise", [])) if number in telling.services]
    if telling.service:
        services.append(_kept(NOTIFY, "service", telling.service, config, typed))
    if services:
        notify["apprise"] = services
    else:
        notify.pop("apprise", None)
    _set_mail(notify, telling.mail, config, typed)
    return Proposal(before, _dumped(document), typed)


def _set_mail(notify: Any, mail: ByMail | None, config: Config, typed: dict[str, str]) -> None:  # noqa: ANN401  # tomlkit's
    known = notify.pop("smtp", {})
    if mail is None:
        return
    known = {key: value for key, value in known.items() if key not in {"username", "host", "port", "tls", "to"}}
    password = known.pop("password", None)
    smtp = _table(notify, "smtp")
    for key, value in {**known, **mail.keys()}.items():
        smtp[key] = value
    if mail.username:
        password = _kept(NOTIFY, "mail", mail.password, config, typed) if mail.password else password
        if password is not None:
            smtp["password"] = password


def with_alarm(before: str, url: str, config: Config) -> Proposal:
    """Return the file with another URL that is pinged by the worker; with none for the empty text."""
    typed: dict[str, str] = {}
    document = _parsed(before)
    pings = _table(document, "pings")
    if url:
        pings["url"] = _kept(PINGS, "url", url, config, typed)
    else:
        pings.pop("url", None)
    return Proposal(before, _dumped(document), typed)


def _parsed(text: str) -> Any:  # noqa: ANN401  # tomlkit's document
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text or HEADER)
    except TOMLKitError as error:
        raise ConfigError([f"{FILE_NAME}: this is not TOML: {error}"]) from None


def _dumped(document: Any) -> str:  # noqa: ANN401  # tomlkit's document
    import tomlkit

    return tomlkit.dumps(document)


def _table(outer: Any, key: str) -> Any:  # noqa: ANN401  # tomlkit's tables
    import tomlkit

    if key not in outer:
        outer[key] = tomlkit.table()
    return outer[key]


def _kept(owner: str, what: str, value: str, config: Config, typed: dict[str, str]) -> Any:  # noqa: ANN401  # tomlkit's
    """Return where a secret will be, which goes into the vault when the file is written."""
    import tomlkit

    name = free_name(owner, what, config, typed)
    typed[name] = value
    reference = tomlkit.inline_table()
    reference["vault"] = name
    return reference


def save_telling(proposal: Proposal, config: Config, author: Author) -> None:
    """Write the file, and the secrets that it names; durable on return, or all is as it was.

    Raises ``ConflictError`` where the file is not as it was read, ``ConfigError`` where the new text is not right,
    ``FerryError`` where nothing can be written.
    """
    if config.path is None:
        raise ConfigError(["there is no configuration file"])
    path = settings_file(config.state_dir)
    lock = lock_file(config.state_dir / "locks" / "config.lock", LockTimeout(), Device(), "the change of the settings")
    with lock, ExitStack() as undo:
        if (theirs := settings_text(config)) != proposal.before:
            raise ConflictError(theirs)
        after = load_instead(config.path, path, proposal.text)
        vault = vault_of(config)
        for name, value in proposal.typed.items():
            undo.callback(vault.forget, [name])
            vault.keep(name, value, author.now, author.name)
        try:
            if proposal.before:
                keep_text(config.state_dir / VERSIONS / FILE_NAME, proposal.before)
            with replace_file(path) as file:
                file.write(proposal.text.encode())
        except OSError as error:
            if settings_text(config) == proposal.text:  # it stands there: so must what it names
                undo.pop_all()
            raise storage_error(error, f"writing {path}", read_only="state-read-only") from error
        undo.pop_all()  # from here on it is as it is to be
        with suppress(FerryError, OSError):  # what is left over is sealed, and goes with the next change
            _tidy(after)


def _tidy(config: Config) -> None:
    """Forget the secrets of these tables that they do not name any more."""
    named = [*(config.notify.apprise if config.notify else ())]
    if config.notify and config.notify.smtp and config.notify.smtp.password:
        named.append(config.notify.smtp.password)
    if config.pings and config.pings.url:
        named.append(config.pings.url)
    used = {secret.name for secret in named if isinstance(secret, VaultSecret)}
    owners = (f"{NOTIFY}/", f"{PINGS}/")
    vault_of(config).sweep(lambda name: not name.startswith(owners) or name in used)
