"""Findings about archives and mailboxes: what is there now beside what is known of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from migrator.findings.draft import Draft
from migrator.findings.facts import Facts, PlaceFacts, VolumeFacts, VolumeLook
from migrator.ui.text import plural

_NAMED = 3

Rule = Callable[[PlaceFacts, tuple[str, ...]], Iterator[Draft]]


def of_places(facts: Facts) -> Iterator[Draft]:
    """Yield what is wrong with each destination, for all accounts that it belongs to."""
    users: dict[str, dict[str, None]] = {}
    for account in facts.accounts:
        for identity in account.places:
            users.setdefault(identity, {})[account.name] = None
    for place in facts.places:
        for rule in (_inside_state,) if place.is_away else _RULES:
            yield from rule(place, tuple(users.get(place.identity, ())))


def of_disks_of_places(facts: Facts) -> Iterator[Draft]:
    """Yield what is wrong with all archives of a disk or folder at once: one draft for each."""
    away = [place for place in facts.places if place.is_away]
    for anchor, places in _by(away, lambda place: place.anchor or place.identity).items():
        yield Draft("archive-missing", anchor, _accounts(facts, places), _destination(places), _away(places))
    here = [place for place in facts.places if not place.is_away]
    closed = [place for place in here if place.not_written]
    for what, places in _by(closed, lambda place: place.not_written).items():
        words = {"label": _labels(places)}
        yield Draft("archive-read-only", what, _accounts(facts, places), _destination(places), words)
    for weakness in dict.fromkeys(one for place in here for one in place.weaknesses):
        weak = [place for place in here if weakness in place.weaknesses]
        words = {"label": _labels(weak), "problem": weakness}
        yield Draft("file-system", weakness, _accounts(facts, weak), _destination(weak), words)


def _by(places: Sequence[PlaceFacts], cause_of: Callable[[PlaceFacts], str]) -> Mapping[str, list[PlaceFacts]]:
    causes: dict[str, list[PlaceFacts]] = {}
    for place in places:
        causes.setdefault(cause_of(place), []).append(place)
    return causes


def _accounts(facts: Facts, places: Sequence[PlaceFacts]) -> tuple[str, ...]:
    identities = {place.identity for place in places}
    return tuple(account.name for account in facts.accounts if not identities.isdisjoint(account.places))


def _destination(places: Sequence[PlaceFacts]) -> str | None:
    return places[0].label if len(places) == 1 else None


def _labels(places: Sequence[PlaceFacts]) -> str:
    return _listed([place.label for place in places])


def _away(places: Sequence[PlaceFacts]) -> Mapping[str, object]:
    is_one = len(places) == 1
    return {
        "label": f"{_labels(places)} {'is' if is_one else 'are'}",
        "messages": plural(sum(place.known for place in places), "message is", "messages are"),
        "it": "it" if is_one else "them",
    }


def _inside_state(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    if place.is_inside_state:
        yield Draft("archive-inside-state", place.identity, accounts, place.label, {"label": place.label})


def _changed(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    """Tell of files that are not what they were, unless it is known already which copies in them are damaged."""
    if place.damaged and not _has_shrunk(place):
        return
    says = {
        VolumeLook.MISSING: ("is missing", "are missing"),
        VolumeLook.SHRUNK: ("is shorter than it was", "are shorter than they were"),
        VolumeLook.REWRITTEN: ("is not what it was", "are not what they were"),
    }
    parts = []
    for look, verbs in says.items():
        if names := _names(place, look):
            parts.append(f"{_listed(names)} {verbs[len(names) > 1]}")
    if parts:
        words = {"label": place.label, "problem": "; ".join(parts)}
        yield Draft("archive-changed", place.identity, accounts, place.label, words, verb="repair")


def _has_shrunk(place: PlaceFacts) -> bool:
    return bool(_names(place, VolumeLook.MISSING) or _names(place, VolumeLook.SHRUNK))


def _damaged(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    """Tell of damaged copies, unless a file with copies is gone or shorter, which is why they are."""
    if place.damaged and not _has_shrunk(place):
        copies = plural(place.damaged, "copy", "copies")
        words = {"copies": copies, "label": f"{place.label} {'is' if place.damaged == 1 else 'are'}"}
        yield Draft("archive-damaged", place.identity, accounts, place.label, words, verb="repair")


def _unknown(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    unknown, grown = _names(place, VolumeLook.UNKNOWN), _names(place, VolumeLook.GROWN)
    if place.known and (unknown or grown):
        seen = plural(len(unknown) + len(grown), "file holds", "files hold")
        words = {"label": place.label, "what": f"{seen} mail that is"}
        yield Draft("state-older", place.identity, accounts, place.label, words, verb="migrate")
    elif unknown:
        words = {"label": place.label, "what": f"{plural(len(unknown), 'file')} with mail ({_listed(unknown)})"}
        yield Draft("archive-unknown", place.identity, accounts, place.label, words, verb="rebuild-ledger")
    if place.strange_files:
        count = plural(len(place.strange_files), "file")
        words = {"label": place.label, "what": f"{count} ({_listed(place.strange_files)})"}
        cure = "take it out of the folder; if it holds mail of this archive, unpack it there and run rebuild-ledger"
        yield Draft("archive-unknown", f"{place.identity} strange", accounts, place.label, words, cure=cure)


def _unproven(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    if place.unproven:
        differences = [reason.removeprefix("changed by the server: ") for reason in place.differences[:_NAMED]]
        how = f" ({', '.join(differences)})" if differences else ""
        messages = plural(place.unproven, "message", "messages")
        label = f"{place.label} {'was' if place.unproven == 1 else 'were'}"
        words = {"messages": messages, "label": label, "how": how}
        yield Draft(
            "unproven-copies",
            place.identity,
            accounts,
            place.label,
            words,
            verb="quarantine",
            options=("--accept", "--kind", "unproven"),
            settings=place.proof_setting,
        )


def _gone(place: PlaceFacts, accounts: tuple[str, ...]) -> Iterator[Draft]:
    if place.gone:
        words = {
            "messages": plural(place.gone, "message is", "messages are"),
            "label": place.label,
            "it_was": "it was" if place.gone == 1 else "they were",
        }
        yield Draft(
            "copies-gone",
            place.identity,
            accounts,
            place.label,
            words,
            verb="quarantine",
            options=("--accept", "--kind", "gone"),
            settings=place.gone_setting,
        )


_RULES: tuple[Rule, ...] = (_changed, _damaged, _inside_state, _unknown, _unproven, _gone)


def _names(place: PlaceFacts, look: VolumeLook) -> list[str]:
    def has_it(volume: VolumeFacts) -> bool:
        return volume.look is look

    return [volume.name for volume in filter(has_it, place.volumes)]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
