"""Looking at the mailboxes of a run before anything else: each that is to keep what was proven in it.

A one-shot run looks at each once, a schedule once an hour while all is well, and at every run while it is not. What is
missing, or cannot be looked at, is not worked in this run: nothing is stored there, and nothing deleted at the source.
"""

from __future__ import annotations

from migrator.copying.census import LastLook, Numbers, is_missing, is_worth_a_look, look
from migrator.copying.copier import Copier
from migrator.errors import FerryError
from migrator.lazy_dataclasses import replace
from migrator.run.context import RunContext

_TOPIC = "mailboxes"
"""The topic under which it is kept when each was last seen to be well."""


def is_as_known(context: RunContext, place: int, copier: Copier, *, is_dry: bool = False) -> bool:
    """Look at a mailbox if it is time to; one that is not as it is known is reported, and cannot be worked."""
    if not is_worth_a_look(copier.destination, copier.copies):
        return True
    try:
        context.effects.looks.once(copier.destination.identity, lambda: _look(context, copier, is_dry=is_dry))
    except FerryError as error:
        context.targets.unusable[place] = error
        context.targets.unseen.add(place)
        context.counters.problem(error, copier.destination.label)
        return False
    return True


def _look(context: RunContext, copier: Copier, *, is_dry: bool) -> None:
    name, now = copier.destination.identity, context.effects.clock()
    last = _last_look(context, name)
    if last.is_fresh(now, context.effects.looks.good_for):
        return
    try:
        seen = look(copier.destination, copier.copies, last, now, is_dry=is_dry)
    except FerryError as error:
        if is_missing(error) and not is_dry and last.well_at:
            _note(context, name, replace(last, well_at=0.0))
        raise
    if not is_dry:
        _note(context, name, seen)


def _last_look(context: RunContext, name: str) -> LastLook:
    match context.ledger.state_store.get(_TOPIC, name):
        case {
            "well_at": float(well_at),
            "lacked": int(lacked),
            "numbers": [int(validity), int(uid_next), int(held), int(known)],
        }:
            return LastLook(well_at, lacked, Numbers(validity, uid_next, held, known))
        case _:
            return LastLook()


def _note(context: RunContext, name: str, seen: LastLook) -> None:
    told = {"well_at": seen.well_at, "lacked": seen.lacked, "numbers": list(seen.numbers or ())}
    context.ledger.state_store.put(_TOPIC, name, told)
