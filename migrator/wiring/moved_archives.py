"""Archives that were moved: recognised by what stands in them, so that nobody has to say so.

A folder of which the ledger knows nothing is the new place of another one if that is configured nowhere any more, is
not where it was, and what is known to stand in it stands here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

from migrator.config import Account, Config, FolderDestination
from migrator.files import key_of
from migrator.lazy_dataclasses import dataclass
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger
from migrator.ledger.moving import KnownDestination
from migrator.wiring.account import identity_of

if TYPE_CHECKING:
    from migrator.copy_records import VolumeRecord


def follow_moves(config: Config, ledger: Ledger) -> list[tuple[Path, Path]]:
    """Know archives under their new paths where they were plainly moved; returns old and new path of each.

    Looks at files only where a configured folder is unknown. Without a whole configuration, which alone says what is
    configured nowhere, nothing is done. To a ledger that is only read from (a backup that was mounted) it is no matter
    whether the archive is still at its old place, too.
    """
    return ArchiveMoves(config).follow(ledger)


class ArchiveMoves:
    """The archives of a configuration that may have been moved.

    What it takes to know which they are is worked out once, at the first folder that is unknown: it goes through all
    accounts. May be asked from any thread.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._once: _Candidates | None = None

    def follow(self, ledger: Ledger, account: Account | None = None) -> list[tuple[Path, Path]]:
        """Do as ``follow_moves`` does; with an account, for its folders only."""
        if self._config.path is None:
            return []
        with self._lock:
            if account is None:
                own: Collection[str] = folders_of(self._config)
                known = ledger.moves.known()
                unknown = [identity for identity in own if identity not in known or not known[identity].has_copies]
            else:
                own = folders_of(self._config, [account])
                unknown = [identity for identity in own if not ledger.moves.has_copies(identity)]
            if not unknown:
                return []
            if self._once is None:
                self._once = _candidates(ledger, own if account is None else folders_of(self._config))
            return self._found(ledger, self._once, unknown)

    def _found(self, ledger: Ledger, candidates: _Candidates, unknown: Sequence[str]) -> list[tuple[Path, Path]]:
        _forget_reused_names(ledger, candidates.reused)
        former = ledger.moves.former_names()
        moved: list[tuple[Path, Path]] = []
        for identity in (one for one in unknown if one not in former):
            for one in candidates.unused:
                copies = ledger.copies(one.identity, one.kind)
                if has_moved(one, identity, copies, or_was_copied=ledger.is_read_only):
                    move(ledger, self._config.state_dir, one, identity)
                    candidates.unused.remove(one)
                    moved.append((path_of(one.identity), path_of(identity)))
                    break
        return moved


@dataclass(frozen=True, slots=True)
class _Candidates:
    """``unused`` are known archives that are configured nowhere, ``reused`` former names of configured ones."""

    unused: list[KnownDestination]
    reused: Sequence[str]


def _candidates(ledger: Ledger, configured: Collection[str]) -> _Candidates:
    known, former = ledger.moves.known().values(), ledger.moves.former_names()
    return _Candidates(
        [one for one in known if one.kind != "imap" and one.has_copies and one.identity not in configured],
        [name for name, present in former.items() if name in configured and present in configured],
    )


def folders_of(config: Config, accounts: Iterable[Account] | None = None) -> dict[str, Path]:
    """Return the configured archive folders by the identity that the ledger knows them by."""
    places = (place for account in accounts or config.accounts for place in account.destinations)
    return {
        identity_of(place, config.state_dir): place.path for place in places if isinstance(place, FolderDestination)
    }


def _forget_reused_names(ledger: Ledger, reused: Sequence[str]) -> None:
    """Begin another archive where a folder stands under a former name and the present one is configured too."""
    for former in reused:
        if path_of(former).is_dir():
            ledger.moves.forget_former_name(former)


def path_of(identity: str) -> Path:
    """Return the folder of an archive."""
    return Path(identity.partition(":")[2])


def move(ledger: Ledger, state_dir: Path, old: KnownDestination, identity: str) -> int:
    """Know an archive or a mailbox under another identity; returns how many copies were taken along."""
    distrusted = state_dir / "distrusted"
    if not ledger.is_read_only and (distrusted / key_of(old.identity)).is_dir():
        copytree(distrusted / key_of(old.identity), distrusted / key_of(identity), dirs_exist_ok=True)
    return ledger.moves.moved(old, identity)


def has_moved(old: KnownDestination, identity: str, copies: CopiesLedger, *, or_was_copied: bool = False) -> bool:
    """Tell whether a folder plainly is the new place of an archive, or, if that is enough, a copy of it."""
    if not identity.startswith(f"{old.kind}:"):
        return False
    is_away, is_there = _LOOKS[old.kind]
    former, present = path_of(old.identity), path_of(identity)
    return (or_was_copied or is_away(former, copies)) and is_there(present, copies)


def _volumes_of(copies: CopiesLedger) -> list[VolumeRecord]:
    from migrator.copy_records import MISSING

    return [one for one in copies.recollection().volumes if one.end and one.changed_stamp != MISSING]


def _is_mbox_away(folder: Path, copies: CopiesLedger) -> bool:
    from migrator.destinations.mbox.volumes import regular_file

    return not any(regular_file(folder / record.name) for record in _volumes_of(copies))


def _is_mbox_there(folder: Path, copies: CopiesLedger) -> bool:
    """Compare the ends of all volumes, as far as they are known."""
    from migrator.destinations.mbox.volumes import holds_all_of

    records = _volumes_of(copies)
    return bool(records) and holds_all_of(folder, records)


def _is_maildir_away(folder: Path, _copies: CopiesLedger) -> bool:
    return not (folder / "new").is_dir() and not (folder / "cur").is_dir()


def _is_maildir_there(folder: Path, copies: CopiesLedger) -> bool:
    """Compare the names of the messages; most of them are enough, for a reader may have deleted some."""
    from migrator.destinations.maildir.reading import message_files

    if not (folder / "cur").is_dir():
        return False
    there = message_files(folder)
    names = list(copies.base_names())
    return 2 * sum(name in there for name in names) > len(names)


Look = Callable[[Path, CopiesLedger], bool]

_LOOKS: dict[str, tuple[Look, Look]] = {
    "mbox": (_is_mbox_away, _is_mbox_there),
    "maildir": (_is_maildir_away, _is_maildir_there),
}
