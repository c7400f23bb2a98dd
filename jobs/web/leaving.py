"""Whether a provider can be left: what has to be true before the rest of a mailbox is deleted there. Pure.

Everything comes from the ledger, the last runs and the findings. Only whether a backup exists besides the archive is a
person's word, where there is one copy of each message.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from jobs.web.engine_words import headline, stops
from jobs.web.language import gettext as _, ngettext
from jobs.web.locale_format import moment, number, span
from migrator.findings.model import Finding, Severity
from migrator.lazy_dataclasses import dataclass

DAY_SECONDS = 24 * 3600.0


class Item(StrEnum):
    """What is looked at."""

    LAST_RUN = "last-run"
    ALL_SAFE = "all-safe"
    NEEDS_A_LOOK = "needs-a-look"
    SET_ASIDE = "set-aside"
    VERIFIED = "verified"
    FINDINGS = "findings"
    SECOND_COPY = "second-copy"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a mailbox; times are seconds since the epoch, None or 0.0 for never.

    ``safe``, ``waiting``, ``failed`` and ``accepted`` are the messages at the provider, each counted once; of an
    accepted one there is no proven copy, and a person has said that this is fine. ``done_at`` is when the newest run
    ended, if it did everything. ``places`` are the destinations.
    """

    now: float
    is_seen: bool
    safe: int
    waiting: int
    failed: int
    accepted: int
    done_at: float | None
    verified_at: float
    verify_every: float
    damaged: int
    findings: Sequence[Finding]
    places: Sequence[str]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. What ``is_needed`` and not met keeps the rest from being deleted."""

    item: Item
    is_met: bool
    says: str
    is_needed: bool = True


def checklist(facts: Facts) -> list[Check]:
    """Return every line of the list."""
    return [
        _last_run(facts),
        _all_safe(facts),
        _needs_a_look(facts),
        _set_aside(facts),
        _verified(facts),
        _findings(facts),
        _second_copy(facts),
    ]


def blocking(checks: Sequence[Check]) -> list[Check]:
    """Return what keeps the rest from being deleted."""
    return [check for check in checks if check.is_needed and not check.is_met]


def left_at_provider(facts: Facts) -> int:
    """Return how many messages would be deleted: those that are there and safe."""
    return facts.safe if facts.is_seen else 0


def _last_run(facts: Facts) -> Check:
    if facts.done_at is None:
        return Check(Item.LAST_RUN, is_met=False, says=_("The last run did not do everything."))
    is_recent = facts.now - facts.done_at <= DAY_SECONDS
    said = {"moment": moment(facts.done_at)}
    if is_recent:
        return Check(Item.LAST_RUN, is_met=True, says=_("The last run did everything: %(moment)s.") % said)
    says = _("The last run did everything, but was more than a day ago: %(moment)s.") % said
    return Check(Item.LAST_RUN, is_met=False, says=says)


def _all_safe(facts: Facts) -> Check:
    if not facts.is_seen:
        return Check(Item.ALL_SAFE, is_met=False, says=_("The provider has not been seen yet."))
    waiting, safe = facts.waiting, facts.safe
    if waiting:
        says = ngettext(
            "%(number)s message at the provider is not safe yet.",
            "%(number)s messages at the provider are not safe yet.",
            waiting,
        )
        return Check(Item.ALL_SAFE, is_met=False, says=says % {"number": number(waiting)})
    says = ngettext(
        "%(number)s message at the provider is safe, and no other is there.",
        "%(number)s messages at the provider are safe, and no other is there.",
        safe,
    )
    if facts.failed or facts.accepted:
        says = ngettext(
            "%(number)s message at the provider is safe.", "%(number)s messages at the provider are safe.", safe
        )
    if not safe + facts.failed + facts.accepted:
        says = _("Nothing is left at the provider.")
    return Check(Item.ALL_SAFE, is_met=True, says=says % {"number": number(safe)})


def _needs_a_look(facts: Facts) -> Check:
    failed = facts.failed
    if not failed:
        return Check(Item.NEEDS_A_LOOK, is_met=True, says=_("No message needs a look."))
    says = ngettext("%(number)s message needs a look.", "%(number)s messages need a look.", failed)
    return Check(Item.NEEDS_A_LOOK, is_met=False, says=says % {"number": number(failed)})


def _set_aside(facts: Facts) -> Check:
    if not facts.accepted:
        return Check(Item.SET_ASIDE, is_met=True, is_needed=False, says=_("No message was set aside for good."))
    says = ngettext(
        "%(number)s message was accepted without a proven copy: it stays at the provider, and is lost with the"
        " mailbox.",
        "%(number)s messages were accepted without a proven copy: they stay at the provider, and are lost with the"
        " mailbox.",
        facts.accepted,
    )
    return Check(Item.SET_ASIDE, is_met=False, is_needed=False, says=says % {"number": number(facts.accepted)})


def _verified(facts: Facts) -> Check:
    if facts.damaged:
        says = ngettext("%(number)s copy is damaged.", "%(number)s copies are damaged.", facts.damaged)
        return Check(Item.VERIFIED, is_met=False, says=says % {"number": number(facts.damaged)})
    if not facts.verified_at:
        return Check(Item.VERIFIED, is_met=False, says=_("The copies have never been read again in full."))
    said = {"moment": moment(facts.verified_at), "span": span(facts.verify_every)}
    if facts.now - facts.verified_at <= facts.verify_every:
        says = _("Every copy was read again within %(span)s, and is as it should be: %(moment)s.") % said
        return Check(Item.VERIFIED, is_met=True, says=says)
    says = _("That every copy was read again is longer ago than %(span)s: %(moment)s.") % said
    return Check(Item.VERIFIED, is_met=False, says=says)


def _findings(facts: Facts) -> Check:
    serious = [finding for finding in facts.findings if finding.severity is not Severity.HINT]
    if not serious:
        return Check(Item.FINDINGS, is_met=True, says=_("Nothing else needs you."))
    return Check(Item.FINDINGS, is_met=False, says=stops(map(headline, serious)))


def _second_copy(facts: Facts) -> Check:
    count = len(set(facts.places))
    if count > 1:
        says = _("Each message is kept in %(number)s places.") % {"number": number(count)}
        return Check(Item.SECOND_COPY, is_met=True, is_needed=False, says=says)
    says = _("Each message is kept in one place only: make sure that there is a backup of it.")
    return Check(Item.SECOND_COPY, is_met=False, is_needed=False, says=says)
