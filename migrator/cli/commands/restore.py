"""``mailferry restore``: bring archived messages into an IMAP mailbox or a Maildir, once each and proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.reader import belonging
from migrator.archive.restore import Grouping, Restored, Restorer
from migrator.cli.commands.search import every
from migrator.cli.context import configuration, existing_ledger, tell_unknown_folders
from migrator.cli.exit_codes import DONE, NOT_ALL_DONE
from migrator.cli.selection import wanted_by
from migrator.config import Destination, ImapDestination, MaildirDestination, MboxDestination
from migrator.copying.copier import Copier, Outcome
from migrator.copying.in_turn import CopyToAll
from migrator.errors import ConfigError, FerryError, Kind
from migrator.policy import WhenCopyIsGone
from migrator.ui.text import group_by_reason, plain, plural, size
from migrator.wiring.account import destination_of
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.config import Config
    from migrator.destinations import Destination as Place
    from migrator.ledger import Ledger
    from migrator.message.body import Message
    from migrator.ui.console import Console

_TELL_EVERY = 1_000
_OPEN_AT_ONCE = 4
_UNREACHABLE = frozenset({Kind.CONNECT, Kind.TLS, Kind.AUTH})


def run(arguments: Namespace, screen: Console) -> int:
    """Bring the messages asked for to the target."""
    config = configuration(arguments, screen)
    accounts = config.select(arguments.accounts)
    target = _target(arguments, screen)
    ledger = existing_ledger(config)
    if ledger is None:
        raise ConfigError(["there is no ledger yet; if there is an archive, `mailferry rebuild-ledger` reads it"])
    told = every(_TELL_EVERY, lambda count: screen.note(f"{plural(count, 'message')} restored so far"))
    with (
        closing(ledger),
        open_archive(config, ledger) as reader,
        closing(_Folders(target, config, ledger)) as folders,
    ):
        tell_unknown_folders(config, ledger, screen)
        wanted = wanted_by(arguments.query, config, ledger, screen)
        restorer = Restorer(reader, folders.copy, Grouping(arguments.by), on_progress=told)
        for account in accounts:
            digests = belonging(account.name, reader, ledger.archive)
            restorer.restore(account.name, (digest for digest in digests if wanted is None or digest in wanted))
    return _reported(restorer.done, screen)


def _target(arguments: Namespace, screen: Console) -> Destination:
    from migrator.cli.password_prompt import Passwords
    from migrator.config import destination_from_url
    from migrator.config.secrets import EnvironmentSecret, TextSecret

    passwords = Passwords([], arguments.to_passwords)
    target = destination_from_url(arguments.destination, passwords=passwords.of)
    passwords.all_used()
    if isinstance(target, MboxDestination):
        raise ConfigError(["--to: restores go to IMAP or a Maildir; `mailferry export` writes mbox files"])
    if isinstance(target, ImapDestination) and isinstance(target.password, TextSecret | EnvironmentSecret):
        try:
            screen.mask([target.password.reveal()])
        except FerryError as error:
            raise ConfigError([f"--to: {error}"]) from error
    return target


class _Folders:
    """The folders of the target, each opened when the first message goes there; few are open at once."""

    def __init__(self, target: Destination, config: Config, ledger: Ledger) -> None:
        self._target = target
        self._config = config
        self._ledger = ledger
        self._open: dict[str, tuple[Copier, CopyToAll]] = {}
        self._unreachable: FerryError | None = None

    def copy(self, name: str, batch: Sequence[Message]) -> list[Outcome]:
        """Bring a batch into the folder of this name below the target, or into the target itself.

        A server that could not be reached for one folder is not asked for the next.
        """
        if self._unreachable is not None:
            return [self._unreachable] * len(batch)
        opened = self._open.pop(name, None) or self._opened(name)
        self._open[name] = opened  # the one used last stands last
        while len(self._open) > _OPEN_AT_ONCE:
            oldest = next(iter(self._open))
            self._open.pop(oldest)[0].destination.close()
        outcomes = opened[1].copy(batch)
        first = outcomes[0] if outcomes else None
        if isinstance(first, FerryError) and first.kind in _UNREACHABLE and all(one is first for one in outcomes):
            self._unreachable = first
        return outcomes

    def _opened(self, name: str) -> tuple[Copier, CopyToAll]:
        place = _below(self._target, name).model_copy(update={"when_copy_is_gone": WhenCopyIsGone.RESTORE})
        destination = destination_of(place, self._config.state_dir)
        copies = self._ledger.copies(destination.identity, destination.kind)
        if isinstance(place, MaildirDestination) and not place.path.is_dir() and not self._is_configured(destination):
            self._ledger.archive.lost_for_good(copies.destination_id)  # the person who names it wants it made anew
        copier = Copier(destination, copies, clock=time.time)
        return copier, CopyToAll([copier])

    def _is_configured(self, destination: Place) -> bool:
        """Say whether mail is archived here as well; then a folder that is away is an error as it is for a run."""
        places = (place for account in self._config.accounts for place in account.destinations)
        return any(destination_of(place, self._config.state_dir).identity == destination.identity for place in places)

    def close(self) -> None:
        """Let go of every folder."""
        for copier, _ in self._open.values():
            copier.destination.close()


def _below(target: Destination, name: str) -> Destination:
    if not name:
        return target
    if isinstance(target, ImapDestination):
        return target.model_copy(update={"folder": f"{target.folder}/{name}"})
    return target.model_copy(update={"path": target.path / name})


def _reported(done: Restored, screen: Console) -> int:
    if screen.is_json:
        screen.document(
            {
                "restored": done.stored,
                "present": done.present,
                "failed": len(done.failed),
                "bytes": done.octets,
                "errors": [
                    {"digest": digest.hex(), "kind": str(error.kind), "message": str(error)}
                    for digest, error in done.failed
                ],
            }
        )
    for line in group_by_reason((digest.hex()[:20], f"[{error.kind}] {error}") for digest, error in done.failed):
        screen.problem(plain(line))
    if not screen.is_quiet or done.failed:
        screen.result(
            f"{plural(done.stored, 'message')} restored ({size(done.octets)}), {done.present:,} were there already, "
            f"{len(done.failed):,} failed"
        )
    return NOT_ALL_DONE if done.failed else DONE
