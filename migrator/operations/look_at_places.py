"""Each destination as the ledger knows it and, for a folder, as it is on the disk now: facts, nothing is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import Account, Config, Destination, FolderDestination, S3Destination
from migrator.copy_records import MISSING, VolumeState
from migrator.findings.facts import PlaceFacts, VolumeFacts, VolumeLook
from migrator.findings.model import Setting
from migrator.ledger.copies import reaches
from migrator.model import Proof
from migrator.operations.look_at_folders import look_at_folder, look_at_new_folder
from migrator.operations.written_settings import Written, written_at
from migrator.policy import WhenCopyIsGone
from migrator.wiring.account import destination_of, label_of

if TYPE_CHECKING:
    from migrator.ledger import Ledger
    from migrator.ledger.overview import Doubts


def look_at_places(config: Config, ledger: Ledger | None) -> Iterator[PlaceFacts]:
    """Yield each destination once, however many accounts have it; without a ledger nothing is known of any."""
    doubts, state_dir = ledger.overview.doubts() if ledger else {}, config.state_dir.resolve()
    seen: dict[str, PlaceFacts] = {}
    for account in config.accounts:
        for index in range(len(account.destinations)):
            facts = _as_configured(account, index, config, doubts)
            known = seen.get(facts.identity)
            seen[facts.identity] = (
                _with_settings(known, facts)
                if known
                else _looked_at(facts, account.destinations[index], state_dir, ledger)
            )
    yield from seen.values()


def _with_settings(known: PlaceFacts, more: PlaceFacts) -> PlaceFacts:
    """Return a destination that stands in the configuration more than once: a setting is made at each place."""
    return replace(
        known,
        proof_setting=known.proof_setting + more.proof_setting,
        gone_setting=known.gone_setting + more.gone_setting,
        restore_setting=known.restore_setting + more.restore_setting,
    )


def _as_configured(account: Account, index: int, config: Config, doubts: Mapping[str, Doubts]) -> PlaceFacts:
    """Return a destination by its settings, and what the ledger doubts of it."""
    place, written = account.destinations[index], written_at(account, "destinations", index)
    destination = destination_of(place, config.state_dir)
    facts = PlaceFacts(
        label_of(place),
        destination.identity,
        destination.kind,
        gone_setting=written.setting("when_copy_is_gone", str(WhenCopyIsGone.ACCEPT)),
        restore_setting=written.setting("when_copy_is_gone", str(WhenCopyIsGone.RESTORE)),
        keeps=destination.when_copy_is_gone is WhenCopyIsGone.KEEP,
    )
    doubt = doubts.get(destination.identity)
    if doubt is None:
        return facts
    return replace(
        facts,
        damaged=doubt.damaged,
        unproven=0 if reaches(doubt.proof, destination.required_proof) else doubt.unproven,
        gone=doubt.gone if facts.keeps else 0,
        differences=doubt.differences,
        proof_setting=_proof_setting(written, doubt.proof),
    )


def _looked_at(facts: PlaceFacts, place: Destination, state_dir: Path, ledger: Ledger | None) -> PlaceFacts:
    """Add how the folder is now, or how many copies are known in the mailbox."""
    if isinstance(place, FolderDestination):
        return _folder(facts, place.path, state_dir, ledger)
    if isinstance(place, S3Destination):
        return _store(facts, ledger)
    if ledger is not None and ledger.overview.has_copies(facts.identity):
        return replace(facts, known=ledger.copies(facts.identity, facts.kind).copies_known())
    return facts


def _store(facts: PlaceFacts, ledger: Ledger | None) -> PlaceFacts:
    """Add what the last run, or ``doctor`` before it, saw of the objects: a look at a store is a request."""
    if ledger is None or not ledger.overview.has_copies(facts.identity):
        return facts
    copies = ledger.copies(facts.identity, facts.kind)
    changed = [one for one in copies.recollection().volumes if one.state is VolumeState.CHANGED]
    looks = {one.name: VolumeLook.MISSING if one.changed_stamp == MISSING else VolumeLook.REWRITTEN for one in changed}
    volumes = tuple(VolumeFacts(name, look) for name, look in looks.items())
    return replace(facts, known=copies.copies_known(), volumes=volumes)


def _proof_setting(written: Written, proof: Proof) -> tuple[Setting, ...]:
    return written.setting("proof", str(proof)) if proof is not Proof.NONE else ()


def _folder(facts: PlaceFacts, path: Path, state_dir: Path, ledger: Ledger | None) -> PlaceFacts:
    is_known = ledger is not None and ledger.overview.has_copies(facts.identity)
    is_ours = is_known or (ledger is not None and ledger.overview.is_written_to(facts.identity))
    copies = ledger.copies(facts.identity, facts.kind) if ledger and is_ours else None
    seen = look_at_folder(facts.kind, path, copies) if copies else look_at_new_folder(facts.kind, path)
    return replace(
        facts,
        path=str(path),
        known=copies.copies_known() if copies and seen.is_away else int(is_known),
        is_away=seen.is_away,
        anchor=seen.anchor,
        not_written=seen.not_written,
        volumes=seen.volumes,
        strange_files=seen.strange_files,
        is_inside_state=state_dir in Path(facts.identity.partition(":")[2]).parents,
    )
