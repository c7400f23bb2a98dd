"""Archives that were moved: recognised by what stands in them, so that nobody has to say so.

A folder of which the ledger knows nothing is the new place of another one if that is configured nowhere any more, is
not where it was, and what is known to stand in it stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

from migrator.config import Config, ImapDestination
from migrator.files import key_of
from migrator.ledger import Ledger
from migrator.ledger.copies import CopiesLedger
from migrator.ledger.moving import KnownDestination
from migrator.wiring.account import destination_of


def follow_moves(config: Config, ledger: Ledger) -> list[tuple[Path, Path]]:
    """Know archives under their new paths where they were plainly moved; returns old and new path of each.

    Looks at files only where a configured folder is unknown. Without a whole configuration, which alone says what is
    configured nowhere, nothing is done.
    """
    if config.path is None:
        return []
    configured = set(folders_of(config))
    known = ledger.moves.known()
    unknown = [identity for identity in configured if identity not in known or not known[identity].has_copies]
    if not unknown:
        return []
    _forget_reused_names(ledger, configured)
    unknown = [identity for identity in unknown if identity not in ledger.moves.former_names()]
    unused = [one for one in known.values() if one.kind != "imap" and one.has_copies and one.identity not in configured]
    moved: list[tuple[Path, Path]] = []
    for identity in unknown:
        for one in unused:
            if has_moved(one, identity, ledger.copies(one.identity, one.kind)):
                move(ledger, config.state_dir, one, identity)
                unused.remove(one)
                moved.append((path_of(one.identity), path_of(identity)))
                break
    return moved


def folders_of(config: Config) -> dict[str, Path]:
    """Return the configured archive folders by the identity that the ledger knows them by."""
    places = [place for account in config.accounts for place in account.destinations]
    return {
        destination_of(place, config.state_dir).identity: place.path
        for place in places
        if not isinstance(place, ImapDestination)
    }


def _forget_reused_names(ledger: Ledger, configured: set[str]) -> None:
    """Begin another archive where a folder stands under a former name and the present one is configured too."""
    for former, present in ledger.moves.former_names().items():
        if {former, present} <= configured and path_of(former).is_dir():
            ledger.moves.forget_former_name(former)


def path_of(identity: str) -> Path:
    """Return the folder of an archive."""
    return Path(identity.partition(":")[2])


def move(ledger: Ledger, state_dir: Path, old: KnownDestination, identity: str) -> int:
    """Know an archive or a mailbox under another identity; returns how many copies were taken along."""
    distrusted = state_dir / "distrusted"
    if (distrusted / key_of(old.identity)).is_dir():
        copytree(distrusted / key_of(old.identity), distrusted / key_of(identity), dirs_exist_ok=True)
    return ledger.moves.moved(old, identity)


def has_moved(old: KnownDestination, identity: str, copies: CopiesLedger) -> bool:
    """Tell whether a folder plainly is the new place of an archive."""
    if not identity.startswith(f"{old.kind}:"):
        return False
    return _LOOKS[old.kind](path_of(old.identity), path_of(identity), copies)


def _has_mbox_moved(old: Path, new: Path, copies: CopiesLedger) -> bool:
    """Compare the ends of all volumes, as far as they are known."""
    from migrator.copy_records import MISSING
    from migrator.destinations.mbox.volumes import holds_all_of, regular_file

    records = [one for one in copies.recollection().volumes if one.end and one.changed_stamp != MISSING]
    if not records or any(regular_file(old / record.name) for record in records):
        return False
    return holds_all_of(new, records)


def _has_maildir_moved(old: Path, new: Path, copies: CopiesLedger) -> bool:
    """Compare the names of the messages; most of them are enough, for a reader may have deleted some."""
    from migrator.destinations.maildir.reading import message_files

    if (old / "new").is_dir() or (old / "cur").is_dir() or not (new / "cur").is_dir():
        return False
    there = message_files(new)
    names = list(copies.base_names())
    return 2 * sum(name in there for name in names) > len(names)


_LOOKS: dict[str, Callable[[Path, Path, CopiesLedger], bool]] = {"mbox": _has_mbox_moved, "maildir": _has_maildir_moved}
