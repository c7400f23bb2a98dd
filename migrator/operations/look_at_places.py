"""Each destination as the ledger knows it and, for a folder, as it is on the disk now: facts, nothing is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.config import Account, Config, Destination, FolderDestination, S3Destination
from migrator.config.many_accounts import in_parts
from migrator.copy_records import MISSING, VolumeRecord, VolumeState
from migrator.findings.facts import PlaceFacts, VolumeFacts, VolumeLook
from migrator.findings.model import Setting
from migrator.lazy_dataclasses import dataclass, replace
from migrator.ledger.copies import reaches
from migrator.model import Proof
from migrator.operations.look_at_folders import KnownFolder, look_at_folder, look_at_new_folder
from migrator.operations.written_settings import Written, written_at
from migrator.policy import WhenCopyIsGone
from migrator.wiring.account import label_of, terms_of

if TYPE_CHECKING:
    from migrator.ledger import Ledger
    from migrator.ledger.overview import Doubts, KnownDestination

_LOOKED_AT_ONCE = 1_000
"""Accounts of one question: an archive of many years has a volume for each month."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger knows of some destinations, by their identities; nothing is known of those that are not here."""

    destinations: Mapping[str, KnownDestination]
    copies: Mapping[str, int]
    volumes: Mapping[str, Sequence[VolumeRecord]]


def look_at_places(config: Config, ledger: Ledger | None) -> Iterator[PlaceFacts]:
    """Yield each destination once, however many accounts have it; without a ledger nothing is known of any."""
    doubts, state_dir = ledger.overview.doubts() if ledger else {}, config.state_dir.resolve()
    seen: dict[str, PlaceFacts] = {}
    for part in in_parts(config.accounts, _LOOKED_AT_ONCE):
        places: dict[str, Destination] = {}
        for account in part:
            for index, place in enumerate(account.destinations):
                facts = _as_configured(account, index, config, doubts)
                if known := seen.get(facts.identity):
                    seen[facts.identity] = _with_settings(known, facts)
                else:
                    seen[facts.identity], places[facts.identity] = facts, place
        is_known = _known(places, ledger)
        for identity, place in places.items():
            seen[identity] = _looked_at(seen[identity], place, state_dir, is_known, ledger)
    yield from seen.values()


def _known(places: Mapping[str, Destination], ledger: Ledger | None) -> _Known:
    """Ask the ledger each thing of all these destinations at one time, and of each only what matters there."""
    if ledger is None:
        return _Known({}, {}, {})
    destinations = ledger.overview.destinations(places)
    with_copies = [identity for identity, known in destinations.items() if known.has_copies]
    return _Known(
        destinations,
        ledger.overview.copies_known([one for one in with_copies if not isinstance(places[one], FolderDestination)]),
        ledger.overview.volumes(destinations),
    )


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
    terms = terms_of(place, config.state_dir)
    facts = PlaceFacts(
        label_of(place),
        terms.identity,
        terms.kind,
        gone_setting=written.setting("when_copy_is_gone", str(WhenCopyIsGone.ACCEPT)),
        restore_setting=written.setting("when_copy_is_gone", str(WhenCopyIsGone.RESTORE)),
        keeps=terms.when_copy_is_gone is WhenCopyIsGone.KEEP,
    )
    doubt = doubts.get(terms.identity)
    if doubt is None:
        return facts
    return replace(
        facts,
        damaged=doubt.damaged,
        unproven=0 if reaches(doubt.proof, terms.required_proof) else doubt.unproven,
        gone=doubt.gone if facts.keeps else 0,
        differences=doubt.differences,
        proof_setting=_proof_setting(written, doubt.proof),
    )


def _looked_at(
    facts: PlaceFacts, place: Destination, state_dir: Path, known: _Known, ledger: Ledger | None
) -> PlaceFacts:
    """Add how the folder is now, or how many copies are known in the mailbox."""
    if isinstance(place, FolderDestination):
        return _folder(facts, place.path, state_dir, known, ledger)
    if isinstance(place, S3Destination):
        return _store(facts, known)
    return replace(facts, known=known.copies.get(facts.identity, 0))


def _store(facts: PlaceFacts, known: _Known) -> PlaceFacts:
    """Add what the last run, or ``doctor`` before it, saw of the objects: a look at a store is a request."""
    own = known.destinations.get(facts.identity)
    if own is None or not own.has_copies:
        return facts
    changed = [one for one in known.volumes.get(facts.identity, ()) if one.state is VolumeState.CHANGED]
    looks = {one.name: VolumeLook.MISSING if one.changed_stamp == MISSING else VolumeLook.REWRITTEN for one in changed}
    volumes = tuple(VolumeFacts(name, look) for name, look in looks.items())
    return replace(facts, known=known.copies.get(facts.identity, 0), volumes=volumes)


def _proof_setting(written: Written, proof: Proof) -> tuple[Setting, ...]:
    return written.setting("proof", str(proof)) if proof is not Proof.NONE else ()


def _folder(facts: PlaceFacts, path: Path, state_dir: Path, known: _Known, ledger: Ledger | None) -> PlaceFacts:
    own = known.destinations.get(facts.identity)
    is_known = own is not None and own.has_copies
    copies = None
    if ledger is not None and own is not None and (is_known or own.is_written_to):
        copies = ledger.copies_numbered(own.number)
        volumes = known.volumes.get(facts.identity, ())
        seen = look_at_folder(facts.kind, path, KnownFolder(volumes, own.is_written_to, copies.base_names))
    else:
        seen = look_at_new_folder(facts.kind, path)
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
