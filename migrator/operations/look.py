"""Look at ledger, files, folders and what the last runs met: the facts that findings are made of.

No server is asked (``migrator.operations.check_account`` does that) and nothing is changed. What only a scheduled
worker knows is added by who calls this.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import Config
from migrator.config.vault_key import VAULT
from migrator.errors import ConfigError, FerryError
from migrator.findings.facts import ExposedFacts, Facts, Invocation, LedgerFacts, LedgerState, StateFacts
from migrator.lazy_dataclasses import dataclass, field, replace
from migrator.ledger import FILE_NAME
from migrator.operations.account_list import paused_accounts
from migrator.operations.answers import over_since, with_what_is_over
from migrator.operations.doctor import mounts
from migrator.operations.file_system import NETWORK, file_system_of
from migrator.operations.look_at_accounts import look_at_accounts, look_at_unknown_account
from migrator.operations.look_at_folders import why_not_written
from migrator.operations.look_at_places import look_at_places
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from migrator.ledger import Ledger

Mounts = str
"""The text of /proc/self/mounts."""


@dataclass(frozen=True, slots=True)
class OpenedLedger:
    """The ledger, opened once for all that looks at it; None where there is none, or it cannot be used."""

    facts: LedgerFacts
    ledger: Ledger | None = None


@contextmanager
def opened_ledger(config: Config) -> Iterator[OpenedLedger]:
    """Open the ledger if there is one, or know why it cannot be; it is closed at the end."""
    opened = _opened(config)
    try:
        yield opened
    finally:
        if opened.ledger is not None:
            opened.ledger.close()


def _opened(config: Config) -> OpenedLedger:
    try:
        if (ledger := existing_ledger(config, only_to_read=True)) is None:
            return OpenedLedger(LedgerFacts(LedgerState.NONE))
    except (FerryError, ConfigError) as error:
        return OpenedLedger(_unusable(error))
    return OpenedLedger(LedgerFacts(LedgerState.WELL), ledger)


def look(
    config: Config, opened: OpenedLedger, now: float, invocation: Invocation, *, text: Mounts | None = None
) -> Facts:
    """Look at everything. ``text`` says what is mounted where, by default as it is now."""
    bare = _bare(config, now, invocation, mounts() if text is None else text)
    if opened.ledger is None:
        is_none = opened.facts.state is LedgerState.NONE
        without = _without_ledger(bare, config, opened.facts)
        return without if is_none else _blind(without)
    try:
        paused, over = paused_accounts(opened.ledger), over_since(opened.ledger.state_store)
        looked_at = look_at_accounts(config.accounts, config, opened.ledger)
        accounts = tuple(with_what_is_over(replace(one, is_paused=one.name in paused), over) for one in looked_at)
        places = tuple(look_at_places(config, opened.ledger))
    except FerryError as error:
        return _blind(_without_ledger(bare, config, _unusable(error)))
    return replace(bare, ledger=opened.facts, accounts=accounts, places=places)


def _without_ledger(bare: Facts, config: Config, ledger: LedgerFacts) -> Facts:
    """Add accounts and destinations as they can be known without a ledger."""
    return replace(
        bare,
        ledger=ledger,
        accounts=tuple(look_at_unknown_account(account, config) for account in config.accounts),
        places=tuple(look_at_places(config, None)),
    )


def _blind(facts: Facts) -> Facts:
    """Return the facts where there is a ledger that cannot be read: nobody can say which files are known."""
    places = tuple(replace(place, volumes=(), strange_files=()) for place in facts.places)
    return replace(facts, places=places)


def _bare(config: Config, now: float, invocation: Invocation, text: Mounts) -> Facts:
    """Return what is the same with a ledger and without one."""
    state_dir = config.state_dir
    kind = file_system_of(state_dir, text)
    state = StateFacts(
        str(state_dir),
        not (state_dir.exists() and why_not_written(state_dir)),
        kind if kind in NETWORK else "",
    )
    return Facts(
        now,
        invocation,
        state,
        LedgerFacts(LedgerState.NONE),
        exposed=tuple(_exposed(config)),
        bad_rows=tuple(row.problem for row in config.bad_rows),
        verify_every=config.verify.every.total_seconds(),
        vault_key_at=_vault_key_at(config),
        silence=config.notify.silence.total_seconds() if config.notify else 86400.0,
    )


def _vault_key_at(config: Config) -> str:
    """Return the file with the key of the vault, where it stands only because nobody has named a place."""
    if not (config.state_dir / VAULT).exists():
        return ""
    from migrator.config.vault import vault_of

    with suppress(FerryError):  # what is wrong with a vault is said with the password that cannot be had
        vault = vault_of(config)
        content = vault.content()
        nearby = vault.keys.nearby(content.master.by) if content else None
        return str(nearby) if nearby else ""
    return ""


def _unusable(error: FerryError | ConfigError) -> LedgerFacts:
    from migrator.ledger.sqlite.connection import is_damage

    words = error.message if isinstance(error, FerryError) else str(error)
    if isinstance(error, FerryError) and error.finding == "ledger-newer":
        return LedgerFacts(LedgerState.NEWER, (words,))
    if isinstance(error, FerryError) and error.finding == "ledger-away":
        return LedgerFacts(LedgerState.AWAY, (words,))
    if isinstance(error, FerryError) and is_damage(error):
        return LedgerFacts(LedgerState.DAMAGED, (words,))
    return LedgerFacts(LedgerState.UNREADABLE, (words,))


def _exposed(config: Config) -> Iterator[ExposedFacts]:
    for path, holds in (
        (config.state_dir, "what is in it is the ledger"),
        (config.state_dir / FILE_NAME, "it says what mail there is"),
    ):
        yield from _exposure(path, holds)
    secrets = _secrets(config)
    for path in secrets.files:
        yield from _exposure(path, "it holds a password")
    for path in _with_passwords(config, secrets):
        yield from _exposure(path, "configuration")
    if (config.state_dir / VAULT).exists():
        from migrator.config.vault import vault_of

        keys = vault_of(config).keys
        for path in filter(Path.exists, [*([keys.configured] if keys.configured else []), *keys.fallbacks()]):
            yield from _exposure(path, "it holds the key of the vault")


@dataclass(slots=True)
class _Secrets:
    """The files that hold a password, the passwords that stand in the configuration, and where accounts have these."""

    files: dict[Path, None] = field(default_factory=dict)
    typed: set[str] = field(default_factory=set)
    typed_in: set[str] = field(default_factory=set)


def _secrets(config: Config) -> _Secrets:
    """Go through the secrets of all accounts, once."""
    from migrator.config.secrets import FileSecret, TextSecret

    found = _Secrets()
    for account in config.accounts:
        for secret in account.secrets():
            if isinstance(secret, FileSecret):
                found.files[secret.path] = None
            elif isinstance(secret, TextSecret):
                found.typed.add(secret.value)
                found.typed_in.update({account.place.file} if account.place else ())
    return found


def _with_passwords(config: Config, secrets: _Secrets) -> Iterator[Path]:
    """Yield the files of the configuration in which a password stands: with the account, or in ``[defaults]``."""
    own = {Path(file).absolute() for file in secrets.typed_in}
    for path in config.files:
        if path.absolute() in own or (path == config.path and _has_any(path, secrets.typed)):
            yield path


def _has_any(path: Path, values: Iterable[str]) -> bool:
    with suppress(OSError):
        text = path.read_text(errors="replace")
        return any(value in text for value in values if value)
    return False


def _exposure(path: Path, holds: str) -> Iterator[ExposedFacts]:
    with suppress(OSError):
        status = path.stat()
        mode, is_foreign = stat.S_IMODE(status.st_mode), status.st_uid != os.geteuid() and os.geteuid() != 0
        is_read = mode & (stat.S_IRGRP | stat.S_IROTH) if holds == "configuration" else mode & 0o077
        if is_read or (is_foreign and holds != "configuration"):
            yield ExposedFacts(str(path), mode, is_foreign and not is_read, path.is_dir(), holds)
