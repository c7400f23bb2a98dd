"""Copy archived messages into an IMAP mailbox or a Maildir, once each and proven; asked again, it goes on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from migrator.archive.reader import belonging
from migrator.archive.restore import Grouping, Restored, Restorer
from migrator.config import Destination, ImapDestination, MaildirDestination, S3Destination
from migrator.copying.copier import Copier, Outcome
from migrator.copying.in_turn import CopyToAll
from migrator.errors import ConfigError, FerryError, Kind
from migrator.lazy_dataclasses import replace
from migrator.policy import WhenCopyIsGone
from migrator.report import OnProgress, no_progress
from migrator.ui.sanitize import file_name
from migrator.wiring.account import destination_of
from migrator.wiring.archive import open_archive

if TYPE_CHECKING:
    from migrator.config import Account, Config
    from migrator.destinations import Destination as OpenDestination
    from migrator.ledger import Ledger
    from migrator.message.body import Message
    from migrator.model import Digest

_OPEN_AT_ONCE = 4
_PLAIN = re.compile(r"[\w@+-]+")
"""What no server takes for a delimiter."""
_NO_NAME_IN_LISTS = re.compile(r'[/%*"\\\x00-\x1f\x7f-\x9f]')
"""What divides levels in a configured name, or means something in LIST (RFC 9051, section 6.3.9)."""
_UNREACHABLE = frozenset({Kind.CONNECT, Kind.TLS, Kind.AUTH})


def restore_messages(
    target: Destination,
    grouping: Grouping,
    accounts: Sequence[Account],
    config: Config,
    ledger: Ledger,
    *,
    wanted: set[Digest] | None = None,
    clock: Callable[[], float] = time.time,
    on_progress: OnProgress = no_progress,
) -> Restored:
    """Copy the messages of these accounts (of them, only those ``wanted``) into the target, or folders below it."""
    with open_archive(config, ledger) as reader, closing(_TargetFolders(target, config, ledger, clock)) as folders:
        restorer = Restorer(reader, folders.copy, grouping, on_progress=on_progress)
        seen: set[Digest] = set()
        for account in accounts:
            if grouping is Grouping.ACCOUNT:
                seen.clear()
            restorer.restore(account.name, _unseen(belonging(account.name, reader, ledger.archive, wanted), seen))
        return replace(restorer.done, renamed=tuple(folders.renamed.items()))


def _unseen(digests: Iterable[Digest], seen: set[Digest]) -> Iterator[Digest]:
    """Yield what was not seen before: what belongs to several accounts goes to one folder once."""
    for digest in digests:
        if digest not in seen:
            seen.add(digest)
            yield digest


class _TargetFolders:
    """The folders of the target, each opened when the first message goes there; few are open at once."""

    def __init__(self, target: Destination, config: Config, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._target = target
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._open: dict[str, tuple[Copier, CopyToAll]] = {}
        self._unreachable: FerryError | None = None
        self._names: dict[str, str] = {"": ""}

    @property
    def renamed(self) -> dict[str, str]:
        """The names that would have been several folders within one another, and what they became."""
        return {name: made for name, made in self._names.items() if made != name}

    def copy(self, name: str, batch: Sequence[Message]) -> Sequence[Outcome]:
        """Copy a batch into the folder of this name below the target, or into the target itself.

        A server that could not be reached for one folder is not asked for the next.
        """
        if self._unreachable is not None:
            return [self._unreachable] * len(batch)
        try:
            opened = self._open.pop(name, None) or self._opened(name)
        except FerryError as error:
            self._unreachable = error if error.kind in _UNREACHABLE else None
            return [error] * len(batch)
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
        if name not in self._names:
            self._names[name] = self._single_folder(name)
        place = _stored_again(_below(self._target, self._names[name]))
        destination = destination_of(place, self._config.state_dir)
        copies = self._ledger.copies(destination.identity, destination.kind)
        if isinstance(place, MaildirDestination) and not place.path.is_dir() and not self._is_configured(destination):
            self._ledger.archive.lost_for_good(copies.destination_id)  # the person who names it wants it made again
        copier = Copier(destination, copies, clock=self._clock)
        return copier, CopyToAll([copier])

    def _single_folder(self, name: str) -> str:
        """Return a name that is one folder, and not several within one another, at the target."""
        made = file_name(name, instead="unnamed")
        if not isinstance(self._target, ImapDestination):
            return made
        made = _NO_NAME_IN_LISTS.sub("_", name.strip())
        if _PLAIN.fullmatch(made):
            return made
        from migrator.destinations.imap import ImapDestination as Mailbox

        with closing(destination_of(self._target, self._config.state_dir)) as mailbox:
            delimiter = mailbox.delimiter() if isinstance(mailbox, Mailbox) else ""
        return made.replace(delimiter, "_") if delimiter else made

    def _is_configured(self, destination: OpenDestination) -> bool:
        """Say whether mail is archived here as well; then a folder that is away is an error as it is for a run."""
        places = (place for account in self._config.accounts for place in account.destinations)
        return any(destination_of(place, self._config.state_dir).identity == destination.identity for place in places)

    def close(self) -> None:
        """Close every folder."""
        for copier, _ in self._open.values():
            copier.destination.close()


def _stored_again(target: Destination) -> Destination:
    """Return a destination that stores what a person took out of it once more."""
    if isinstance(target, MaildirDestination | ImapDestination):
        return replace(target, when_copy_is_gone=WhenCopyIsGone.RESTORE)
    return target


def _below(target: Destination, name: str) -> Destination:
    if isinstance(target, S3Destination):
        raise ConfigError(["--to: restores go to IMAP or a Maildir; an object store is no place to read mail in"])
    if not name:
        return target
    if isinstance(target, ImapDestination):
        return replace(target, folder=f"{target.folder}/{name}")
    return replace(target, path=target.path / name)
