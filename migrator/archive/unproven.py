"""What is said of copies that their server altered: they are kept, and a setting decides whether they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from migrator.archive.reader import ArchiveFolder
from migrator.lazy_dataclasses import dataclass
from migrator.ledger.copies import reaches
from migrator.model import CopyState, Proof, proof_setting
from migrator.ui.text import plural

_BY_THE_SERVER = "changed by the server: "


@dataclass(frozen=True, slots=True)
class Unproven:
    """The copies of one destination that differ in one way from what was stored.

    ``accepted_by`` is the setting of the destination, ready to be written down, with which they would count as copies;
    none does where it is ``""``.
    """

    accounts: tuple[str, ...]
    destination: str
    count: int
    reason: str
    accepted_by: str


def unproven_line(unproven: Unproven) -> str:
    """Say which copies are altered and how, and what to write where so that they count."""
    copies = plural(unproven.count, "copy", "copies")
    what = f"{unproven.destination}: {copies} altered by the server ({unproven.reason.removeprefix(_BY_THE_SERVER)})"
    if unproven.accepted_by:
        return f"{what}; kept as they are, never stored again. To have them count, write {unproven.accepted_by}"
    return f"{what}; kept as they are, never stored again, and their messages stay at the source"


def unproven_in(archive_folder: ArchiveFolder) -> list[Unproven]:
    """Return what the ledger knows of the altered copies of one destination, by the way in which they differ.

    Those that a person accepted as they are are left out.
    """
    return list(_unproven_in(archive_folder))


def _unproven_in(archive_folder: ArchiveFolder) -> Iterator[Unproven]:
    accepted = archive_folder.copies.accepted(CopyState.UNPROVEN)
    altered = (copy for copy in archive_folder.copies.in_doubt(CopyState.UNPROVEN) if copy.copy_id not in accepted)
    counts = Counter((copy.reason, copy.proof) for copy in altered)
    for (reason, proof), count in counts.items():
        yield Unproven(
            archive_folder.accounts, archive_folder.destination.label, count, reason, _accepting(archive_folder, proof)
        )


def _accepting(archive_folder: ArchiveFolder, proof: Proof) -> str:
    if proof is Proof.NONE or reaches(proof, archive_folder.destination.required_proof):
        return ""
    return proof_setting(proof, archive_folder.destination.setting_place)
