"""``mailferry quarantine``: what was set aside, skipped or could not be proven, and what a person decides about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from typing import TYPE_CHECKING

from migrator.cli.context import configuration
from migrator.cli.envelope_line import envelope_line
from migrator.cli.exit_codes import DONE
from migrator.errors import ConfigError, Kind
from migrator.lazy_dataclasses import replace
from migrator.operations.quarantine import Choice, Decision, Every, Quarantine, alike, review_quarantine, shared_reason
from migrator.policy import GONE
from migrator.report import shown_unique_id
from migrator.ui.text import day_and_time, plain, plural, size
from migrator.wiring.ledger import existing_ledger

if TYPE_CHECKING:
    from argparse import Namespace

    from migrator.ledger.history import SetAside
    from migrator.operations.envelopes import Envelope
    from migrator.ui.console import Console

_NUMBERED = 6
"""How many numbers, or stretches of them, are shown for messages that are alike."""
_NAMED = 3
"""How many messages that are alike are shown by date, sender and subject; ``-v`` shows all."""


def run(arguments: Namespace, screen: Console) -> int:
    """List what is set aside, after retrying or accepting what was chosen."""
    retry, accept = _choice(arguments, "retry"), _choice(arguments, "accept")
    shown = _every(arguments)
    config = configuration(arguments, screen)
    accounts = config.select([*arguments.accounts, *_names(arguments)])
    with ExitStack() as stack:
        is_listing = arguments.retry is arguments.accept is None
        if ledger := existing_ledger(config, only_to_read=is_listing):
            stack.enter_context(closing(ledger))
        found = review_quarantine(accounts, config.state_dir, ledger, retry=retry, accept=accept, now=time.time())
    _show(replace(found, messages=tuple(filter(shown.means, found.messages))), screen)
    return DONE


def _choice(arguments: Namespace, option: str) -> Choice:
    """Return which messages an option is about; raises ``ConfigError`` where it says nothing, or too much."""
    given: Sequence[int | str] | None = getattr(arguments, option)
    if given is None:
        if arguments.all and arguments.retry is arguments.accept is None:
            raise ConfigError(["--all: goes with --retry or --accept"])
        return ()
    numbers = [one for one in given if isinstance(one, int)]
    is_every = arguments.all or arguments.kind is not None
    if numbers and is_every:
        raise ConfigError([f"--{option}: takes numbers, or --all or --kind, not both"])
    if not numbers and not is_every:
        hint = "; did you mean --all?" if "all" in given else ""
        raise ConfigError([f"--{option}: say which messages: their numbers, --all, or --kind KIND{hint}"])
    return _every(arguments) if is_every else numbers


def _names(arguments: Namespace) -> list[str]:
    """Return the accounts that were named behind an option which takes numbers."""
    return [one for one in (*(arguments.retry or ()), *(arguments.accept or ())) if isinstance(one, str)]


def _every(arguments: Namespace) -> Every:
    """Return all that is set aside, or all of the kind that was named."""
    if arguments.kind is None:
        return Every()
    try:
        return Every.of(arguments.kind)
    except ValueError:
        raise ConfigError([f"--kind: {arguments.kind!r} is none of {', '.join((*Kind, GONE))}"]) from None


def _show(found: Quarantine, screen: Console) -> None:
    for line in _decided(found.decisions):
        screen.note(line)
    if screen.is_json:
        screen.document(found.as_json())
        return
    for group in [[one] for one in found.messages] if screen.verbosity else alike(found.messages):
        for line in _lines(group, [found.envelope(one) for one in group]):
            screen.result(plain(line))
    if found.messages:
        which = "NUMBER, or --all, or --kind KIND"
        screen.note(f"mailferry quarantine --retry {which} tries again; --accept likewise leaves it as it is")
    else:
        screen.note("Nothing is set aside.")


def _decided(decisions: Sequence[Decision]) -> Iterator[str]:
    """Yield a line for what was decided alike."""
    groups: dict[tuple[bool, str], list[int]] = {}
    for decision in decisions:
        groups.setdefault((decision.is_retried, decision.account), []).append(decision.row)
    for (is_retried, account), rows in groups.items():
        if len(rows) == 1:
            what = f"will be tried again at the next run of {account}"
            yield f"{rows[0]}: {what if is_retried else 'stays where it is and is no longer reported'}"
        else:
            what = (
                "will be tried again at its next run"
                if is_retried
                else "stay where they are and are no longer reported"
            )
            yield f"{account}: {plural(len(rows), 'message')} ({_stretches(rows)}) {what}"


def _lines(group: Sequence[SetAside], envelopes: Sequence[Envelope]) -> Iterator[str]:
    """Yield what is to be said of messages that are alike; of one, what it is called by its server, too."""
    first = group[0]
    octets = size(sum(one.octets for one in group))
    whole = f"message {shown_unique_id(first.unique_id)}" if len(group) == 1 else plural(len(group), "message")
    where = f" in {first.destination}" if first.destination else ""
    attempts = max(one.attempts for one in group)
    tried = f"since {day_and_time(min(one.first_at for one in group))}, {plural(attempts, 'attempt')}"
    accepted = ", accepted" if first.is_accepted else ""
    yield f"{_stretches([one.row for one in group])}  {first.account}: {whole} ({octets}){where}, {tried}{accepted}"
    yield f"    [{first.kind}] {shared_reason(group)}"
    if first.cure:
        yield f"    {first.cure}"
    known = [one for one in envelopes if one.sender or one.subject or one.date is not None]
    yield from (f"    {envelope_line(one)}" for one in known[:_NAMED])
    if len(known) > _NAMED:
        yield f"    and {len(known) - _NAMED:,} more (-v shows all)"


def _stretches(numbers: Sequence[int]) -> str:
    """Return numbers as a person writes them: ``3, 5-9``."""
    ordered = sorted(numbers)
    runs = [[number for _, number in run] for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])]
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs[:_NUMBERED]]
    left = sum(map(len, runs[_NUMBERED:]))
    return ", ".join(shown) + (f" and {left:,} more" if left else "")
