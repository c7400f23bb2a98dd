"""Whether the clock can be believed: one that has jumped would let everything fall due at once."""

from __future__ import annotations

from datetime import UTC, datetime

from migrator.errors import FerryError, Kind
from migrator.policy import DeleteAfter, has_clock_jumped
from migrator.run.context import RunContext


def look_at_the_clock(context: RunContext, *, is_dry: bool = False) -> None:
    """Let nothing be deleted by its age in this run where the clock has jumped since the last one, and say so.

    A schedule waits until a person has looked: one who runs ``migrate`` once more, after that report, has.
    """
    now, policy, maildrop = context.effects.clock(), context.job.policy, context.maildrop
    last_run_at, doubted_at = maildrop.clock()
    if not is_dry:
        maildrop.run_began(now)
    if not isinstance(policy.leave_on_server, DeleteAfter):
        return
    has_jumped = has_clock_jumped(last_run_at, now, policy.leave_on_server.age)
    if not has_jumped and (doubted_at is None or not policy.has_patience):
        if doubted_at is not None and not is_dry:
            maildrop.clock_doubted(None)
        return
    if has_jumped and not is_dry:
        maildrop.clock_doubted(now)
    context.is_clock_trusted = False
    context.counters.problem(_clock_doubt(context.job.name, last_run_at or now, now))


def _clock_doubt(account: str, last_run_at: float, now: float) -> FerryError:
    before, present = (f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC" for moment in (last_run_at, now))
    return FerryError(
        Kind.TEMPORARY,
        f"nothing was deleted by its age: the last run began at {before}, and now the clock shows {present}",
        cure=f"see that the clock is right, then run once more: mailferry migrate {account}",
    )
